//! One call: budget, record, key after key until one serves, and the answer on its way out.

use std::time::Instant;

use authz::Subject;
use chrono::Utc;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use llm::{Answer, Error, ErrorKind, Event, EventStream, Provider, Request};
use serde_json::json;
use std::sync::Arc;
use store::ai::Interception;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bound::bound_micros;
use crate::credentials::{Access, Candidate};
use crate::keys::exhausted;
use crate::models::ModelInfo;
use crate::record::{Facts, Record};
use crate::{Gateway, database};

/// How chats name themselves in records.
const CLIENT: &str = "Coder Agents";

/// In whose name and for what a model is called.
#[derive(Debug, Clone)]
pub struct ModelCall {
    /// Whose chat it is: pays, and may use keys of its own.
    pub owner: Subject,
    /// The chat.
    pub chat: Uuid,
    /// The chat above it.
    pub parent: Option<Uuid>,
    /// Its organization.
    pub organization: Uuid,
    /// Its workspace.
    pub workspace: Option<Uuid>,
    /// The model, as [`Gateway::model`] gave it.
    pub model: ModelInfo,
    /// What for: `turn`, `title`, `compaction`, …
    pub purpose: &'static str,
}

/// A call for which all is ready.
struct Ready {
    access: Access,
    record: Record,
    request: Request,
}

impl Gateway {
    /// Asks and streams the answer. The budget is checked before, usage is recorded at the end. Keys
    /// change only before the first event.
    pub fn stream(
        &self,
        call: ModelCall,
        request: Request,
        cancel: CancellationToken,
    ) -> EventStream {
        let gateway = self.clone();
        let begun = async move {
            match gateway.stream_begun(call, request, cancel).await {
                Ok(stream) => stream,
                Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
            }
        };
        stream::once(begun).flatten().boxed()
    }

