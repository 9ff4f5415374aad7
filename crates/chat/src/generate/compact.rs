//! The step that summarizes the conversation.

use api_types::ChatErrorKind;
use llm::{Error, ErrorKind, Request, ToolChoice};
use tokio_util::sync::CancellationToken;

use super::decide::context_tokens;
use super::{Runner, Step, Turn, retry};
use crate::compaction::{self, Figures};
use crate::machine::Op;
use crate::models::Purpose;

/// Whether a provider says that the conversation does not fit: each in its own words.
pub(super) fn says_too_long(error: &Error) -> bool {
    if !matches!(error.kind, ErrorKind::Config | ErrorKind::Generic) {
        return false;
    }
    let text = format!("{} {}", error.message, error.detail).to_lowercase();
    [
        "context length",
        "context_length",
        "context window",
        "prompt is too long",
        "maximum context",
        "too many tokens",
        "input is too long",
        "exceed context limit",
        "input token count",
    ]
    .iter()
    .any(|words| text.contains(words))
}

impl Runner {
    pub(super) async fn compact(&mut self, turn: &Turn) -> Step {
        let manual = self.lease.chat.compaction_requested_at.is_some();
        if !manual && !self.may_summarize() {
            // The summary itself fills the model: another one would not help.
            return self
                .give_up(
                    ChatErrorKind::Config,
                    "The conversation does not fit into the model's context, even summarized. \
                     Choose a model with a larger context, or raise the compaction threshold.",
                )
                .await;
        }
        self.begin().await?;
        let with = self.summarizer(turn).await;
        let request = match self.request(&with).await {
            Ok(request) => self.summary_request(request),
            Err(error) => return self.failed(error, Vec::new()).await,
        };
        let call = self.call(&with, Purpose::Compaction);
        let cancel = CancellationToken::new();
        let _given_up = cancel.clone().drop_guard();
        let asked = self
            .lease
            .shared
            .parts
            .models
            .complete(call, request, cancel);
        let answer = tokio::select! {
            biased;
            () = self.lease.broken() => {
                return if self.lease.is_to_stop() { self.stop(Vec::new()).await } else { Ok(()) };
            }
            answer = tokio::time::timeout(compaction::TIMEOUT, asked) => {
                answer.unwrap_or_else(|_| Err(retry::silence(compaction::TIMEOUT)))
            }
        };
        let text = match answer {
            Ok(answer) => answer.text(),
            Err(error) if says_too_long(&error) => {
                return self
                    .give_up(
                        ChatErrorKind::Config,
                        "The conversation is too long for the model to summarize. Clear it, edit \
                         an earlier message, or choose a model with a larger context.",
                    )
                    .await;
            }
            Err(error) => return self.failed(error, Vec::new()).await,
        };
        if text.trim().is_empty() {
            let error = Error::new(ErrorKind::Timeout, "The model gave an empty summary.");
            return self.failed(error, Vec::new()).await;
        }
        let figures = Figures {
            manual,
            threshold: turn.threshold,
            used: context_tokens(&self.history).unwrap_or(0),
            limit: turn.model.context_limit,
        };
        let attempt = self.lease.chat.generation_attempt;
        let next = if manual {
            Op::FinishTurn
        } else {
            Op::RecordAttempt(None)
        };
        let ops = vec![
            Op::CommitStep(compaction::rows(text.trim(), figures)),
            Op::CompactionDone,
            next,
        ];
        let outcome = self.lease.apply(Some(attempt), ops).await?;
        self.absorb(outcome);
        // What the summary stands for is not needed any more.
        self.history_at = 0;
        self.too_long = false;
        self.since_summary = (!manual).then_some(0);
        self.begun = !manual;
        Ok(())
    }

    /// Whether a summary may help: there was none, or more was said since than one answer.
    pub(super) fn may_summarize(&self) -> bool {
        self.since_summary.is_none_or(|answers| answers > 1)
    }

    /// The turn with the model that summaries are made with, if the organization chose one.
    async fn summarizer(&self, turn: &Turn) -> Turn {
        let models = &self.lease.shared.parts.models;
        let organization = self.lease.chat.organization_id;
        let purpose = Purpose::Compaction;
        let chosen = models.side_model(&turn.owner, organization, purpose).await;
        let mut with = turn.clone();
        if let Ok(Some((model, _))) = chosen {
            with.model = model;
        }
        with
    }

    /// The same conversation, so that the provider's cache serves it, and the wish behind it.
    fn summary_request(&self, mut request: Request) -> Request {
        request.messages.push(compaction::request());
        request.tool_choice = ToolChoice::None;
        request.web_search = None;
        request.max_output_tokens = Some(compaction::MAX_TOKENS);
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_long_is_told_from_other_refusals() {
        let says = |kind, text: &str| says_too_long(&Error::new(kind, "x").detail(text));
        assert!(says(
            ErrorKind::Config,
            "This model's maximum context length is 8192 tokens"
        ));
        assert!(says(
            ErrorKind::Config,
            "prompt is too long: 210000 tokens > 200000 maximum"
        ));
        assert!(says(
            ErrorKind::Config,
            "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000"
        ));
        assert!(says(
            ErrorKind::Config,
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
        ));
        assert!(!says(ErrorKind::Config, "unknown model"));
        assert!(!says(ErrorKind::RateLimit, "too many tokens per minute"));
    }
}
