//! Which browsers are told by push, and of what: chats that rest, and chats that were put away.
//!
//! How a message gets there is [`Push`], which the server gives.

use std::sync::Arc;

use api_types::{
    ChatStatus, DeleteWebpushSubscription, WebpushMessage, WebpushMessageData, WebpushSubscription,
};
use authz::{Subject, System};
use futures::future::BoxFuture;
use store::chats::{ChatChange, ChatRow};
use store::webpush::WebpushRow;
use store::{StoreError, UserRef};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};
use uuid::Uuid;

use crate::{AutoArchived, Control, Error, Kind, Result};

const ICON: &str = "/favicon.ico";
/// Longest address of a push service.
const MAX_ENDPOINT: usize = 2048;
/// Longest key of a browser: they have 65 and 16 bytes, in base64.
const MAX_KEY: usize = 256;
/// Titles in one message about chats that were put away.
const MAX_TITLES: usize = 25;
/// Longest text of a message, in characters: push services take 4 KiB in all.
const MAX_BODY: usize = 1000;

/// Sends messages to push services.
pub trait Push: Send + Sync {
    /// The key by which browsers know messages of this deployment, in base64url.
    fn public_key(&self) -> &str;

    /// Sends a message to a browser.
    fn send<'a>(
        &'a self,
        to: &'a WebpushSubscription,
        message: &'a WebpushMessage,
    ) -> BoxFuture<'a, std::result::Result<(), PushError>>;
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PushError {
    /// What the push service, or the way to it, said.
    pub message: String,
    /// The browser does not want any more: it is not to be tried again.
    pub gone: bool,
}

impl Control {
    /// From now on messages can be sent. Only the first call counts.
    pub fn push_set(&self, push: Arc<dyn Push>) {
        let _ = self.push_slot().set(push);
    }

    fn push(&self) -> Option<&Arc<dyn Push>> {
        self.push_slot().get()
    }

    /// The key that browsers are to be told; empty if no messages are sent.
    pub fn webpush_public_key(&self) -> String {
        let key = self.push().map(|push| push.public_key().to_owned());
        key.unwrap_or_default()
    }

