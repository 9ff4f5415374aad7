//! A model whose every word the test says.

use authz::Subject;
use chat::models::{Call, ModelChoice, ModelInfo, Models, Purpose};
use futures::future::BoxFuture;
use llm::{Answer, Error, ErrorKind, Event, EventStream, FinishReason, Request, ToolCall, Usage};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The model of helpers that only look.
pub const EXPLORER: Uuid = Uuid::from_u128(7);

/// A call of the model that the test answers.
pub struct Asked {
    pub request: Request,
    pub call: Call,
    pub reply: mpsc::UnboundedSender<Result<Event, Error>>,
}

impl Asked {
    pub fn event(&self, event: Event) {
        let _ = self.reply.send(Ok(event));
    }

    pub fn text(&self, text: &str) {
        self.event(Event::TextDelta { text: text.into() });
    }

    pub fn finish(self) {
        self.event(Event::Usage(Usage {
            input_tokens: 10,
            output_tokens: 5,
            ..Usage::default()
        }));
        self.event(Event::Finish {
            reason: FinishReason::Stop,
            provider_response_id: String::new(),
        });
    }

    pub fn say(self, text: &str) {
        self.text(text);
        self.finish();
    }

    pub fn tools(self, calls: &[(&str, &str, Value)]) {
        for (id, name, args) in calls {
            self.event(Event::ToolCallEnd(ToolCall {
                id: (*id).into(),
                name: (*name).into(),
                args: args.to_string(),
                provider_executed: false,
                metadata: llm::Metadata::default(),
            }));
        }
        self.finish();
    }

    pub fn fail(self, error: Error) {
        let _ = self.reply.send(Err(error));
    }

    /// The tools that the model may call.
    pub fn tool_names(&self) -> Vec<String> {
        self.request
            .tools
            .iter()
            .map(|tool| tool.name.clone())
            .collect()
    }

    /// All that the model was told, as text.
    pub fn told(&self) -> String {
        let messages = self.request.messages.iter();
        messages.flat_map(llm::Message::texts).collect()
    }

    /// The last thing the model was told, as text.
    pub fn last_text(&self) -> String {
        let last = self.request.messages.last().expect("a message");
        last.texts().collect::<Vec<_>>().join("\n")
    }
}

/// A summary that is waited for in vain.
pub(super) const NEVER: &str = "never";

/// A model that asks the test for all that it says.
pub(super) struct Script {
    pub(super) asked: mpsc::UnboundedSender<Asked>,
    pub(super) summary: parking_lot::Mutex<Option<String>>,
    /// What was to be summarized.
    pub(super) summarized: parking_lot::Mutex<Vec<Request>>,
    pub(super) context_limit: i64,
}

impl Models for Script {
    fn model<'a>(
        &'a self,
        _: &'a Subject,
        _: Uuid,
        id: Uuid,
    ) -> BoxFuture<'a, Result<ModelInfo, Error>> {
        Box::pin(async move {
            if id.is_nil() {
                return Err(Error::new(ErrorKind::Config, "no such model"));
            }
            Ok(ModelInfo {
                id,
                organization_id: Uuid::nil(),
                provider_id: Uuid::nil(),
                provider: "openai".into(),
                model: "scripted".into(),
                display_name: "Scripted".into(),
                context_limit: self.context_limit,
                compression_threshold: 70,
                options: llm::CallOptions::default(),
            })
        })
    }

    fn list<'a>(
        &'a self,
        _: &'a Subject,
        _: Uuid,
    ) -> BoxFuture<'a, Result<Vec<ModelChoice>, Error>> {
        Box::pin(async {
            Ok(vec![ModelChoice {
                model_config_id: EXPLORER,
                display_name: "Explorer".into(),
                model: "scripted".into(),
                provider: "openai".into(),
                context_limit: self.context_limit,
                is_default: false,
                reasoning_efforts: vec!["low".into(), "high".into()],
            }])
        })
    }

    fn default_model<'a>(
        &'a self,
        _: &'a Subject,
        _: Uuid,
    ) -> BoxFuture<'a, Result<Option<ModelInfo>, Error>> {
        Box::pin(async { Ok(None) })
    }

    fn helper_model<'a>(
        &'a self,
        owner: &'a Subject,
        _: Uuid,
        explores: bool,
    ) -> BoxFuture<'a, Result<Option<(ModelInfo, Option<String>)>, Error>> {
        Box::pin(async move {
            if !explores {
                return Ok(None);
            }
            let model = self.model(owner, Uuid::nil(), EXPLORER);
            Ok(Some((model.await?, Some("low".to_owned()))))
        })
    }

    fn stream(&self, call: Call, request: Request, _: CancellationToken) -> EventStream {
        let (reply, events) = mpsc::unbounded_channel();
        let _ = self.asked.send(Asked {
            request,
            call,
            reply,
        });
        Box::pin(futures::stream::unfold(events, |mut events| async {
            Some((events.recv().await?, events))
        }))
    }

    fn complete(
        &self,
        call: Call,
        request: Request,
        _: CancellationToken,
    ) -> BoxFuture<'static, Result<Answer, Error>> {
        let text = match call.purpose {
            Purpose::Compaction => {
                self.summarized.lock().push(request);
                self.summary.lock().clone()
            }
            _ => None,
        };
        Box::pin(async move {
            if text.as_deref() == Some(NEVER) {
                return std::future::pending().await;
            }
            let text = text.ok_or_else(|| Error::new(ErrorKind::Generic, "not scripted"))?;
            Ok(Answer {
                parts: vec![llm::Part::text(text)],
                usage: Usage::default(),
                reason: FinishReason::Stop,
                provider_response_id: String::new(),
            })
        })
    }

    fn price(&self, _: &ModelInfo, usage: &Usage) -> Option<i64> {
        Some((usage.total() * 2) as i64)
    }
}
