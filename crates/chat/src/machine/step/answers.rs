//! Answers of calls of tools that nobody else will give: those of the client, and those that are
//! made up where a call is given up.

use api_types::{ChatMessagePart, ChatMessageRole};
use store::StoreError;
use store::chats::{ChatMessageRow, NewChatMessage};

use super::Step;
use crate::history;
use crate::machine::MachineError;

/// Why answers were made up.
pub(super) mod why {
    pub(in crate::machine) const NEW_MESSAGE: &str =
        "The tool call was not completed: the user sent a new message.";
    pub(in crate::machine) const PROMOTED: &str =
        "The tool call was not completed: a queued message was sent instead.";
    pub(in crate::machine) const INTERRUPTED: &str = "The tool call was interrupted by the user. It may have \
        had effects already: check before you repeat it.";
    pub(in crate::machine) const FINISHED: &str =
        "The tool call was not completed before the turn ended.";
    pub(in crate::machine) const INVALID: &str =
        "The tool call was lost: the chat was found in an invalid state and repaired.";
}

impl Step {
    /// The client's answers: exactly the open calls of its tools.
    pub(super) async fn complete(
        &mut self,
        results: Vec<ChatMessagePart>,
    ) -> Result<(), MachineError> {
        let tail = self.tail().await?;
        let open = history::open_dynamic_calls(&tail, &self.chat.dynamic_tools);
        let bad = |text: String| Err(MachineError::ToolResults(text));
        for result in &results {
            if !open
                .iter()
                .any(|call| call.tool_call_id == result.tool_call_id)
            {
                return bad(format!(
                    "No call {:?} waits for a result.",
                    result.tool_call_id
                ));
            }
        }
        let mut ordered = Vec::with_capacity(open.len());
        for call in &open {
            let mut found = results
                .iter()
                .filter(|r| r.tool_call_id == call.tool_call_id);
            match (found.next(), found.next()) {
                (Some(one), None) => {
                    let mut one = one.clone();
                    one.tool_name.clone_from(&call.tool_name);
                    ordered.push(one);
                }
                (None, _) => {
                    return bad(format!(
                        "The result of call {:?} is missing.",
                        call.tool_call_id
                    ));
                }
                _ => {
                    return bad(format!(
                        "Call {:?} was answered more than once.",
                        call.tool_call_id
                    ));
                }
            }
        }
        self.insert(results_message(ordered)).await
    }

    /// Answers open calls, those of the client only or all.
    pub(super) async fn answer_open(
        &mut self,
        why: &str,
        dynamic_only: bool,
    ) -> Result<(), MachineError> {
        let tail = self.tail().await?;
        let dynamic = &self.chat.dynamic_tools;
        let results: Vec<ChatMessagePart> = history::open_calls(&tail)
            .into_iter()
            .filter(|call| !dynamic_only || dynamic.iter().any(|t| t.name == call.tool_name))
            .map(|call| history::synthetic_result(call, why))
            .collect();
        if results.is_empty() {
            return Ok(());
        }
        self.insert(results_message(results)).await
    }

    /// The last assistant message and what follows it.
    async fn tail(&self) -> Result<Vec<ChatMessageRow>, MachineError> {
        // What this step wrote ends with an answer of the model: nothing before it matters.
        if let Some(last) = self
            .inserted
            .iter()
            .rposition(|m| m.role == ChatMessageRole::Assistant && m.visibility.for_model())
        {
            return Ok(self.inserted[last..].to_vec());
        }
        Ok(self.tx.chat_messages_tail(self.chat.id).await?)
    }

    pub(super) fn last_answer(&self) -> Result<i64, MachineError> {
        let last = self
            .inserted
            .iter()
            .rev()
            .find(|m| m.role == ChatMessageRole::Assistant);
        last.map(|m| m.id).ok_or_else(|| {
            StoreError::Internal("calls without the message that made them".to_owned()).into()
        })
    }
}

/// Answers of tools, as a row.
fn results_message(results: Vec<ChatMessagePart>) -> Vec<NewChatMessage> {
    vec![NewChatMessage::new(ChatMessageRole::Tool, results)]
}
