//! What people do to a chat that goes on: say, edit, stop, queue, answer.

use api_types::{
    Chat, ChatBusyBehavior, ChatMessagePart, ChatPlanMode, CreateChatMessageRequest,
    CreateChatMessageResponse, EditChatMessageRequest, EditChatMessageResponse,
    SubmitToolResultsRequest, UpdateChatQueuedMessageRequest,
};
use authz::Subject;
use chat::live::events;
use chat::machine::{Op, Outcome, UserMessage};
use serde_json::Value;
use store::chats::{ChatRow, QueuedChange};
use uuid::Uuid;

use super::{content, refused, shown};
use crate::{Control, Error, Result};

fn shown_messages(outcome: &Outcome) -> Vec<api_types::ChatMessage> {
    outcome
        .inserted
        .iter()
        .filter(|row| events::is_shown(row))
        .map(events::message)
        .collect()
}

impl Control {
    async fn chat_apply(&self, who: &Subject, id: Uuid, op: Op, archived: &str) -> Result<Outcome> {
        self.chat_machine()
            .apply(who, id, vec![op])
            .await
            .map_err(|error| refused(error, archived))
    }

    /// Says something.
    pub async fn chat_message_create(
        &self,
        who: &Subject,
        id: Uuid,
        request: CreateChatMessageRequest,
    ) -> Result<CreateChatMessageResponse> {
        const ARCHIVED: &str = "Cannot send messages to an archived chat.";
        let row = self.chat_of_owner(who, id, "send messages").await?;
        if row.archived {
            return Err(Error::invalid(ARCHIVED));
        }
        let interrupt = match request.busy_behavior {
            ChatBusyBehavior::Unset | ChatBusyBehavior::Queue => false,
            ChatBusyBehavior::Interrupt => true,
            ChatBusyBehavior::Other(_) => {
                return Err(Error::invalid("Invalid busy_behavior value."));
            }
        };
        let message = self
            .chat_said(
                who,
                &row,
                &request.content,
                request.model_config_id,
                request.reasoning_effort.as_deref(),
            )
            .await?;
        self.chat_modes_set(who, &row, request.plan_mode, request.mcp_server_ids)
            .await?;
        let outcome = self
            .chat_apply(who, id, Op::Send(message, interrupt), ARCHIVED)
            .await?;
        let messages = shown_messages(&outcome);
        Ok(match &outcome.queued {
            Some(queued) => CreateChatMessageResponse {
                queued: true,
                queued_message: Some(events::queued(id, queued)),
                messages,
                ..CreateChatMessageResponse::default()
            },
            None => CreateChatMessageResponse {
                message: messages.last().cloned(),
                messages,
                ..CreateChatMessageResponse::default()
            },
        })
    }

    /// Replaces a message and all after it.
    pub async fn chat_message_update(
        &self,
        who: &Subject,
        id: Uuid,
        message: i64,
        request: EditChatMessageRequest,
    ) -> Result<EditChatMessageResponse> {
        const ARCHIVED: &str = "Cannot edit messages in an archived chat.";
        let row = self.chat_of_owner(who, id, "edit messages").await?;
        if row.archived {
            return Err(Error::invalid(ARCHIVED));
        }
        let said = self
            .chat_said(
                who,
                &row,
                &request.content,
                request.model_config_id,
                request.reasoning_effort.as_deref(),
            )
            .await?;
        self.chat_modes_set(who, &row, None, request.mcp_server_ids)
            .await?;
        let op = Op::Edit {
            message,
            content: said.content,
            model_config_id: request.model_config_id.map(|_| said.model_config_id),
            reasoning_effort: said.reasoning_effort,
            created_by: said.created_by,
        };
        let outcome = self.chat_apply(who, id, op, ARCHIVED).await?;
        let messages = shown_messages(&outcome);
        Ok(EditChatMessageResponse {
            message: messages.first().cloned().unwrap_or_default(),
            messages,
            deleted_message_ids: outcome.deleted,
            warnings: Vec::new(),
        })
    }

