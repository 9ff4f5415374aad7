//! What a turn knows of its workspace: the chat is bound to an agent as soon as there is one, so
//! that what that agent told is known from the first turn on.

use client::agent_api::AgentApi;
use llm::Error;
use store::StoreError;
use store::chats::{ChatContextRows, ChatRow};

use super::Runner;
use super::prepare::internal;
use crate::tools::agent::Connector;

impl Runner {
    /// What the workspace told. Nothing without one, or before its agent came.
    pub(super) async fn told(
        &self,
        chat: &ChatRow,
        connector: &dyn Connector<AgentApi>,
    ) -> Result<ChatContextRows, Error> {
        let Some(workspace) = chat.workspace_id else {
            return Ok(ChatContextRows::default());
        };
        if chat.agent_id.is_none()
            && let Ok(agent) = connector.latest(workspace).await
            && let Err(error) = connector.bind(workspace, &agent).await
        {
            // The turn needs no workspace to begin; a tool that does will say what is wrong.
            tracing::debug!(error, chat = %chat.id, "chats: not bound to the workspace's agent yet");
        }
        let store = self.lease.shared.parts.machine.store();
        let read = async { store.conn().await?.chat_context(chat.id).await };
        read.await.map_err(|error: StoreError| internal(error))
    }
}
