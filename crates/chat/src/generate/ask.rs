//! The step that asks the model and streams its answer.

use std::time::{Duration, Instant};

use api_types::{ChatErrorKind, ChatMessageRole, ChatMessageUsage};
use futures::StreamExt as _;
use llm::{Error, ErrorKind, FinishReason};
use store::chats::NewChatMessage;
use tokio_util::sync::CancellationToken;

use super::checkpoint::Checkpoint;
use super::{Answer, Runner, Step, TooLarge, Turn, retry};
use crate::live::EpisodeWriter;
use crate::models::{ModelInfo, Purpose};

/// A stream that stands still for so long is given up.
const SILENCE: Duration = Duration::from_mins(10);

/// An answer that takes longer than this does not end by itself.
const LONGEST: Duration = Duration::from_hours(1);

/// How a stream ended.
enum End {
    Done,
    /// The run is not wanted any more, or is to stop.
    Broken,
    Failed(Error),
}

impl Runner {
    pub(super) async fn ask(&mut self, turn: &Turn) -> Step {
        self.begin().await?;
        let request = match self.request(turn).await {
            Ok(request) => request,
            Err(error) => return self.failed(error, Vec::new()).await,
        };
        let call = self.call(turn, Purpose::Turn);
        let chat = &self.lease.chat;
        let attempt = (chat.history_version, chat.generation_attempt);
        let shared = self.lease.shared.clone();
        let mut episode = shared.parts.machine.hub().episode(chat.id, attempt);
        let cancel = CancellationToken::new();
        let _given_up = cancel.clone().drop_guard();
        let began = Instant::now();
        let mut stream = shared.parts.models.stream(call, request, cancel);
        let mut answer = Answer::with_servers(&self.tools(turn));
        let mut checkpoint = Checkpoint::new(shared.clone(), chat.id, attempt);
        let end = {
            let mut too_late = std::pin::pin!(tokio::time::sleep(LONGEST));
            // Pinned for the whole stream: begun anew with each event it might never end.
            let mut broken = std::pin::pin!(self.lease.broken());
            loop {
                let due = episode.due().into_iter().chain(checkpoint.due()).min();
                let flush = tokio::time::sleep_until(
                    due.unwrap_or_else(|| tokio::time::Instant::now() + SILENCE),
                );
                tokio::select! {
                    biased;
                    () = &mut broken => break End::Broken,
                    () = &mut too_late => break End::Failed(Error::new(
                        ErrorKind::Config,
                        "The model's answer did not come to an end within an hour and was cut \
                         off. Ask for less at once.",
                    )),
                    event = tokio::time::timeout(SILENCE, stream.next()) => match event {
                        Err(_) => break End::Failed(retry::silence(SILENCE)),
                        Ok(None) => break End::Failed(Error::new(
                            ErrorKind::Timeout,
                            "The model provider ended its answer in the middle.",
                        )),
                        Ok(Some(Err(error))) => break End::Failed(error),
                        Ok(Some(Ok(event))) => match answer.take(event) {
                            Ok(part) => {
                                if let Some(part) = part {
                                    checkpoint.push(&part);
                                    episode.push(ChatMessageRole::Assistant, part);
                                }
                                if answer.finish.is_some() {
                                    break End::Done;
                                }
                            }
                            Err(TooLarge) => break End::Failed(Error::new(
                                ErrorKind::Config,
                                "The model's answer grew too large and was cut off. Ask for \
                                 less at once.",
                            )),
                        },
                    },
                    () = flush, if due.is_some() => {}
                }
                let now = tokio::time::Instant::now();
                if episode.due().is_some_and(|due| due <= now) {
                    episode.flush();
                }
                if checkpoint.due().is_some_and(|due| due <= now) {
                    checkpoint.write();
                }
            }
        };
        drop(stream);
        // The last parts are seen before what they became.
        episode.flush();
        let reason = answer.finish;
        let whole = matches!(end, End::Done);
        let message = as_message(answer, whole, &turn.model, began.elapsed(), |usage| {
            shared.parts.models.price(&turn.model, usage)
        });
        let said = !message.content.is_empty();
        let step = self.ended(end, reason, message, said, episode, turn).await;
        checkpoint.done();
        step
    }

    async fn ended(
        &mut self,
        end: End,
        reason: Option<FinishReason>,
        message: NewChatMessage,
        said: bool,
        episode: EpisodeWriter,
        turn: &Turn,
    ) -> Step {
        match end {
            End::Broken if self.lease.is_to_stop() => {
                let partial = if said { vec![message] } else { Vec::new() };
                self.stop(partial).await
            }
            End::Broken => Ok(()),
            End::Failed(error) => {
                drop(episode);
                let partial = if said { vec![message] } else { Vec::new() };
                self.failed(error, partial).await
            }
            End::Done if reason == Some(FinishReason::ContentFilter) && !said => {
                self.give_up(
                    ChatErrorKind::ContentFilter,
                    "The model provider refused to answer this. Say it in another way.",
                )
                .await
            }
            End::Done if !said => {
                self.give_up(
                    ChatErrorKind::Generic,
                    "The model gave an empty answer. Send a message to try again.",
                )
                .await
            }
            End::Done => {
                if let Some(count) = &mut self.since_summary {
                    *count += 1;
                }
                self.too_long = false;
                let go_on = reason == Some(FinishReason::Pause);
                self.commit(vec![message], go_on, turn).await
            }
        }
    }
}

fn as_message(
    answer: Answer,
    whole: bool,
    model: &ModelInfo,
    took: Duration,
    price: impl FnOnce(&llm::Usage) -> Option<i64>,
) -> NewChatMessage {
    let usage = answer.usage;
    let known = usage != llm::Usage::default();
    let parts = if whole {
        answer.into_parts()
    } else {
        answer.into_partial()
    };
    let count = |n: u64| i64::try_from(n).ok().filter(|n| *n > 0);
    NewChatMessage {
        model_config_id: Some(model.id),
        usage: ChatMessageUsage {
            input_tokens: count(usage.input_tokens),
            output_tokens: count(usage.output_tokens),
            total_tokens: count(usage.total()),
            reasoning_tokens: count(usage.reasoning_tokens),
            cache_creation_tokens: count(usage.cache_write_tokens),
            cache_read_tokens: count(usage.cache_read_tokens),
            context_limit: Some(model.context_limit).filter(|limit| known && *limit > 0),
        },
        total_cost_micros: if known { price(&usage) } else { None },
        runtime_ms: i64::try_from(took.as_millis()).ok(),
        ..NewChatMessage::new(ChatMessageRole::Assistant, parts)
    }
}
