//! One recorded call: begun before the provider is asked, ended with what it answered, also when the
//! caller went away in the middle.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, StreamExt as _};
use llm::{
    Answer, Error, Event, EventStream, Exchange, FinishReason, Part, Parts, Request, Tap, Usage,
};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use store::Result;
use store::chats::{EndedDebugStep, NewDebugStep};
use uuid::Uuid;

use super::{Recorder, kind, normal, redact};
use crate::models::{Call, Purpose};

/// Most exchanges of one step: one for each key of the provider.
const MAX_ATTEMPTS: usize = 32;

/// A call that is recorded. Dropped, it is recorded as interrupted.
pub(super) struct Step {
    recorder: Recorder,
    ids: (Uuid, Uuid),
    /// Its run goes on with the next call.
    of_turn: bool,
    attempts: Arc<Mutex<Vec<Exchange>>>,
    said: Parts,
    usage: Usage,
    calls_tools: bool,
    open: bool,
}

/// How a step ended.
struct End {
    status: &'static str,
    run_status: Option<&'static str>,
    response: Option<Value>,
    error: Option<Value>,
}

impl Step {
    pub(super) async fn begin(
        recorder: &Recorder,
        call: &Call,
        request: &mut Request,
        operation: &str,
    ) -> Result<Self> {
        let tx = recorder.store.begin(&recorder.who).await?;
        let ids = tx
            .chat_debug_step_begin(
                &recorder.who,
                &NewDebugStep {
                    chat: call.chat,
                    kind: kind(call.purpose),
                    model_config: call.model.id,
                    provider: &call.model.provider,
                    model: &call.model.model,
                    operation,
                    request: &without_nul(normal::request(request)),
                    label: &without_nul(normal::label(request)),
                },
            )
            .await?;
        tx.commit().await?;
        let attempts = Arc::new(Mutex::new(Vec::new()));
        request.tap = Tap::new({
            let attempts = attempts.clone();
            move |exchange| {
                let mut attempts = attempts.lock();
                if attempts.len() < MAX_ATTEMPTS {
                    attempts.push(exchange);
                }
            }
        });
        Ok(Step {
            recorder: recorder.clone(),
            ids,
            of_turn: call.purpose == Purpose::Turn,
            attempts,
            said: Parts::default(),
            usage: Usage::default(),
            calls_tools: false,
            open: true,
        })
    }

    /// The same answer, which is recorded while it passes.
    pub(super) fn watch(self, answer: EventStream) -> EventStream {
        stream::unfold((self, answer), |(mut step, mut answer)| async move {
            let next = answer.next().await;
            match &next {
                Some(Ok(event)) => step.see(event).await,
                Some(Err(error)) => step.failed(error).await,
                None => {}
            }
            next.map(|next| (next, (step, answer)))
        })
        .boxed()
    }

    async fn see(&mut self, event: &Event) {
        match event {
            Event::Usage(usage) => self.usage = *usage,
            Event::ToolCallEnd(_) => self.calls_tools = true,
            _ => {}
        }
        if let Event::Finish { reason, .. } = event {
            let said = std::mem::take(&mut self.said).finish();
            self.finished(&said, Some(*reason)).await;
        } else {
            self.said.add(event.clone());
        }
    }

    /// A whole answer came.
    pub(super) async fn answered(&mut self, answer: &Answer) {
        self.usage = answer.usage;
        self.finished(&answer.parts, Some(answer.reason)).await;
    }

    async fn finished(&mut self, said: &[Part], reason: Option<FinishReason>) {
        let goes_on = self.of_turn
            && (self.calls_tools
                || matches!(reason, Some(FinishReason::ToolCalls | FinishReason::Pause)));
        let end = End {
            status: "completed",
            run_status: (!goes_on).then_some("completed"),
            response: Some(normal::response(said, reason, &self.usage)),
            error: None,
        };
        self.end(end).await;
    }

    /// The call failed.
    pub(super) async fn failed(&mut self, error: &Error) {
        let said = std::mem::take(&mut self.said).finish();
        let end = End {
            status: "error",
            // What can be tried again is the same turn.
            run_status: (!(self.of_turn && error.retryable)).then_some("error"),
            response: (!said.is_empty()).then(|| normal::response(&said, None, &self.usage)),
            error: Some(normal::error(error)),
        };
        self.end(end).await;
    }

