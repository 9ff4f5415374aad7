//! Chats and builds of their workspaces.

use authz::{Action, Subject, authorize};
use uuid::Uuid;

use super::ChatRow;
use crate::{Result, Tx};

impl Tx {
    /// Attaches a chat to a workspace, if it is not, and to a build of it; the agent is found
    /// anew.
    pub async fn chat_build_set(
        &self,
        who: &Subject,
        chat: &ChatRow,
        workspace: Uuid,
        build: Uuid,
    ) -> Result<()> {
        authorize(who, Action::Update, &chat.object())?;
        if chat.workspace_id != Some(workspace) {
            self.chat_workspace_set(who, chat, Some(workspace)).await?;
        }
        let sql = "UPDATE chats SET build_id = $3, agent_id = NULL, updated_at = now() \
                   WHERE id = $1 AND workspace_id = $2";
        self.execute(sql, &[&chat.id, &workspace, &build]).await?;
        Ok(())
    }
}
