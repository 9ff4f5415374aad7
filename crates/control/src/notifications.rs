//! What people were told, and what they want to be told. Who is told of what is decided where it
//! happens; budgets in `gateway`.

use api_types::{
    GetInboxNotificationResponse, InboxNotification, ListInboxNotificationsResponse,
    NotificationKind, NotificationPreference, NotificationTemplate,
    UpdateUserNotificationPreferences, WebpushMessage, WebpushMessageData,
};
use authz::{Action, Object, ResourceType, Subject};
use gateway::Notice;
use store::notifications::{InboxFilter, InboxRow, inbox_channel};
use store::{Listener, UserRef};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Control, Error, Result};

/// Where a person sees what it was told.
const INBOX_PAGE: &str = "/settings/notifications";

impl Control {
    /// The kinds of messages that there are.
    pub fn notification_kinds(&self, who: &Subject) -> Result<Vec<NotificationTemplate>> {
        who.may(
            Action::Read,
            &Object::new(ResourceType::NotificationTemplate),
        )?;
        Ok(NotificationKind::ALL
            .into_iter()
            .map(NotificationTemplate::from)
            .collect())
    }

    /// What the subject was told, the newest first.
    pub async fn inbox_list(
        &self,
        who: &Subject,
        by: &InboxFilter,
    ) -> Result<ListInboxNotificationsResponse> {
        let me = person(who)?;
        let conn = self.store().conn().await?;
        let rows = conn.inbox_list(who, me, by).await?;
        Ok(ListInboxNotificationsResponse {
            notifications: rows.into_iter().map(shown).collect(),
            unread_count: conn.inbox_unread(who, me).await?,
        })
    }

    /// Notes that the subject read a message, or that it did not.
    pub async fn inbox_mark(
        &self,
        who: &Subject,
        id: Uuid,
        read: bool,
    ) -> Result<GetInboxNotificationResponse> {
        let me = person(who)?;
        let conn = self.store().conn().await?;
        let row = conn.inbox_mark(who, me, id, read).await?;
        Ok(GetInboxNotificationResponse {
            notification: shown(row),
            unread_count: conn.inbox_unread(who, me).await?,
        })
    }

    /// Notes that the subject read all.
    pub async fn inbox_mark_all(&self, who: &Subject) -> Result<()> {
        let conn = self.store().conn().await?;
        Ok(conn.inbox_mark_all(who, person(who)?).await?)
    }

    /// Word of what the subject is told from now on.
    pub async fn inbox_watch(&self, who: &Subject) -> Result<InboxWatch> {
        let me = person(who)?;
        let listener = self.store().listen(&inbox_channel(me)).await?;
        Ok(InboxWatch {
            control: self.clone(),
            who: who.clone(),
            me,
            listener,
        })
    }

    /// Of which kinds a person said whether to be told.
    pub async fn notification_preference_list(
        &self,
        who: &Subject,
        user: &UserRef,
    ) -> Result<Vec<NotificationPreference>> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, user).await?;
        let rows = conn.notification_preference_list(who, user.id).await?;
        let shown = rows.into_iter().map(|row| NotificationPreference {
            id: row.template_id,
            disabled: row.disabled,
            updated_at: row.updated_at,
        });
        Ok(shown.collect())
    }

    /// Notes of which kinds a person is told.
    pub async fn notification_preference_set(
        &self,
        who: &Subject,
        user: &UserRef,
        request: &UpdateUserNotificationPreferences,
    ) -> Result<Vec<NotificationPreference>> {
        let tx = self.store().begin(who).await?;
        let row = tx.user_read(who, user).await?;
        who.may(
            Action::Update,
            &Object::new(ResourceType::NotificationPreference).owner(row.id),
        )?;
        for (kind, disabled) in &request.template_disabled_map {
            if NotificationKind::ALL.iter().all(|known| known.id != *kind) {
                let why = format!("there is no kind of notification {kind}");
                return Err(Error::field("template_disabled_map", why));
            }
            tx.notification_preference_set(who, row.id, *kind, *disabled)
                .await?;
        }
        tx.commit().await?;
        self.notification_preference_list(who, user).await
    }

    /// Sends what people are told of their budgets to their browsers too, until cancelled.
    pub async fn notices_run(&self, mut notices: Receiver<Notice>, cancel: CancellationToken) {
        loop {
            let notice = tokio::select! {
                notice = notices.recv() => notice,
                () = cancel.cancelled() => return,
            };
            match notice {
                Ok(notice) => {
                    let message = WebpushMessage {
                        title: notice.title,
                        body: notice.body,
                        tag: "ai-budget".to_owned(),
                        data: Some(WebpushMessageData {
                            url: INBOX_PAGE.to_owned(),
                        }),
                        ..WebpushMessage::default()
                    };
                    self.push_user(notice.user, message).await;
                }
                // They are in the inbox.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// What a person is told, as it is told.
pub struct InboxWatch {
    control: Control,
    who: Subject,
    me: Uuid,
    listener: Listener,
}

impl InboxWatch {
    /// The next message, with how many are unread then. Word that was missed is not made up for:
    /// clients read the list when they come back.
    pub async fn next(&mut self) -> Result<GetInboxNotificationResponse> {
        loop {
            let Ok(id) = self.listener.recv().await.parse() else {
                continue;
            };
            let conn = self.control.store().conn().await?;
            let row = match conn.inbox_read(&self.who, self.me, id).await {
                Ok(row) => row,
                // Gone since.
                Err(store::StoreError::NotFound) => continue,
                Err(error) => return Err(error.into()),
            };
            return Ok(GetInboxNotificationResponse {
                notification: shown(row),
                unread_count: conn.inbox_unread(&self.who, self.me).await?,
            });
        }
    }
}

fn person(who: &Subject) -> Result<Uuid> {
    who.user_id().ok_or_else(Error::not_found)
}

fn shown(row: InboxRow) -> InboxNotification {
    InboxNotification {
        id: row.id,
        user_id: row.user_id,
        template_id: row.template_id,
        targets: row.targets,
        title: row.title,
        content: row.content,
        icon: row.icon,
        actions: serde_json::from_value(row.actions).unwrap_or_default(),
        read_at: row.read_at,
        created_at: row.created_at,
    }
}