    async fn end(&mut self, end: End) {
        if std::mem::take(&mut self.open) {
            let attempts = std::mem::take(&mut *self.attempts.lock());
            let usage = self.usage;
            write(self.recorder.clone(), self.ids, end, attempts, usage).await;
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let said = std::mem::take(&mut self.said).finish();
        let end = End {
            status: "interrupted",
            run_status: Some("interrupted"),
            response: (!said.is_empty()).then(|| normal::response(&said, None, &self.usage)),
            error: None,
        };
        let attempts = std::mem::take(&mut *self.attempts.lock());
        let (recorder, ids, usage) = (self.recorder.clone(), self.ids, self.usage);
        runtime.spawn(write(recorder, ids, end, attempts, usage));
    }
}

async fn write(
    recorder: Recorder,
    ids: (Uuid, Uuid),
    end: End,
    attempts: Vec<Exchange>,
    usage: Usage,
) {
    let known = usage != Usage::default();
    let counted = known.then(|| normal::usage(&usage));
    let summary = summary(&end, &attempts, &usage);
    let attempts: Value = attempts.iter().enumerate().map(attempt).collect();
    let written = async {
        let tx = recorder.store.begin(&recorder.who).await?;
        tx.chat_debug_step_end(
            &recorder.who,
            ids,
            &EndedDebugStep {
                status: end.status,
                run_status: end.run_status,
                response: end.response.map(without_nul).as_ref(),
                usage: counted.as_ref(),
                attempts: &without_nul(attempts),
                error: end.error.map(without_nul).as_ref(),
                summary: &summary,
            },
        )
        .await?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, step = %ids.1, "chats: the end of a call is not in the debug log");
    }
}

/// What a step adds to the figures of its run.
fn summary(end: &End, attempts: &[Exchange], usage: &Usage) -> Value {
    let mut figures = Map::new();
    figures.insert("step_count".to_owned(), 1.into());
    for (name, tokens) in [
        ("total_input_tokens", usage.input_tokens),
        ("total_output_tokens", usage.output_tokens),
        ("total_reasoning_tokens", usage.reasoning_tokens),
        ("total_cache_creation_tokens", usage.cache_write_tokens),
        ("total_cache_read_tokens", usage.cache_read_tokens),
    ] {
        if tokens > 0 {
            figures.insert(name.to_owned(), tokens.into());
        }
    }
    if end.error.is_some() {
        figures.insert("has_error".to_owned(), true.into());
    }
    if let Some(last) = attempts.last() {
        let label = format!("POST {}", last.path);
        figures.insert("endpoint_label".to_owned(), label.into());
    }
    figures.into()
}

fn attempt((n, exchange): (usize, &Exchange)) -> Value {
    let headers = |all: &[(String, String)]| -> Map<String, Value> {
        all.iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect()
    };
    let finished =
        exchange.started_at + chrono::Duration::from_std(exchange.took).unwrap_or_default();
    // Bodies are bytes in this interface, which JSON carries as base64.
    let body = |bytes: &[u8]| STANDARD.encode(redact::body(bytes));
    let ok = exchange.error.is_none() && (200..300).contains(&exchange.status);
    let mut shown = json!({
        "number": n + 1,
        "status": if ok { "completed" } else { "failed" },
        "method": "POST",
        "url": exchange.url,
        "path": exchange.path,
        "started_at": exchange.started_at.to_rfc3339(),
        "finished_at": finished.to_rfc3339(),
        "request_headers": headers(&exchange.request_headers),
        "request_body": body(&exchange.request_body),
        "response_status": exchange.status,
        "response_headers": headers(&exchange.response_headers),
        "duration_ms": u64::try_from(exchange.took.as_millis()).unwrap_or(u64::MAX),
    });
    if let Value::Object(shown) = &mut shown {
        if !exchange.response_body.is_empty() {
            shown.insert(
                "response_body".to_owned(),
                body(&exchange.response_body).into(),
            );
        }
        if let Some(error) = &exchange.error {
            shown.insert("error".to_owned(), error.clone().into());
        }
    }
    shown
}

/// The database keeps no NUL in JSON.
fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").into(),
        Value::Array(all) => all.into_iter().map(without_nul).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key.replace('\0', "\u{fffd}"), without_nul(value)))
            .collect(),
        other => other,
    }
}
