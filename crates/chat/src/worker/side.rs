//! What is done beside a turn: the title of a new chat, and the words that tell what a turn
//! did. Neither is waited for, and neither may fail a turn.

use std::sync::Arc;

use api_types::ChatMessageRole;
use authz::Subject;
use store::chats::{ChatChange, ChatMessageRow, ChatRow};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::models::{Call, ModelInfo, Purpose};
use crate::{history, titles};

/// Calls beside a turn.
pub(crate) struct SideCalls {
    pub(crate) shared: Arc<Shared>,
    pub(crate) chat: ChatRow,
    pub(crate) owner: Subject,
    pub(crate) model: ModelInfo,
    pub(crate) history: Vec<ChatMessageRow>,
}

impl SideCalls {
    /// Whether the chat still has the title that its first words gave it.
    pub(crate) fn wants_title(chat: &ChatRow, history: &[ChatMessageRow]) -> bool {
        let mut said = history
            .iter()
            .filter(|m| m.role != ChatMessageRole::System && !m.compressed);
        match (said.next(), said.next()) {
            (Some(first), None) if first.role == ChatMessageRole::User => {
                titles::first_title(&history::text_of(&first.content)) == chat.title
            }
            _ => false,
        }
    }

    /// Makes a title, if nobody gives one meanwhile.
    pub(crate) async fn title(self) {
        let request = titles::title_request(&self.model.model, &self.history);
        let title = self.ask(request, Purpose::Title).await;
        let Some(title) = title.as_deref().and_then(titles::clean) else {
            return;
        };
        let set = async {
            let tx = self
                .shared
                .parts
                .machine
                .store()
                .begin(&self.shared.who)
                .await?;
            if tx
                .chat_title_replace(&self.shared.who, &self.chat, &title)
                .await?
            {
                self.announce(tx, "title_change").await?;
            }
            Ok::<_, store::StoreError>(())
        };
        if let Err(error) = set.await {
            tracing::debug!(%error, chat = %self.chat.id, "chats: no title was set");
        }
    }

    /// Makes the words that tell what the turn did, if no other begins meanwhile.
    pub(crate) async fn label(self) {
        let answered = self
            .history
            .iter()
            .rev()
            .find(|m| !m.compressed)
            .is_some_and(|m| m.role == ChatMessageRole::Assistant);
        let made = if answered && self.chat.last_error.is_none() {
            let request = titles::label_request(&self.model.model, &self.history);
            self.ask(request, Purpose::Label)
                .await
                .as_deref()
                .and_then(titles::clean)
        } else {
            None
        };
        let label = made.unwrap_or_else(|| titles::fallback_label(&self.chat.status).to_owned());
        let set = async {
            let tx = self
                .shared
                .parts
                .machine
                .store()
                .begin(&self.shared.who)
                .await?;
            if tx
                .chat_turn_summary_set(&self.shared.who, &self.chat, &label)
                .await?
            {
                self.announce(tx, "summary_change").await?;
            }
            Ok::<_, store::StoreError>(())
        };
        if let Err(error) = set.await {
            tracing::debug!(%error, chat = %self.chat.id, "chats: no label was set");
        }
        if answered && let Err(error) = self.summary().await {
            tracing::debug!(%error, chat = %self.chat.id, "chats: no summary was set");
        }
    }

    /// Makes the summary of the whole chat, if there is none or the chat went on for some turns since.
    async fn summary(&self) -> Result<(), store::StoreError> {
        let store = self.shared.parts.machine.store();
        let who = &self.shared.who;
        let turns = {
            let conn = store.conn().await?;
            conn.chat_turns_since_summary(who, self.chat.id).await?
        };
        if !titles::wants_summary(self.chat.summary.is_some(), turns) {
            return Ok(());
        }
        let Some(request) = titles::summary_request(&self.model.model, &self.history) else {
            return Ok(());
        };
        let answer = self.ask(request, Purpose::Label).await;
        let Some(summary) = answer.as_deref().and_then(titles::clean_summary) else {
            return Ok(());
        };
        let up_to = self.history.iter().map(|m| m.id).max().unwrap_or_default();
        let tx = store.begin(who).await?;
        tx.chat_summary_set(who, &self.chat, &summary, up_to)
            .await?;
        self.announce(tx, "chat_summary_change").await
    }

    async fn ask(&self, mut request: llm::Request, purpose: Purpose) -> Option<String> {
        let models = &self.shared.parts.models;
        let organization = self.chat.organization_id;
        let chosen = models.side_model(&self.owner, organization, purpose).await;
        let (model, effort) = match chosen {
            Ok(Some((model, effort))) => (model, effort),
            Ok(None) | Err(_) => (self.model.clone(), None),
        };
        request.model.clone_from(&model.model);
        request.reasoning_effort = model.options.reasoning_effort.map(|_| {
            effort
                .as_deref()
                .and_then(llm::ReasoningEffort::parse)
                .unwrap_or(llm::ReasoningEffort::Minimal)
        });
        let call = Call {
            owner: self.owner.clone(),
            chat: self.chat.id,
            parent: self.chat.parent_chat_id,
            organization: self.chat.organization_id,
            workspace: self.chat.workspace_id,
            model,
            purpose,
        };
        let cancel = CancellationToken::new();
        let _given_up = cancel.clone().drop_guard();
        let answer = models.complete(call, request, cancel);
        match tokio::time::timeout(titles::TIMEOUT, answer).await {
            Ok(Ok(answer)) => Some(answer.text()),
            Ok(Err(error)) => {
                tracing::debug!(%error, chat = %self.chat.id, "chats: no title or label");
                None
            }
            Err(_) => None,
        }
    }

    async fn announce(&self, tx: store::Tx, kind: &str) -> Result<(), store::StoreError> {
        let change = ChatChange {
            chat: self.chat.id,
            owner: self.chat.owner_id,
            snapshot: self.chat.snapshot_version,
            origin: self.shared.parts.machine.hub().origin(),
            work: false,
            kinds: vec![kind.to_owned()],
        };
        tx.chat_announce(&change).await?;
        tx.commit().await
    }
}
