//! Whose chats keep debug logs.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use authz::Subject;
use parking_lot::Mutex;
use store::{Result, Store};
use uuid::Uuid;

use crate::models::Call;

/// Key of the deployment's setting that lets users keep debug logs.
pub const ALLOW_USERS: &str = "agents_chat_debug_logging_allow_users";
/// Key of the user's own setting.
pub const ENABLED: &str = "chat_debug_logging_enabled";

/// How long what was read holds: a switch counts within seconds, and a call does not wait for it.
const HOLDS: Duration = Duration::from_secs(10);
/// Most owners remembered; then all are asked anew.
const MAX_OWNERS: usize = 4096;

pub(super) struct Settings {
    forced: bool,
    known: Mutex<HashMap<Uuid, (Instant, bool)>>,
}

impl Settings {
    pub(super) fn new(forced: bool) -> Self {
        Settings {
            forced,
            known: Mutex::default(),
        }
    }

    /// Whether a call is recorded.
    pub(super) async fn wanted(&self, store: &Store, who: &Subject, call: &Call) -> Result<bool> {
        if self.forced {
            return Ok(true);
        }
        let Some(owner) = call.owner.user_id() else {
            return Ok(false);
        };
        let known = self.known.lock().get(&owner).copied();
        if let Some((read, wanted)) = known
            && read.elapsed() < HOLDS
        {
            return Ok(wanted);
        }
        let conn = store.conn().await?;
        let allowed = conn.site_config_read(who, ALLOW_USERS).await?;
        let wanted = allowed.as_deref() == Some("true")
            && conn
                .user_config_read(who, owner)
                .await?
                .iter()
                .any(|(key, value)| key == ENABLED && value == "true");
        let mut known = self.known.lock();
        if known.len() >= MAX_OWNERS {
            known.clear();
        }
        known.insert(owner, (Instant::now(), wanted));
        Ok(wanted)
    }
}
