//! The step that runs tools.
//!
//! Each call is recorded before it runs, and its result when it is there. A call that another
//! run began and did not finish is not run again unless that does no harm: the model is told
//! that it may have run.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use api_types::{ChatMessagePart, ChatMessageRole};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use store::chats::NewChatMessage;

use super::{Runner, Step, Turn};
use crate::history;
use crate::machine::Op;
use crate::tools::{Tool, ToolAnswer, ToolContext, result_part};

/// Bytes of one text in a result, if the model's context is unknown.
const TEXT_CAP: usize = 64 << 10;
/// Least bytes of one text, however small the context.
const MIN_CAP: usize = 16 << 10;
/// Bytes that may stand around a text of full length: names of fields, an exit code, a short remark.
const AROUND: usize = 4 << 10;
/// Pieces of results that wait to be shown; a tool that is faster waits itself.
const PIECES: usize = 64;

const MAY_HAVE_RUN: &str = "The server was interrupted while this tool call was under way. It may \
have run in part or completely, and its result is lost. Find out what it did before you repeat it.";

const EXCLUSIVE: &str = "None of these calls was run: the advisor is asked alone. Ask it first, \
or call the other tools without it.";

impl Runner {
    pub(super) async fn run_tools(
        &mut self,
        message: i64,
        calls: Vec<ChatMessagePart>,
        turn: &Turn,
    ) -> Step {
        let tools = self.tools(turn);
        let find = |name: &str| {
            let is = |tool: &&Arc<dyn Tool>| tool.spec().name == name || tool.alias() == Some(name);
            tools.iter().find(is).cloned()
        };
        let mut results: Vec<Option<ChatMessagePart>> = vec![None; calls.len()];
        if !std::mem::take(&mut self.tools_begun) {
            let lost = self.earlier_results(message, &calls, &find, &mut results);
            lost.await?;
            let ids = calls
                .iter()
                .zip(&results)
                .filter(|(_, result)| result.is_none())
                .map(|(call, _)| call.tool_call_id.clone())
                .collect();
            let ops = vec![Op::RecordAttempt(Some((message, ids)))];
            let outcome = self.lease.apply(None, ops).await?;
            self.absorb(outcome);
        }
        self.begun = false;
        let chat = self.lease.chat.clone();
        let shared = self.lease.shared.clone();
        let runner = self.lease.runner;
        let attempt = (chat.history_version, chat.generation_attempt);
        let mut episode = shared.parts.machine.hub().episode(chat.id, attempt);
        let context = ToolContext {
            chat: chat.clone(),
            who: turn.owner.clone(),
            machine: shared.parts.machine.clone(),
            models: shared.parts.models.clone(),
            workspace: turn.workspace.clone(),
            workspaces: shared.parts.toolbox.workspaces(&chat),
            building: Arc::default(),
            screen: Arc::default(),
            shown: None,
        };
        let (viewers, mut shown) = tokio::sync::mpsc::channel(PIECES);
        let contexts: Vec<ToolContext> = calls
            .iter()
            .map(|call| context.of_call(call, viewers.clone()))
            .collect();
        let exclusive = calls.len() > 1
            && calls
                .iter()
                .filter_map(|call| find(&call.tool_name))
                .any(|tool| tool.is_exclusive());
        let cap = text_cap(turn.model.context_limit);
        let mut running: FuturesUnordered<_> = calls
            .iter()
            .enumerate()
            .filter(|(at, _)| results[*at].is_none())
            .map(|(at, call)| {
                let tool = find(&call.tool_name);
                run_one(at, call, tool, exclusive, &contexts[at])
            })
            .collect();
        // Beside the calls, never instead of them: each may hold a connection to the database, and
        // who waits for one while they stand still may wait for ever.
        let mut keeping = FuturesUnordered::new();
        let stopped = {
            let mut broken = std::pin::pin!(self.lease.broken());
            loop {
                let due = episode.due();
                let flush = due.unwrap_or_else(tokio::time::Instant::now);
                tokio::select! {
                    biased;
                    () = &mut broken => break true,
                    Some(part) = shown.recv() => episode.push(ChatMessageRole::Tool, part),
                    () = tokio::time::sleep_until(flush), if due.is_some() => episode.flush(),
                    done = running.next() => {
                        let Some((at, mut answer)) = done else { break false };
                        bound(&mut answer, cap);
                        let part = result_part(&calls[at], answer);
                        episode.push(ChatMessageRole::Tool, part.clone());
                        if !running.is_empty() {
                            // Others still run: should we die, this one is known.
                            keeping.push(keep(&shared, &chat, message, runner, part.clone()));
                        }
                        results[at] = Some(part);
                    }
                    Some(()) = keeping.next() => {}
                }
            }
        };
        drop((running, keeping));
        episode.flush();
        let done: Vec<ChatMessagePart> = results.into_iter().flatten().collect();
        if !stopped {
            return self.commit(as_message(done), false, turn).await;
        }
        if self.lease.is_to_stop() {
            return self.stop(as_message(done)).await;
        }
        Ok(())
    }

