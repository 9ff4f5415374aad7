//! Models as chats see them, by the gateway.

use authz::Subject;
use chat::models::{Call, ModelChoice, ModelInfo, Models, Purpose};
use control::Control;
use futures::future::BoxFuture;
use gateway::{Gateway, ModelCall};
use llm::{Answer, Error, ErrorKind, EventStream, Request, Usage};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) struct GatewayModels {
    control: Control,
    gateway: Gateway,
}

impl GatewayModels {
    pub(super) fn new(control: Control, gateway: Gateway) -> Self {
        GatewayModels { control, gateway }
    }
}

fn info(model: gateway::ModelInfo) -> ModelInfo {
    ModelInfo {
        id: model.id,
        organization_id: model.organization_id,
        provider_id: model.provider_id,
        provider: model.provider,
        model: model.model,
        display_name: model.display_name,
        context_limit: model.context_limit,
        compression_threshold: model.compression_threshold,
        options: model.options,
    }
}

fn call(call: Call) -> ModelCall {
    let model = call.model;
    ModelCall {
        owner: call.owner,
        chat: call.chat,
        parent: call.parent,
        organization: call.organization,
        workspace: call.workspace,
        model: gateway::ModelInfo {
            id: model.id,
            organization_id: model.organization_id,
            provider_id: model.provider_id,
            provider: model.provider,
            model: model.model,
            display_name: model.display_name,
            context_limit: model.context_limit,
            compression_threshold: model.compression_threshold,
            options: model.options,
        },
        purpose: match call.purpose {
            Purpose::Turn => "turn",
            Purpose::Title => "title",
            Purpose::Label => "label",
            Purpose::Compaction => "compaction",
            Purpose::Advisor => "advisor",
        },
    }
}

impl Models for GatewayModels {
    fn model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
        id: Uuid,
    ) -> BoxFuture<'a, Result<ModelInfo, Error>> {
        Box::pin(async move { Ok(info(self.gateway.model(owner, organization, id).await?)) })
    }

    fn list<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
    ) -> BoxFuture<'a, Result<Vec<ModelChoice>, Error>> {
        Box::pin(async move {
            let organization = store::OrganizationRef::Id(organization);
            let all = self.control.chat_model_list(owner, &organization).await;
            let all = all.map_err(|error| Error::new(ErrorKind::Generic, error.message))?;
            let provider = |id: Uuid| {
                all.providers
                    .iter()
                    .find(|provider| provider.id == id && provider.available)
            };
            // Those who manage models see disabled ones too: they cannot be chosen.
            let usable = all.models.iter().filter(|model| model.enabled);
            Ok(usable
                .filter_map(|model| {
                    Some(ModelChoice {
                        model_config_id: model.id,
                        display_name: model.display_name.clone(),
                        model: model.model.clone(),
                        provider: provider(model.ai_provider_id)?.provider.clone(),
                        context_limit: model.context_limit,
                        is_default: model.is_default,
                        reasoning_efforts: model.reasoning_efforts.clone(),
                    })
                })
                .collect())
        })
    }

    fn default_model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
    ) -> BoxFuture<'a, Result<Option<ModelInfo>, Error>> {
        Box::pin(async move {
            // A setting that cannot be read allows nothing.
            let personal = self
                .control
                .chat_personal_models_allowed()
                .await
                .unwrap_or(false);
            let root = gateway::Purpose::Root;
            let chosen = self
                .gateway
                .override_model(owner, organization, root, personal)
                .await?;
            if let Some((model, _)) = chosen {
                return Ok(Some(info(model)));
            }
            let model = self.gateway.default_model(owner, organization).await?;
            Ok(model.map(info))
        })
    }

    fn helper_model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
        explores: bool,
    ) -> BoxFuture<'a, Result<Option<(ModelInfo, Option<String>)>, Error>> {
        Box::pin(async move {
            // A setting that cannot be read allows nothing.
            let personal = self
                .control
                .chat_personal_models_allowed()
                .await
                .unwrap_or(false);
            let purpose = if explores {
                gateway::Purpose::Explore
            } else {
                gateway::Purpose::General
            };
            let chosen = self
                .gateway
                .override_model(owner, organization, purpose, personal)
                .await?;
            Ok(chosen.map(|(model, effort)| (info(model), effort.map(|e| e.as_str().to_owned()))))
        })
    }

    fn side_model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
        purpose: Purpose,
    ) -> BoxFuture<'a, Result<Option<(ModelInfo, Option<String>)>, Error>> {
        let purpose = match purpose {
            Purpose::Turn => return Box::pin(std::future::ready(Ok(None))),
            Purpose::Title | Purpose::Label => gateway::Purpose::TitleGeneration,
            Purpose::Compaction => gateway::Purpose::Compaction,
            Purpose::Advisor => gateway::Purpose::Advisor,
        };
        Box::pin(async move {
            // Nobody chooses these for itself.
            let chosen = self
                .gateway
                .override_model(owner, organization, purpose, false)
                .await?;
            Ok(chosen.map(|(model, effort)| (info(model), effort.map(|e| e.as_str().to_owned()))))
        })
    }

    fn stream(&self, asked: Call, request: Request, cancel: CancellationToken) -> EventStream {
        self.gateway.stream(call(asked), request, cancel)
    }

    fn complete(
        &self,
        asked: Call,
        request: Request,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Answer, Error>> {
        self.gateway.complete(call(asked), request, cancel)
    }

    fn price(&self, model: &ModelInfo, usage: &Usage) -> Option<i64> {
        self.gateway.price(&model.provider, &model.model, usage)
    }
}
