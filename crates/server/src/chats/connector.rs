//! The way of a chat's tools into its workspace: over the tunnel, in the owner's name. Rights
//! are asked anew before each dial.

use authz::{Action, Subject};
use chat::tools::agent::{AgentFacts, Binding, Connector, SelectError, select};
use chat::tools::changes::{Changes, silence};
use client::agent_api::{AgentApi, PORT};
use control::Control;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use store::StoreError;
use store::chats::ChatRow;
use store::workspaces::WORKSPACE_CHANGED;
use uuid::Uuid;

use crate::Tailnet;

pub(super) struct AgentConnector {
    pub(super) control: Control,
    pub(super) tailnet: Tailnet,
    pub(super) owner: Subject,
    pub(super) chat: ChatRow,
}

fn words(error: StoreError) -> String {
    match error {
        StoreError::NotFound => {
            "The workspace or its agent is gone, or the chat's owner may not use it any more."
                .to_owned()
        }
        error => error.to_string(),
    }
}

/// Word of changes of workspaces. Without the database there is none, and what waits looks by itself.
pub(super) async fn changes(control: &Control) -> Changes {
    match control.store().listen(WORKSPACE_CHANGED).await {
        Ok(listener) => futures::stream::unfold(listener, |mut listener| async move {
            // What is no id says that something may have been missed.
            let id = listener.recv().await.parse().ok();
            Some((id, listener))
        })
        .boxed(),
        Err(error) => {
            tracing::debug!(%error, "chats: no word of changes of workspaces");
            silence()
        }
    }
}

impl Connector<AgentApi> for AgentConnector {
    fn binding(&self) -> BoxFuture<'_, Result<Option<Binding>, String>> {
        Box::pin(async {
            let conn = self.control.store().conn().await.map_err(words)?;
            let row = conn.chat_read(&self.owner, self.chat.id).await;
            let row = row.map_err(words)?;
            Ok(row.workspace_id.map(|workspace| Binding {
                workspace,
                agent: row.agent_id,
            }))
        })
    }

    fn agent(&self, id: Uuid) -> BoxFuture<'_, Result<AgentFacts, String>> {
        Box::pin(async move {
            let conn = self.control.store().conn().await.map_err(words)?;
            let row = conn.chat_agent(&self.owner, id).await.map_err(words)?;
            Ok(row.into())
        })
    }

    fn latest(&self, workspace: Uuid) -> BoxFuture<'_, Result<AgentFacts, SelectError>> {
        Box::pin(async move {
            let other = |error| SelectError::Other(words(error));
            let conn = self.control.store().conn().await.map_err(other)?;
            let rows = conn.chat_agents_latest(&self.owner, workspace).await;
            let agents: Vec<AgentFacts> = rows
                .map_err(other)?
                .into_iter()
                .map(AgentFacts::from)
                .collect();
            select(&agents).cloned()
        })
    }

    fn is_external(&self, agent: Uuid) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async move {
            let conn = self.control.store().conn().await.map_err(words)?;
            let row = conn.chat_agent(&self.owner, agent).await.map_err(words)?;
            Ok(row.is_external)
        })
    }

    fn changes(&self) -> BoxFuture<'_, Changes> {
        Box::pin(changes(&self.control))
    }

    fn bind<'a>(
        &'a self,
        workspace: Uuid,
        agent: &'a AgentFacts,
    ) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            let tx = self.control.store().begin(&self.owner).await;
            let tx = tx.map_err(words)?;
            let bound = tx
                .chat_agent_set(&self.owner, &self.chat, workspace, agent.build, agent.id)
                .await
                .map_err(words)?;
            tx.commit().await.map_err(words)?;
            Ok(bound)
        })
    }

    fn dial(&self, agent: Uuid) -> BoxFuture<'static, Result<AgentApi, String>> {
        let (control, tailnet, owner) = (
            self.control.clone(),
            self.tailnet.clone(),
            self.owner.clone(),
        );
        let (chat, parent) = (self.chat.id, self.chat.parent_chat_id);
        Box::pin(async move {
            let conn = control.store().conn().await.map_err(words)?;
            conn.workspace_agent_check(&owner, Action::Ssh, agent)
                .await
                .map_err(words)?;
            drop(conn);
            let held = tailnet.acquire(agent);
            // As often as the chat's own patience allows: it ends this.
            loop {
                match held.dial_tcp(PORT).await {
                    Ok(_) => break,
                    Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
            let api = AgentApi::new(move || {
                let held = held.clone();
                async move { held.dial_tcp(PORT).await }
            });
            let ancestors: Vec<Uuid> = parent.into_iter().collect();
            Ok(api.for_chat(chat, &ancestors))
        })
    }

    fn lifecycle(&self, agent: Uuid) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async move {
            let conn = self.control.store().conn().await.map_err(words)?;
            let row = conn.chat_agent(&self.owner, agent).await.map_err(words)?;
            Ok(row.lifecycle)
        })
    }

    fn used(&self, workspace: Uuid, _: Uuid) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let (control, owner) = (self.control.clone(), self.owner.clone());
            // Nobody waits for the note.
            tokio::spawn(async move {
                if let Err(error) = control.workspace_active(&owner, workspace).await {
                    tracing::debug!(%error, "chats: use of a workspace was not noted");
                }
            });
        })
    }
}