    /// Asks for the whole answer at once.
    pub fn complete(
        &self,
        call: ModelCall,
        request: Request,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Answer, Error>> {
        let gateway = self.clone();
        Box::pin(async move {
            let mut ready = gateway.ready(&call, request).await?;
            let answer = gateway
                .each_key(&mut ready, |provider, request| {
                    provider.complete(request, cancel.clone())
                })
                .await;
            match &answer {
                Ok(answer) => {
                    ready.record.see_answer(answer);
                    ready.record.end(None).await;
                }
                Err(error) => ready.record.end(Some(error)).await,
            }
            answer
        })
    }

    async fn stream_begun(
        &self,
        call: ModelCall,
        request: Request,
        cancel: CancellationToken,
    ) -> Result<EventStream, Error> {
        let mut ready = self.ready(&call, request).await?;
        let first = self
            .each_key(&mut ready, |provider, request| {
                let mut stream = provider.stream(request, cancel.clone());
                Box::pin(async move {
                    match stream.next().await {
                        Some(Ok(event)) => Ok((event, stream)),
                        Some(Err(error)) => Err(error),
                        None => Err(Error::new(
                            ErrorKind::Timeout,
                            "The model provider sent no answer.",
                        )),
                    }
                })
            })
            .await;
        let mut record = ready.record;
        let (event, rest) = match first {
            Ok(first) => first,
            Err(error) => {
                record.end(Some(&error)).await;
                return Err(error);
            }
        };
        let all = stream::once(std::future::ready(Ok(event))).chain(rest);
        let recorded = stream::unfold((all, record), |(mut all, mut record)| async move {
            let next = all.next().await?;
            match &next {
                Ok(event) => {
                    record.see(event);
                    if matches!(event, Event::Finish { .. }) {
                        record.end(None).await;
                    }
                }
                Err(error) => record.end(Some(error)).await,
            }
            Some((next, (all, record)))
        });
        Ok(recorded.boxed())
    }

    /// Checks what must hold before a call, and begins its record.
    async fn ready(&self, call: &ModelCall, mut request: Request) -> Result<Ready, Error> {
        let inner = &self.inner;
        if !inner.options.enabled {
            return Err(Error::new(
                ErrorKind::ProviderDisabled,
                "Calls of models are disabled for this deployment.",
            ));
        }
        let user = call.owner.user_id().ok_or_else(|| {
            Error::new(
                ErrorKind::Generic,
                "Models are called in the name of users only.",
            )
        })?;
        let conn = inner.store.conn().await.map_err(database)?;
        let budget = inner.within_budget(&conn, user, call.organization).await?;
        let access = inner
            .access(&conn, call.model.provider_id, Some(user))
            .await?;
        let model = &call.model;
        let prices = conn
            .ai_price_read(&inner.who, &model.provider, &model.model)
            .await
            .map_err(database)?
            .map(|price| price.prices());
        inner.prices.remember(&model.provider, &model.model, prices);
        let mut facts = Facts::new(Uuid::new_v4(), user, &access.provider_name, &model.model);
        facts.group = budget.map(|budget| budget.group_id);
        let limited = budget.is_some_and(|budget| budget.limit.is_some());
        facts.limited_in = limited.then_some(call.organization);
        facts.prices = prices;
        facts.purpose = call.purpose;
        let first = access.candidates.first();
        let begun = Interception {
            id: facts.id,
            initiator: user,
            organization: Some(call.organization),
            provider: &model.provider,
            provider_name: &access.provider_name,
            model: &model.model,
            client: CLIENT,
            session: Some(call.parent.unwrap_or(call.chat).to_string()),
            metadata: json!({
                "chat_id": call.chat,
                "workspace_id": call.workspace,
                "model_config_id": model.id,
                "purpose": call.purpose,
            }),
            own_key: first.is_some_and(|c| c.own),
            key_hint: first.map_or("", |c| c.hint.as_str()),
            started_at: Utc::now(),
        };
        let bound = prices.filter(|_| limited).map_or(0, |prices| {
            bound_micros(&prices, &request, model.context_limit)
        });
        if bound > 0 {
            // One connection at a time: with all lent, each would wait for the other.
            drop(conn);
            inner.begin_within(&begun, call.organization, bound).await?;
        } else {
            conn.interception_begin(&inner.who, &begun)
                .await
                .map_err(database)?;
        }
        request.model.clone_from(&model.model);
        headers(call, user, &mut request);
        Ok(Ready {
            access,
            record: Record::new(self.clone(), facts),
            request,
        })
    }

    /// Tries one credential after the other until one is not held against.
    async fn each_key<T>(
        &self,
        ready: &mut Ready,
        ask: impl Fn(Arc<dyn Provider>, Request) -> BoxFuture<'static, Result<T, Error>>,
    ) -> Result<T, Error> {
        let inner = &self.inner;
        let provider_type = ready.access.provider_type.as_str();
        let name = ready.access.provider_name.clone();
        let candidates = std::mem::take(&mut ready.access.candidates);
        // With one key there is nothing to spare it for: the caller's own patience decides.
        let pool = candidates.len() > 1;
        let mut against = Vec::new();
        for Candidate {
            key,
            own,
            hint,
            credential,
        } in candidates
        {
            let pooled = key.filter(|_| pool);
            if let Some(key) = pooled
                && let Err(rest) = inner.keys.check(key, Instant::now())
            {
                against.push(rest);
                continue;
            }
            let endpoint = ready.access.endpoint(credential);
            let provider = llm::connect(&inner.http, endpoint, &ready.request)?;
            ready.record.facts.key = Some((hint, own));
            let error = match ask(provider, ready.request.clone()).await {
                Ok(answer) => {
                    if let Some(key) = pooled {
                        inner.keys.served(key);
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let Some(key) = pooled else {
                return Err(error);
            };
            if !inner.keys.mark(key, &error, Instant::now()) {
                return Err(error);
            }
            inner.metrics.key_failover(&name);
            tracing::warn!(provider = %name, %key, kind = error.kind.as_str(), "a key of a model provider rests");
            if let Err(rest) = inner.keys.check(key, Instant::now()) {
                against.push(rest);
            }
        }
        inner.metrics.keys_exhausted(&name);
        Err(exhausted(provider_type, &against))
    }
}

/// Headers by which a provider (or a proxy before it) may tell chats apart.
fn headers(call: &ModelCall, user: Uuid, request: &mut Request) {
    let mut add = |name: &'static str, id: Uuid| request.headers.push((name, id.to_string()));
    add("x-coder-owner-id", user);
    add("x-coder-chat-id", call.parent.unwrap_or(call.chat));
    if call.parent.is_some() {
        add("x-coder-subchat-id", call.chat);
    }
    if let Some(workspace) = call.workspace {
        add("x-coder-workspace-id", workspace);
    }
}