    /// What earlier runs of these calls left behind.
    async fn earlier_results(
        &self,
        message: i64,
        calls: &[ChatMessagePart],
        find: &(dyn Fn(&str) -> Option<Arc<dyn Tool>> + Sync),
        results: &mut [Option<ChatMessagePart>],
    ) -> Step {
        let conn = self.lease.shared.parts.machine.store().conn().await?;
        let runs = conn.chat_tool_runs(self.lease.chat.id, message).await?;
        let runs: HashMap<&str, _> = runs.iter().map(|r| (r.tool_call_id.as_str(), r)).collect();
        for (call, result) in calls.iter().zip(results) {
            let Some(run) = runs.get(call.tool_call_id.as_str()) else {
                continue;
            };
            if run.result.is_some() {
                result.clone_from(&run.result);
            } else if !find(&call.tool_name).is_some_and(|tool| tool.is_repeatable()) {
                *result = Some(history::synthetic_result(call, MAY_HAVE_RUN));
            }
        }
        Ok(())
    }
}

async fn run_one(
    at: usize,
    call: &ChatMessagePart,
    tool: Option<Arc<dyn Tool>>,
    exclusive: bool,
    context: &ToolContext,
) -> (usize, ToolAnswer) {
    if exclusive {
        return (at, ToolAnswer::error(EXCLUSIVE));
    }
    let Some(tool) = tool else {
        let text = format!(
            "There is no tool {:?} here, or it is not available now.",
            call.tool_name
        );
        return (at, ToolAnswer::error(text));
    };
    let args = match arguments(call) {
        Ok(args) => args,
        Err(text) => return (at, ToolAnswer::error(text)),
    };
    let answer = AssertUnwindSafe(tool.call(context, args)).catch_unwind();
    let answer = answer.await.unwrap_or_else(|_| {
        tracing::error!(tool = call.tool_name, "chats: a tool panicked");
        ToolAnswer::error("The tool failed for a reason of its own. This is a bug of the server.")
    });
    (at, answer)
}

fn arguments(call: &ChatMessagePart) -> Result<Map<String, Value>, String> {
    match &call.args {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        // What was no object was kept as the model wrote it.
        Some(other) => {
            let text = other
                .as_str()
                .map_or_else(|| other.to_string(), str::to_owned);
            let call = llm::ToolCall {
                id: call.tool_call_id.clone(),
                name: call.tool_name.clone(),
                args: text,
                provider_executed: false,
                metadata: llm::Metadata::default(),
            };
            call.parsed()
        }
    }
}

async fn keep(
    shared: &crate::worker::Shared,
    chat: &store::chats::ChatRow,
    message: i64,
    runner: uuid::Uuid,
    part: ChatMessagePart,
) {
    let kept = async {
        let conn = shared.parts.machine.store().conn().await?;
        conn.chat_tool_run_finish(chat.id, message, runner, &part)
            .await
    };
    if let Err(error) = kept.await {
        tracing::warn!(%error, "chats: the result of a tool is kept in memory only for now");
    }
}

fn as_message(results: Vec<ChatMessagePart>) -> Vec<NewChatMessage> {
    if results.is_empty() {
        return Vec::new();
    }
    vec![NewChatMessage::new(ChatMessageRole::Tool, results)]
}

/// Bytes of one text in a result: half of what the model can read, four bytes a token.
fn text_cap(context_limit: i64) -> usize {
    match usize::try_from(context_limit) {
        Ok(tokens) if tokens > 0 => (tokens / 2).saturating_mul(4).max(MIN_CAP),
        _ => TEXT_CAP,
    }
}

