//! What becomes of chats by time: those left alone are put away, those put away for long are deleted,
//! and so are files that no chat uses and old debug logs.

use std::collections::BTreeMap;

use authz::{Subject, System};
use chrono::{DateTime, Days, Duration, NaiveTime, Utc};
use futures::future::BoxFuture;
use store::chats::IdleChatRow;
use store::{Conn, Store};
use uuid::Uuid;

use super::ChatSetting;
use crate::{Control, Result};

/// Rows deleted or put away at once, so that no statement holds its locks for long.
const AT_ONCE: i64 = 1000;
/// A file that no chat uses yet may be one that is about to be sent: it has so long.
const FILE_HOURS: i64 = 24;
/// A debug log that was not written for so long is not written any more.
const STALE_MINUTES: i64 = 15;

/// Chats of one owner that were put away by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoArchived {
    /// The owner.
    pub owner: Uuid,
    /// The titles.
    pub titles: Vec<String>,
    /// After how many days of rest.
    pub days: u32,
}

impl Control {
    /// A setting that counts days; 0 for never.
    async fn chat_days(&self, setting: ChatSetting) -> Result<u32> {
        Ok(self.chat_setting_value(setting).await?.parse().unwrap_or(0))
    }

    /// Deletes what is past its retention at `now`; how many rows.
    pub(crate) async fn chat_retention_enforce(&self, now: DateTime<Utc>) -> Result<u64> {
        let who = Subject::system(System::Purge);
        let mut rows = 0;
        if let Some(before) = days_before(now, self.chat_days(ChatSetting::RetentionDays).await?) {
            rows += all(self.store(), &who, before, |conn, who, before| {
                Box::pin(conn.chats_purge(who, before, AT_ONCE))
            })
            .await?;
            let before = before.min(now - Duration::hours(FILE_HOURS));
            rows += all(self.store(), &who, before, |conn, who, before| {
                Box::pin(conn.chat_files_purge(who, before, AT_ONCE))
            })
            .await?;
        }
        let kept = self.chat_days(ChatSetting::DebugRetentionDays).await?;
        if let Some(before) = days_before(now, kept) {
            rows += all(self.store(), &who, before, |conn, who, before| {
                Box::pin(conn.chat_debug_purge(who, before, AT_ONCE))
            })
            .await?;
        }
        let stale = now - Duration::minutes(STALE_MINUTES);
        let conn = self.store().conn().await?;
        rows += conn.chat_debug_end_stale(&who, stale).await?;
        Ok(rows)
    }

    /// Puts chats away in which nothing was said for the set number of days: counted in whole days
    /// (UTC), so that all chats of one day go together. Not those that are pinned or at work. What was
    /// put away, by owner.
    pub async fn chats_auto_archive(&self, now: DateTime<Utc>) -> Result<Vec<AutoArchived>> {
        let days = self.chat_days(ChatSetting::AutoArchiveDays).await?;
        let today = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let Some(cutoff) = days_before(today, days) else {
            return Ok(Vec::new());
        };
        let (finds, acts) = (
            Subject::system(System::Purge),
            Subject::system(System::Chats),
        );
        let mut by_owner: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
        let mut after = None;
        loop {
            let conn = self.store().conn().await?;
            let found = conn.chats_idle(&finds, cutoff, after, AT_ONCE).await?;
            drop(conn);
            let more = found.len() as i64 == AT_ONCE;
            after = found.last().map(|chat| chat.id);
            for IdleChatRow {
                id,
                owner_id,
                title,
                ..
            } in found
            {
                match self.chat_machine().archive(&acts, id, true).await {
                    Ok(_) => by_owner.entry(owner_id).or_default().push(title),
                    // Someone said something, or put it away, just now.
                    Err(error) => tracing::debug!(%error, chat = %id, "chats: not put away"),
                }
            }
            if !more {
                break;
            }
        }
        let done: Vec<AutoArchived> = by_owner
            .into_iter()
            .map(|(owner, titles)| AutoArchived {
                owner,
                titles,
                days,
            })
            .collect();
        for archived in &done {
            tracing::info!(owner = %archived.owner, chats = archived.titles.len(), days, "chats: put away by time");
        }
        Ok(done)
    }
}

/// A deletion of what is older than a point in time. A plain function: the compiler cannot see that
/// what an asynchronous closure makes may move between threads.
type Purge = for<'a> fn(&'a Conn, &'a Subject, DateTime<Utc>) -> BoxFuture<'a, store::Result<u64>>;

/// Repeats a deletion until it finds less than it could take; how many rows went in all. The
/// connection is given back between.
async fn all(store: &Store, who: &Subject, before: DateTime<Utc>, purge: Purge) -> Result<u64> {
    let mut rows = 0;
    loop {
        let conn = store.conn().await?;
        let gone = purge(&conn, who, before).await?;
        rows += gone;
        if gone < AT_ONCE.unsigned_abs() {
            return Ok(rows);
        }
    }
}

/// So many days before; none for 0 days, which means never.
fn days_before(now: DateTime<Utc>, days: u32) -> Option<DateTime<Utc>> {
    (days > 0)
        .then(|| now.checked_sub_days(Days::new(days.into())))
        .flatten()
}
