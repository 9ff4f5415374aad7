//! What chats of an organization are told by it.

use authz::{Action, Subject};

use crate::conn::Conn;
use crate::organizations::OrganizationRow;
use crate::{Result, StoreError, Tx};

impl Conn {
    /// The prompt of an organization; empty if it has none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for who may not read the organization.
    pub async fn chat_organization_prompt(
        &self,
        who: &Subject,
        organization: &OrganizationRow,
    ) -> Result<String> {
        who.may(Action::Read, &organization.object())
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT prompt FROM organization_chat_prompts WHERE organization_id = $1";
        let row = self.query_opt(sql, &[&organization.id]).await?;
        let prompt: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
        Ok(prompt.unwrap_or_default())
    }
}

impl Tx {
    /// Sets it; an empty one takes it away.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_organization_prompt_set(
        &self,
        who: &Subject,
        organization: &OrganizationRow,
        prompt: &str,
    ) -> Result<()> {
        who.may(Action::Update, &organization.object())?;
        let sql = "INSERT INTO organization_chat_prompts (organization_id, prompt) VALUES ($1, $2) \
                   ON CONFLICT (organization_id) DO UPDATE \
                   SET prompt = excluded.prompt, updated_at = now()";
        self.execute(sql, &[&organization.id, &prompt]).await?;
        Ok(())
    }
}