    /// Adds a browser, once a first message reached its push service.
    pub async fn webpush_subscribe(
        &self,
        who: &Subject,
        user: &UserRef,
        request: &WebpushSubscription,
    ) -> Result<()> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, user).await?;
        who.may(
            authz::Action::Create,
            &authz::Object::new(authz::ResourceType::WebpushSubscription).owner(user.id),
        )?;
        drop(conn);
        checked(request)?;
        let push = self.push().ok_or_else(no_push)?;
        push.send(request, &hello()).await.map_err(|error| {
            Error::new(
                Kind::BadGateway,
                "The push service did not take a first message.",
            )
            .with_detail(error.message)
        })?;
        let conn = self.store().conn().await?;
        conn.webpush_add(
            who,
            user.id,
            &request.endpoint,
            &request.p256dh_key,
            &request.auth_key,
        )
        .await?;
        Ok(())
    }

    /// Takes a browser away.
    pub async fn webpush_unsubscribe(
        &self,
        who: &Subject,
        user: &UserRef,
        request: &DeleteWebpushSubscription,
    ) -> Result<()> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, user).await?;
        conn.webpush_delete(who, user.id, &request.endpoint)
            .await
            .map_err(|error| match error {
                StoreError::NotFound => {
                    Error::new(Kind::NotFound, "Webpush subscription not found.")
                }
                error => error.into(),
            })
    }

    /// Sends a message to all browsers of a user, to see whether it comes.
    pub async fn webpush_test(&self, who: &Subject, user: &UserRef) -> Result<()> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, user).await?;
        let to = conn.webpush_list(who, user.id).await?;
        drop(conn);
        self.push_to(to, &hello()).await.map_err(|error| {
            Error::new(Kind::BadGateway, "A push service did not take the message.")
                .with_detail(error.message)
        })
    }

    /// Sends a message to all browsers of a user; what fails is said in the log.
    pub(crate) async fn push_user(&self, user: Uuid, mut message: WebpushMessage) {
        ICON.clone_into(&mut message.icon);
        message.body = message.body.chars().take(MAX_BODY).collect();
        let who = Subject::system(System::Notifier);
        let listed = async {
            let conn = self.store().conn().await?;
            conn.webpush_list(&who, user).await
        };
        match listed.await {
            Ok(to) => {
                if let Err(error) = self.push_to(to, &message).await {
                    tracing::warn!(%error, %user, "a message was not pushed");
                }
            }
            Err(error) => tracing::warn!(%error, %user, "a message was not pushed"),
        }
    }

    /// Sends to each of them; forgets those that are gone. The last failure of those that are not.
    async fn push_to(
        &self,
        to: Vec<WebpushRow>,
        message: &WebpushMessage,
    ) -> std::result::Result<(), PushError> {
        let Some(push) = self.push() else {
            return Ok(());
        };
        let mut failed = Ok(());
        for row in to {
            let subscription = WebpushSubscription {
                endpoint: row.endpoint,
                auth_key: row.endpoint_auth_key,
                p256dh_key: row.endpoint_p256dh_key,
            };
            match push.send(&subscription, message).await {
                Ok(()) => {}
                Err(error) if error.gone => {
                    let who = Subject::system(System::Notifier);
                    let forgotten = async {
                        let conn = self.store().conn().await?;
                        conn.webpush_delete(&who, row.user_id, &subscription.endpoint)
                            .await
                    };
                    if let Err(error) = forgotten.await {
                        tracing::debug!(%error, "a browser that is gone is not forgotten yet");
                    }
                }
                Err(error) => failed = Err(error),
            }
        }
        failed
    }

    /// Tells the owners of chats that came to rest, until cancelled. Each replica tells of the chats
    /// that it worked on.
    pub async fn webpush_run(&self, cancel: CancellationToken) {
        let hub = self.chat_machine().hub().clone();
        let mut changes = hub.changes();
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                () = cancel.cancelled() => return,
            };
            match change {
                // The label of a turn is written when the chat rests.
                Ok(Some(change))
                    if change.origin == hub.origin()
                        && change.kinds.iter().any(|kind| kind == "summary_change") =>
                {
                    self.webpush_chat(&change).await;
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn webpush_chat(&self, change: &ChatChange) {
        let who = Subject::system(System::Chats);
        let read = async {
            let conn = self.store().conn().await?;
            conn.chat_read(&who, change.chat).await
        };
        let Ok(chat) = read.await else {
            // Gone since.
            return;
        };
        if chat.parent_chat_id.is_some() {
            return;
        }
        let Some(body) = news(&chat) else {
            return;
        };
        let message = WebpushMessage {
            title: chat.title,
            body,
            tag: chat.id.to_string(),
            data: Some(WebpushMessageData {
                url: format!("/agents/{}", chat.id),
            }),
            ..WebpushMessage::default()
        };
        self.push_user(chat.owner_id, message).await;
    }

    /// Tells owners which of their chats were put away: one message each.
    pub(crate) async fn chats_archived_tell(&self, archived: &[AutoArchived]) {
        for one in archived {
            let count = one.titles.len();
            let mut body = one
                .titles
                .iter()
                .take(MAX_TITLES)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            if count > MAX_TITLES {
                body.push_str(&format!(" and {} more", count - MAX_TITLES));
            }
            let title = format!(
                "{count} {} archived after {} days without a message",
                if count == 1 { "chat was" } else { "chats were" },
                one.days
            );
            let message = WebpushMessage {
                title,
                body,
                tag: "chats-archived".to_owned(),
                data: Some(WebpushMessageData {
                    url: "/agents?archived=archived".to_owned(),
                }),
                ..WebpushMessage::default()
            };
            self.push_user(one.owner, message).await;
        }
    }
}

/// What is to be told of a chat that came to rest; nothing if it goes on already.
fn news(chat: &ChatRow) -> Option<String> {
    match (&chat.status, &chat.last_error) {
        (ChatStatus::Error, Some(error)) => Some(error.message.clone()),
        (ChatStatus::Waiting | ChatStatus::Error | ChatStatus::Paused, _) => {
            Some(chat.last_turn_summary.clone().unwrap_or_default())
        }
        _ => None,
    }
}

fn hello() -> WebpushMessage {
    WebpushMessage {
        icon: ICON.to_owned(),
        title: "It's working!".to_owned(),
        body: "This browser is told when something needs you.".to_owned(),
        ..WebpushMessage::default()
    }
}

fn no_push() -> Error {
    Error::new(
        Kind::BadGateway,
        "This server cannot send messages to browsers.",
    )
    .with_detail("Its keys for push services could not be read; its log says why.")
}

/// Whether messages may be sent there: an address of the public web, by TLS. What its name leads to
/// is looked at once more with each message.
fn checked(request: &WebpushSubscription) -> Result<()> {
    let wrong = |detail: &str| Error::invalid("Invalid webpush endpoint.").with_detail(detail);
    if request.endpoint.len() > MAX_ENDPOINT {
        return Err(wrong("endpoint is too long"));
    }
    let url =
        Url::parse(&request.endpoint).map_err(|_| wrong("endpoint must be an absolute URL"))?;
    if url.scheme() != "https" {
        return Err(wrong("endpoint URL scheme must be https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("endpoint URL must not include userinfo"));
    }
    let local = match url.host() {
        None => return Err(wrong("endpoint host is required")),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
    };
    if local {
        return Err(wrong(
            "endpoint must not be an address of this machine or network",
        ));
    }
    for (name, key) in [
        ("auth_key", &request.auth_key),
        ("p256dh_key", &request.p256dh_key),
    ] {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(Error::field(name, "must be a key in base64url"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_web_is_told() {
        let check = |endpoint: &str| {
            checked(&WebpushSubscription {
                endpoint: endpoint.to_owned(),
                auth_key: "a".to_owned(),
                p256dh_key: "p".to_owned(),
            })
        };
        assert!(check("https://push.example.com/a/b?c").is_ok());
        for bad in [
            "",
            "push.example.com",
            "http://push.example.com",
            "https://u:p@push.example.com",
            "https://localhost/x",
            "https://a.localhost",
            "https://127.0.0.1",
            "https://10.0.0.1/x",
            "https://169.254.169.254/latest",
            "https://[::1]/",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        let long = format!("https://push.example.com/{}", "x".repeat(MAX_ENDPOINT));
        assert!(check(&long).is_err());
    }
}