    async fn chat_said(
        &self,
        who: &Subject,
        row: &ChatRow,
        input: &[api_types::ChatInputPart],
        model: Option<Uuid>,
        effort: Option<&str>,
    ) -> Result<UserMessage> {
        let effort = content::effort(effort)?;
        let conn = self.store().conn().await?;
        let parts = content::content(&conn, who, row.workspace_id, input).await?;
        drop(conn);
        let model_config_id = match model.filter(|id| !id.is_nil()) {
            Some(id) => {
                self.chat_model(who, row.organization_id, Some(id))
                    .await?
                    .id
            }
            None => row.last_model_config_id,
        };
        Ok(UserMessage {
            content: parts,
            model_config_id,
            reasoning_effort: effort.or_else(|| row.last_reasoning_effort.clone()),
            created_by: who.user_id().unwrap_or(row.owner_id),
        })
    }

    /// Switches that come with a message.
    async fn chat_modes_set(
        &self,
        who: &Subject,
        row: &ChatRow,
        plan: Option<ChatPlanMode>,
        servers: Option<Vec<Uuid>>,
    ) -> Result<()> {
        let plan = plan.map(|mode| plan_mode(&mode)).transpose()?;
        let servers = match servers {
            // What a helper that only looks may use was settled when it was made.
            Some(asked) if row.mode.as_deref() != Some("explore") => {
                let (organization, conn) = (row.organization_id, self.store().conn().await?);
                let already = &row.mcp_server_ids;
                let checked = self.mcp_ids_checked(&conn, who, organization, &asked, already);
                Some(checked.await?).filter(|ids| ids != already)
            }
            _ => None,
        };
        let plan = plan.filter(|mode| *mode != row.plan_mode);
        if plan.is_none() && servers.is_none() {
            return Ok(());
        }
        let tx = self.store().begin(who).await?;
        if let Some(mode) = plan {
            tx.chat_plan_mode_set(who, row, mode).await?;
        }
        if let Some(ids) = servers {
            tx.chat_mcp_servers_set(who, row, &ids).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Stops what runs, and the chat's helpers.
    pub async fn chat_interrupt(&self, who: &Subject, id: Uuid) -> Result<Chat> {
        let stopped = self.chat_machine().interrupt(who, id).await;
        let stopped =
            stopped.map_err(|error| refused(error, "Cannot interrupt an archived chat."))?;
        Ok(shown(&stopped))
    }

    /// Asks for a summary that takes the place of the conversation.
    pub async fn chat_compact(&self, who: &Subject, id: Uuid) -> Result<Chat> {
        const ARCHIVED: &str = "Cannot compact an archived chat.";
        self.chat_of_owner(who, id, "compact the chat").await?;
        let outcome = self
            .chat_apply(who, id, Op::RequestCompaction, ARCHIVED)
            .await?;
        Ok(shown(&outcome.chat))
    }

    /// Takes the conversation out of the model's sight.
    pub async fn chat_clear(&self, who: &Subject, id: Uuid) -> Result<Chat> {
        const ARCHIVED: &str = "Cannot clear an archived chat.";
        self.chat_of_owner(who, id, "clear the chat").await?;
        let outcome = self.chat_apply(who, id, Op::Clear, ARCHIVED).await?;
        Ok(shown(&outcome.chat))
    }

    /// Repairs a chat in no valid state.
    pub async fn chat_reconcile(&self, who: &Subject, id: Uuid) -> Result<Chat> {
        let outcome = self
            .chat_apply(
                who,
                id,
                Op::ReconcileInvalid,
                "The chat is in a valid state: it is archived.",
            )
            .await?;
        Ok(shown(&outcome.chat))
    }

    /// Changes a message of the queue.
    pub async fn chat_queued_update(
        &self,
        who: &Subject,
        id: Uuid,
        queued: i64,
        request: UpdateChatQueuedMessageRequest,
    ) -> Result<()> {
        const ARCHIVED: &str = "Cannot edit queued messages in an archived chat.";
        let row = self.chat_of_owner(who, id, "edit queued messages").await?;
        if row.archived {
            return Err(Error::invalid(ARCHIVED));
        }
        if request == UpdateChatQueuedMessageRequest::default() {
            return Err(Error::invalid("There is nothing to change.").with_detail(
                "Give any of content, model_config_id, reasoning_effort and editing.",
            ));
        }
        let content = match &request.content {
            Some(input) => {
                let conn = self.store().conn().await?;
                Some(content::content(&conn, who, row.workspace_id, input).await?)
            }
            None => None,
        };
        let model = match request.model_config_id {
            Some(id) => {
                let model = self.chat_model(who, row.organization_id, Some(id)).await?;
                Some(model.id)
            }
            None => None,
        };
        let change = QueuedChange {
            content,
            model_config_id: model,
            reasoning_effort: content::effort(request.reasoning_effort.as_deref())?,
            editing: request.editing,
        };
        self.chat_apply(who, id, Op::EditQueued(queued, change), ARCHIVED)
            .await?;
        Ok(())
    }

    /// Takes a message out of the queue.
    pub async fn chat_queued_delete(&self, who: &Subject, id: Uuid, queued: i64) -> Result<()> {
        let row = self
            .chat_of_owner(who, id, "delete queued messages")
            .await?;
        let conn = self.store().conn().await?;
        if conn.chat_queue(id).await?.iter().all(|q| q.id != queued) {
            return Err(Error::new(
                crate::Kind::NotFound,
                "Queued message not found.",
            ));
        }
        drop((conn, row));
        self.chat_apply(
            who,
            id,
            Op::DeleteQueued(queued),
            "Cannot delete queued messages in an archived chat.",
        )
        .await?;
        Ok(())
    }

    /// Makes a message of the queue the next.
    pub async fn chat_queued_promote(&self, who: &Subject, id: Uuid, queued: i64) -> Result<()> {
        const ARCHIVED: &str = "Cannot promote queued messages in an archived chat.";
        let row = self
            .chat_of_owner(who, id, "promote queued messages")
            .await?;
        if row.archived {
            return Err(Error::invalid(ARCHIVED));
        }
        let conn = self.store().conn().await?;
        if conn.chat_queue(id).await?.iter().all(|q| q.id != queued) {
            return Err(Error::new(
                crate::Kind::NotFound,
                "Queued message not found.",
            ));
        }
        drop(conn);
        self.chat_apply(who, id, Op::Promote(queued), ARCHIVED)
            .await?;
        Ok(())
    }

    /// Takes the client's answers to its own tools.
    pub async fn chat_tool_results(
        &self,
        who: &Subject,
        id: Uuid,
        request: SubmitToolResultsRequest,
    ) -> Result<()> {
        const ARCHIVED: &str = "Cannot submit tool results to an archived chat.";
        let row = self.chat_of_owner(who, id, "submit tool results").await?;
        if row.archived {
            return Err(Error::invalid(ARCHIVED));
        }
        if request.results.is_empty() {
            return Err(Error::invalid("Invalid tool results.")
                .with_detail("At least one result is required."));
        }
        if row.status != api_types::ChatStatus::RequiresAction {
            return Err(Error::conflict("Chat is not waiting for tool results.")
                .with_detail(format!("The chat is {}.", row.status)));
        }
        let results = request
            .results
            .into_iter()
            .map(|result| {
                let value = if result.is_error {
                    serde_json::json!({ "error": error_text(&result.output) })
                } else {
                    result.output
                };
                let mut part =
                    ChatMessagePart::tool_result(&result.tool_call_id, "", value, result.is_error);
                part.created_at = Some(chrono::Utc::now());
                part
            })
            .collect();
        self.chat_apply(who, id, Op::CompleteRequiresAction(results), ARCHIVED)
            .await?;
        Ok(())
    }
}

fn error_text(output: &Value) -> String {
    output
        .as_str()
        .map_or_else(|| output.to_string(), str::to_owned)
}

/// A plan mode as stored.
pub(super) fn plan_mode(mode: &ChatPlanMode) -> Result<&'static str> {
    match mode {
        ChatPlanMode::Unset => Ok(""),
        ChatPlanMode::Plan => Ok("plan"),
        ChatPlanMode::Other(_) => Err(Error::invalid("Invalid plan_mode value.")),
    }
}
