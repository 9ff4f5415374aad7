//! Which model serves which purpose, for an organization and for its members.

use api_types::{
    ChatModelOverride, ChatModelOverrides, UserChatModelOverride, UserChatModelOverrides,
};
use authz::{Action, Object, ResourceType, Subject};
use llm::ReasoningEffort;
use serde_json::json;
use store::ai::{OverrideFields, UserOverrideFields};
use store::{AuditAction, AuditDiff, AuditEntry, Conn, OrganizationRef, UserRef};
use uuid::Uuid;

use crate::{Control, Error, Result};

/// Purposes of organizations.
const CONTEXTS: &[&str] = &[
    "general",
    "explore",
    "title_generation",
    "compaction",
    "advisor",
];
/// Purposes of members.
const USER_CONTEXTS: &[&str] = &["root", "general", "explore"];
impl Control {
    /// The models of an organization by purpose; those that are not set are listed without a model.
    pub async fn chat_model_override_list(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
    ) -> Result<ChatModelOverrides> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?.id;
        let rows = conn.chat_model_overrides(who, organization).await?;
        Ok(ChatModelOverrides {
            overrides: CONTEXTS.iter().map(|c| shown(c, &rows)).collect(),
        })
    }

    /// Sets the model of a purpose; an empty id takes it away.
    pub async fn chat_model_override_set(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        context: &str,
        request: ChatModelOverride,
    ) -> Result<ChatModelOverride> {
        known(context, CONTEXTS)?;
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        let all = Object::new(ResourceType::ChatModelConfig).org(organization.id);
        who.may(Action::Update, &all)?;
        let effort = effort(request.reasoning_effort.as_deref())?;
        let model = model(&tx, who, organization.id, &request.model_config_id).await?;
        let old = tx.chat_model_overrides(who, organization.id).await?;
        let set = model.map(|id| (id, effort));
        tx.chat_model_override_set(who, organization.id, context, set)
            .await?;
        let new = tx.chat_model_overrides(who, organization.id).await?;
        let diff = AuditDiff::between(
            &json!(shown(context, &old)),
            &json!(shown(context, &new)),
            &["model_config_id", "reasoning_effort"],
            &[],
        );
        let entry = AuditEntry::new(
            AuditAction::Write,
            "chat_model_config",
            model.unwrap_or_default(),
            context,
        );
        tx.audit(entry.org(organization.id).diff(diff)).await?;
        tx.commit().await?;
        Ok(shown(context, &new))
    }

    /// What a member chose.
    pub async fn user_chat_model_override_list(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        which: &UserRef,
    ) -> Result<UserChatModelOverrides> {
        let enabled = self.chat_personal_models_allowed().await?;
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?.id;
        let user = conn.user_read(who, which).await?;
        let rows = conn
            .user_chat_model_overrides(who, organization, user.id)
            .await?;
        let general = conn.chat_model_overrides(who, organization).await?;
        let own = |context: &str| {
            let row = rows.iter().find(|row| row.context == context);
            let usual = if context == "root" {
                "chat_default"
            } else {
                "deployment_default"
            };
            UserChatModelOverride {
                context: context.to_owned(),
                mode: row.map_or(usual, |row| &row.mode).to_owned(),
                model_config_id: id_text(row.and_then(|row| row.model_config_id)),
                reasoning_effort: row.and_then(|row| row.reasoning_effort.clone()),
            }
        };
        Ok(UserChatModelOverrides {
            enabled,
            root: own("root"),
            general: own("general"),
            explore: own("explore"),
            deployment_defaults: ["general", "explore"]
                .iter()
                .map(|context| shown(context, &general))
                .collect(),
        })
    }

    /// Sets what a member chose for a purpose.
    pub async fn user_chat_model_override_set(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        which: &UserRef,
        context: &str,
        request: UserChatModelOverride,
    ) -> Result<()> {
        known(context, USER_CONTEXTS)?;
        if !self.chat_personal_models_allowed().await? {
            return Err(Error::forbidden(
                "Personal model overrides are disabled. An administrator can allow them.",
            ));
        }
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?.id;
        let user = tx.user_read(who, which).await?;
        let id = match request.mode.as_str() {
            "deployment_default" if context == "root" => {
                return Err(Error::invalid(
                    "The mode of root must be chat_default or model.",
                ));
            }
            "deployment_default" | "chat_default" => None,
            "model" => Some(
                model(&tx, who, organization, &request.model_config_id)
                    .await?
                    .ok_or_else(|| Error::invalid("The mode model needs a model_config_id."))?,
            ),
            _ => {
                return Err(Error::invalid(
                    "The mode must be deployment_default, chat_default or model.",
                ));
            }
        };
        let chosen = UserOverrideFields {
            context: context.to_owned(),
            mode: request.mode,
            model_config_id: id,
            reasoning_effort: effort(request.reasoning_effort.as_deref())?.map(str::to_owned),
        };
        tx.user_chat_model_override_set(who, organization, user.id, &chosen)
            .await?;
        Ok(tx.commit().await?)
    }
}

fn known(context: &str, contexts: &[&str]) -> Result<()> {
    if contexts.contains(&context) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Unknown model override context. Known are {}.",
        contexts.join(", ")
    )))
}

fn effort(text: Option<&str>) -> Result<Option<&str>> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) if ReasoningEffort::parse(text).is_none() => Err(Error::invalid(
            "reasoning_effort must be none, minimal, low, medium, high, xhigh or max.",
        )),
        other => Ok(other),
    }
}

/// The model of this id, which must be enabled and readable; none for an empty text.
async fn model(conn: &Conn, who: &Subject, organization: Uuid, id: &str) -> Result<Option<Uuid>> {
    if id.is_empty() {
        return Ok(None);
    }
    let wrong = || Error::invalid("The model is not available in this organization.");
    let id: Uuid = id.parse().map_err(|_| wrong())?;
    let row = conn.chat_model_read(who, id).await.map_err(|_| wrong())?;
    if row.organization_id != organization || !row.enabled {
        return Err(wrong());
    }
    Ok(Some(id))
}

fn id_text(id: Option<Uuid>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn shown(context: &str, rows: &[OverrideFields]) -> ChatModelOverride {
    let row = rows.iter().find(|row| row.context == context);
    ChatModelOverride {
        context: context.to_owned(),
        model_config_id: id_text(row.map(|row| row.model_config_id)),
        reasoning_effort: row.and_then(|row| row.reasoning_effort.clone()),
    }
}
