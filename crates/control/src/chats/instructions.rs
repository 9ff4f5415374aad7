//! What chats are told before their conversation: by their organization, and all of it for their owners
//! to read.

use api_types::{ChatInstruction, ChatInstructions, OrganizationChatPrompt};
use authz::{Subject, System};
use chat::generate::{PLAN_INSTRUCTIONS, USER_PROMPT};
use chat::prompt::{Surroundings, instructions};
use serde_json::json;
use store::{AuditAction, AuditDiff, AuditEntry, OrganizationRef, StoreError};
use uuid::Uuid;

use super::config::prompt;
use crate::{Control, Result};

impl Control {
    /// What an organization tells its chats; its members may know.
    pub async fn chat_organization_prompt_read(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
    ) -> Result<OrganizationChatPrompt> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?;
        let system_prompt = conn.chat_organization_prompt(who, &organization).await?;
        Ok(OrganizationChatPrompt { system_prompt })
    }

    /// Sets it, for chats that begin from now on.
    pub async fn chat_organization_prompt_set(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        request: &OrganizationChatPrompt,
    ) -> Result<OrganizationChatPrompt> {
        let text = prompt(&request.system_prompt)?;
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        let old = tx.chat_organization_prompt(who, &organization).await?;
        tx.chat_organization_prompt_set(who, &organization, text)
            .await?;
        let (kind, id) = ("chat_instruction_settings", organization.id);
        let entry = AuditEntry::new(AuditAction::Write, kind, id, &organization.name)
            .org(organization.id)
            .diff(AuditDiff::between(
                &json!({ "system_prompt": old }),
                &json!({ "system_prompt": text }),
                &["system_prompt"],
                &[],
            ));
        tx.audit(entry).await?;
        tx.commit().await?;
        Ok(OrganizationChatPrompt {
            system_prompt: text.to_owned(),
        })
    }

    /// What an organization tells a chat that begins.
    pub(super) async fn chat_organization_prompt(&self, organization: Uuid) -> Result<String> {
        let core = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        let which = OrganizationRef::Id(organization);
        let organization = conn.organization_read(&core, &which).await?;
        Ok(conn.chat_organization_prompt(&core, &organization).await?)
    }

    /// All that the model of a chat is told before the conversation. It holds the owner's own words, and
    /// is the owner's alone. What tools say of themselves is not in it.
    pub async fn chat_instructions(&self, who: &Subject, id: Uuid) -> Result<ChatInstructions> {
        let row = self.chat_of_owner(who, id, "read its instructions").await?;
        let conn = self.store().conn().await?;
        let messages = conn.chat_messages_for_model(id).await?;
        let told = conn.chat_context(id).await?;
        let skills = match conn.user_skill_list(who, row.owner_id).await {
            Err(StoreError::NotFound) => Vec::new(),
            read => read?,
        };
        drop(conn);
        let skills: Vec<(&str, &str)> = skills
            .iter()
            .map(|skill| (skill.name.as_str(), skill.description.as_str()))
            .collect();
        let own = self.chat_user_read(who, USER_PROMPT).await?;
        let plan = self.chat_site_read(PLAN_INSTRUCTIONS).await?;
        let around = Surroundings::new(&told, &skills, own.as_deref(), plan.as_deref());
        let all = instructions(&row, &messages, &around).into_iter();
        let instructions = all.map(|one| ChatInstruction {
            source: one.source,
            text: one.text,
        });
        Ok(ChatInstructions {
            instructions: instructions.collect(),
        })
    }
}
