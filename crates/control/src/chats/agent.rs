//! The agent of a chat's workspace, for what people do there through the chat: following its
//! repositories, sending files. Who does it must be allowed to open a shell there.

use api_types::Chat;
use authz::{Action, Subject};
use chat::tools::agent::{AgentFacts, AgentStatus, select};
use store::StoreError;
use uuid::Uuid;

use super::shown;
use crate::{Control, Error, Result};

/// Refusals, of which clients know the words.
mod words {
    pub(super) const NO_WORKSPACE: &str = "Chat has no workspace to watch.";
    pub(super) const NOT_FOUND: &str = "Chat workspace not found.";
    pub(super) const NO_AGENT: &str = "No eligible agent found for chat workspace.";
}

impl Control {
    /// The agent of a chat's workspace, which is connected.
    ///
    /// # Errors
    /// 400 with a text that clients recognise if there is none, 403 for who may open no shell and no
    /// app there.
    pub async fn chat_agent(&self, who: &Subject, id: Uuid) -> Result<(Chat, Uuid)> {
        let conn = self.store().conn().await?;
        let row = conn.chat_read(who, id).await?;
        let Some(workspace) = row.workspace_id else {
            return Err(Error::invalid(words::NO_WORKSPACE));
        };
        let found = match conn.workspace_read(who, workspace).await {
            Ok(found) if !found.deleted => found,
            Ok(_) | Err(StoreError::NotFound) => return Err(Error::invalid(words::NOT_FOUND)),
            Err(error) => return Err(error.into()),
        };
        let object = found.object();
        who.may(Action::Ssh, &object)
            .or_else(|_| who.may(Action::ApplicationConnect, &object))
            .map_err(|_| Error::forbidden("You may not connect to the chat's workspace."))?;
        let agents = conn.chat_agents_latest(who, workspace).await?;
        let agents: Vec<AgentFacts> = agents.into_iter().map(AgentFacts::from).collect();
        let agent = select(&agents)
            .map_err(|error| Error::invalid(words::NO_AGENT).with_detail(error.to_string()))?;
        if agent.status != AgentStatus::Connected {
            return Err(Error::invalid(format!(
                "Agent state is {:?}, it must be in the \"connected\" state.",
                agent.status.name()
            )));
        }
        Ok((shown(&row), agent.id))
    }

    /// The agent to which the owner of a chat sends a file for it.
    ///
    /// # Errors
    /// As for [`Control::chat_agent`]; 403 for others than the owner, 400 if the chat is archived.
    pub async fn chat_file_agent(&self, who: &Subject, id: Uuid) -> Result<(Chat, Uuid)> {
        let row = self.chat_of_owner(who, id, "send files").await?;
        if row.archived {
            return Err(Error::invalid("Cannot send files to an archived chat."));
        }
        self.chat_agent(who, id).await
    }
}
