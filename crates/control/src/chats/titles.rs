//! Titles on demand.

use api_types::ProposeChatTitleResponse;
use authz::Subject;
use chat::models::{Call, Purpose};
use chat::titles;
use llm::ErrorKind;
use store::chats::MessageRange;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Control, Error, Kind, Result};

/// Messages from the end that a title is made of.
const MESSAGES: i64 = 50;

impl Control {
    /// Proposes a title; nothing is stored.
    pub async fn chat_title_propose(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<ProposeChatTitleResponse> {
        let row = self.chat_of_owner(who, id, "propose a title").await?;
        let model = self
            .chat_model(who, row.organization_id, Some(row.last_model_config_id))
            .await?;
        let conn = self.store().conn().await?;
        let page = |ascending| MessageRange {
            ascending,
            limit: MESSAGES,
            ..MessageRange::default()
        };
        let mut messages = conn.chat_messages(id, page(true)).await?;
        let mut newest = conn.chat_messages(id, page(false)).await?;
        drop(conn);
        newest.reverse();
        let last = messages.last().map_or(0, |m| m.id);
        messages.extend(newest.into_iter().filter(|m| m.id > last));
        let models = self
            .models()
            .ok_or_else(|| Error::internal("a model without models"))?;
        let organization = row.organization_id;
        let chosen = models.side_model(who, organization, Purpose::Title).await;
        let model = match chosen {
            Ok(Some((chosen, _))) => chosen,
            Ok(None) | Err(_) => model,
        };
        let request = titles::title_request(&model.model, &messages);
        let call = Call {
            owner: who.clone(),
            chat: row.id,
            parent: row.parent_chat_id,
            organization: row.organization_id,
            workspace: row.workspace_id,
            model,
            purpose: Purpose::Title,
        };
        let cancel = CancellationToken::new();
        let _given_up = cancel.clone().drop_guard();
        let answer = models.complete(call, request, cancel);
        let answer = tokio::time::timeout(titles::TIMEOUT, answer)
            .await
            .map_err(|_| Error::new(Kind::Timeout, "The model did not answer in time."))?
            .map_err(|error| match error.kind {
                // The platform's own refusal, not the provider's.
                ErrorKind::UsageLimit if error.provider.is_empty() => {
                    Error::conflict(error.message)
                }
                _ => Error::new(Kind::BadGateway, error.message).with_detail(error.detail),
            })?;
        let title = titles::clean(&answer.text())
            .ok_or_else(|| Error::new(Kind::BadGateway, "The model gave no title."))?;
        Ok(ProposeChatTitleResponse { title })
    }
}
