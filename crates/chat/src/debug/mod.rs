//! Debug logs: what a chat's models were asked and answered, kept where its owner (or the deployment)
//! wants it.
//!
//! [`Recorded`] stands between chats and models and writes steps beside the calls that pass through
//! it. It never fails a call: what cannot be written is said in the server's log alone.

mod normal;
mod redact;
mod settings;
mod step;

use std::sync::Arc;

use authz::{Subject, System};
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use llm::{Answer, Error, EventStream, Request, Usage};
use store::Store;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use settings::{ALLOW_USERS, ENABLED};

use crate::models::{Call, Chosen, ModelChoice, ModelInfo, Models, Purpose};
use settings::Settings;
use step::Step;

/// Models whose calls are recorded for those who keep debug logs.
pub struct Recorded {
    models: Arc<dyn Models>,
    recorder: Recorder,
}

/// What is needed to record.
#[derive(Clone)]
struct Recorder {
    store: Store,
    who: Subject,
    settings: Arc<Settings>,
}

impl Recorded {
    /// Records calls of `models`: of every chat where the deployment `forces` it, else of the chats
    /// of those who switched it on, as far as they may.
    pub fn new(models: Arc<dyn Models>, store: Store, forces: bool) -> Self {
        Recorded {
            models,
            recorder: Recorder {
                store,
                who: Subject::system(System::Chats),
                settings: Arc::new(Settings::new(forces)),
            },
        }
    }
}

impl Recorder {
    /// Begins to record a call, if that is wanted.
    async fn begin(&self, call: &Call, request: &mut Request, operation: &str) -> Option<Step> {
        let begun = async {
            if !self.settings.wanted(&self.store, &self.who, call).await? {
                return Ok(None);
            }
            Step::begin(self, call, request, operation).await.map(Some)
        };
        begun.await.unwrap_or_else(|error: store::StoreError| {
            tracing::warn!(%error, chat = %call.chat, "chats: no debug log of a call");
            None
        })
    }
}

/// Name of the kind of run.
fn kind(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Turn => "chat_turn",
        Purpose::Title => "title_generation",
        Purpose::Label | Purpose::Advisor => "quickgen",
        Purpose::Compaction => "compaction",
    }
}

impl Models for Recorded {
    fn model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
        id: Uuid,
    ) -> BoxFuture<'a, Result<ModelInfo, Error>> {
        self.models.model(owner, organization, id)
    }

    fn list<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
    ) -> BoxFuture<'a, Result<Vec<ModelChoice>, Error>> {
        self.models.list(owner, organization)
    }

    fn default_model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
    ) -> BoxFuture<'a, Result<Option<ModelInfo>, Error>> {
        self.models.default_model(owner, organization)
    }

    fn helper_model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
        explores: bool,
    ) -> BoxFuture<'a, Result<Option<Chosen>, Error>> {
        self.models.helper_model(owner, organization, explores)
    }

    fn side_model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
        purpose: Purpose,
    ) -> BoxFuture<'a, Result<Option<Chosen>, Error>> {
        self.models.side_model(owner, organization, purpose)
    }

    fn stream(&self, call: Call, mut request: Request, cancel: CancellationToken) -> EventStream {
        let (models, recorder) = (self.models.clone(), self.recorder.clone());
        let begun = async move {
            let step = recorder.begin(&call, &mut request, "stream").await;
            let answer = models.stream(call, request, cancel);
            match step {
                Some(step) => step.watch(answer),
                None => answer,
            }
        };
        stream::once(begun).flatten().boxed()
    }

    fn complete(
        &self,
        call: Call,
        mut request: Request,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Answer, Error>> {
        let (models, recorder) = (self.models.clone(), self.recorder.clone());
        Box::pin(async move {
            let step = recorder.begin(&call, &mut request, "generate").await;
            let answer = models.complete(call, request, cancel).await;
            if let Some(mut step) = step {
                match &answer {
                    Ok(answer) => step.answered(answer).await,
                    Err(error) => step.failed(error).await,
                }
            }
            answer
        })
    }

    fn price(&self, model: &ModelInfo, usage: &Usage) -> Option<i64> {
        self.models.price(model, usage)
    }
}