/// Cuts what is too long for the model: each text, and what is still too large as a whole.
fn bound(answer: &mut ToolAnswer, cap: usize) {
    if answer.is_media {
        // Pictures are of no use in part; who made them bounded them.
        let fields = answer.value.as_object_mut().into_iter().flatten();
        for (_, item) in fields.filter(|(key, _)| *key != "data") {
            cap_texts(item, cap);
        }
        return;
    }
    cap_texts(&mut answer.value, cap);
    if size(&answer.value) > cap.saturating_add(AROUND) {
        let key = if answer.is_error { "error" } else { "output" };
        answer.value = json!({ key: cut_middle(&answer.value.to_string(), cap) });
    }
}

/// Bytes of all that a value holds, as text.
fn size(value: &Value) -> usize {
    // Quotes and what stands between.
    const SIGNS: usize = 4;
    SIGNS
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(size).sum(),
            Value::Object(map) => map.iter().map(|(key, item)| key.len() + size(item)).sum(),
            other => other.to_string().len(),
        }
}

/// Cuts long texts in the middle: how they begin and end tells most.
fn cap_texts(value: &mut Value, cap: usize) {
    match value {
        Value::String(text) if text.len() > cap => *text = cut_middle(text, cap),
        Value::Array(items) => items.iter_mut().for_each(|item| cap_texts(item, cap)),
        Value::Object(map) => map.values_mut().for_each(|item| cap_texts(item, cap)),
        _ => {}
    }
}

fn cut_middle(text: &str, cap: usize) -> String {
    let mut head = cap * 2 / 3;
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    let mut tail = text.len() - cap / 3;
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!(
        "{}\n\n[… {} bytes left out …]\n\n{}",
        &text[..head],
        tail - head,
        &text[tail..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(value: Value, is_media: bool) -> Value {
        let mut answer = ToolAnswer::ok(value);
        answer.is_media = is_media;
        bound(&mut answer, MIN_CAP);
        answer.value
    }

    #[test]
    fn long_texts_keep_their_ends() {
        let value = bounded(
            json!({ "output": "é".repeat(50_000), "exit_code": 1 }),
            false,
        );
        let output = value["output"].as_str().unwrap();
        assert!(output.len() < MIN_CAP + 100 && output.contains("left out"));
        assert!(output.starts_with('é') && output.ends_with('é'));
        assert_eq!(value["exit_code"], 1, "what is around it stays");
        assert_eq!(text_cap(0), TEXT_CAP);
        assert_eq!(text_cap(1000), MIN_CAP);
        assert_eq!(text_cap(200_000), 400_000);
    }

    #[test]
    fn only_pictures_are_kept_whole() {
        let data = "x".repeat(100_000);
        let value = json!({ "data": data, "mime_type": "image/png", "text": data });
        let shown = bounded(value.clone(), true);
        assert_eq!(shown["data"].as_str().unwrap().len(), 100_000);
        assert!(shown["text"].as_str().unwrap().len() < MIN_CAP + 100);
        let whole = bounded(value, false).to_string();
        assert!(whole.len() < 2 * MIN_CAP, "{}", whole.len());
        let deep = bounded(json!({ "rows": [{ "data": data }] }), false).to_string();
        assert!(deep.len() < MIN_CAP + AROUND, "{}", deep.len());
    }

    #[test]
    fn many_small_values_are_bounded_together() {
        let rows: Vec<Value> = (0..10_000)
            .map(|i| json!({ "id": i, "ok": true }))
            .collect();
        let value = bounded(Value::from(rows), false);
        let output = value["output"].as_str().unwrap();
        assert!(output.len() < MIN_CAP + 100 && output.contains("left out"));
        assert!(output.starts_with("[{") && output.ends_with("}]"));
        let few = json!([{ "id": 1 }, null, "x"]);
        assert_eq!(bounded(few.clone(), false), few);
    }

    #[test]
    fn arguments_that_are_no_object_are_an_answer() {
        let call = |args: Value| ChatMessagePart::tool_call("1", "t", args);
        assert!(arguments(&call(serde_json::json!({"a": 1}))).is_ok());
        assert!(arguments(&call(Value::from("{\"a\": 1}"))).is_ok());
        for bad in [Value::from("{"), Value::from("[1]"), serde_json::json!([1])] {
            assert!(arguments(&call(bad)).is_err());
        }
    }
}
