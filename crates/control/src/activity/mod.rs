//! Activity in workspaces: noted as it comes, written down together.
//!
//! Agents report twice a minute each, and apps, terminals and chats are used at any time. None of
//! them waits for the database: a note goes to memory, and a moment later one transaction writes
//! what many of them said: when workspaces were last used, until when that lets them run, and what
//! agents counted. Only a server that dies at once loses that moment.
//!
//! | what is noted | counts as use | stops later |
//! |---|---|---|
//! | `POST /workspaces/{id}/usage` | yes | if it names an agent and an app |
//! | an agent's report with connections, a chat's tools | yes | yes |
//! | an app, a port, the web terminal | yes | no |
//! | an app says that it works, or no longer does | no | yes |

mod bump;
mod pending;

use std::time::Duration;

use authz::{Subject, System};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use store::StoreError;
use store::workspace_agents::AgentReport;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Control, Result};
use bump::bumped;
use pending::{BATCH, Batch, Pending};

/// How long a note waits for others.
const INTERVAL: Duration = Duration::from_secs(1);
/// Reports that are worth a transaction before that.
const FULL: usize = BATCH * 4 / 5;

/// What is not written down yet.
#[derive(Default)]
pub(crate) struct Activity {
    pending: Mutex<Pending>,
    /// There is something to write.
    some: Notify,
    /// There is enough to write at once.
    full: Notify,
    /// Held by who writes: batches are written one after the other.
    writing: tokio::sync::Mutex<()>,
}

impl Activity {
    /// A workspace was used at this time; `bump`: it shall stop later for that.
    pub(crate) fn used(&self, workspace: Uuid, at: DateTime<Utc>, bump: bool) {
        self.pending.lock().note(workspace, Some(at), bump);
        self.some.notify_one();
    }

    /// Something goes on in a workspace, without anybody using it.
    pub(crate) fn works(&self, workspace: Uuid) {
        self.pending.lock().note(workspace, None, true);
        self.some.notify_one();
    }

    /// An agent reported what it counted.
    pub(crate) fn report(&self, report: AgentReport) {
        let waiting = self.pending.lock().report(report);
        self.some.notify_one();
        if waiting >= FULL {
            self.full.notify_one();
        }
    }
}

impl Control {
    /// Writes activity down as it comes, until cancelled; what is left then, [`Self::activity_flush`]
    /// writes.
    pub async fn activity_run(&self, cancel: CancellationToken) {
        let activity = self.activity();
        let mut failing = false;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = activity.some.notified() => {}
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = activity.full.notified() => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
            match self.activity_flush().await {
                Ok(()) => failing = false,
                Err(error) if failing => {
                    tracing::debug!(%error, "activity is still not written down");
                }
                Err(error) => {
                    failing = true;
                    tracing::warn!(%error, "activity is not written down yet; it is kept");
                }
            }
        }
    }

    /// Writes down all activity noted so far.
    ///
    /// # Errors
    /// When the database cannot be reached; the notes are kept.
    pub async fn activity_flush(&self) -> Result<()> {
        let activity = self.activity();
        let _turn = activity.writing.lock().await;
        let mut busy = Batch::default();
        let outcome = loop {
            let batch = activity.pending.lock().take();
            if batch.is_empty() {
                break Ok(());
            }
            match self.activity_write(&batch).await {
                Ok(left) => busy.join(left),
                Err(error @ (StoreError::Unavailable(_) | StoreError::Retry)) => {
                    busy.join(batch);
                    break Err(error.into());
                }
                // It would be refused for ever, and keep all others waiting.
                Err(error) => tracing::error!(%error, "activity cannot be written down"),
            }
        };
        if !busy.is_empty() {
            let lost = activity.pending.lock().put_back(busy);
            if lost > 0 {
                tracing::warn!(
                    lost,
                    "reports of agents are dropped: too many wait for the database"
                );
            }
            activity.some.notify_one();
        }
        outcome
    }

    /// Writes a batch in one transaction. Gives back what has to wait, since somebody else is
    /// changing the workspace just now.
    async fn activity_write(&self, batch: &Batch) -> Result<Batch, StoreError> {
        let who = Subject::system(System::Agent);
        let now = Utc::now();
        let mut left = Batch::default();
        let tx = self.store().begin(&who).await?;
        if !batch.reports.is_empty() {
            tx.agent_stats_insert(&who, &batch.reports).await?;
        }
        let used: Vec<_> = batch.used().collect();
        if !used.is_empty() {
            for workspace in tx.workspaces_used(&who, &used).await? {
                left.keep_use(batch, workspace);
            }
        }
        let bumps: Vec<Uuid> = batch.bumps().collect();
        if !bumps.is_empty() {
            let facts = tx.workspaces_bump_facts(&who, &bumps).await?;
            let mut deadlines = Vec::new();
            for fact in &facts {
                match bumped(fact, now) {
                    Some(_) if !fact.held => left.keep_bump(fact.workspace_id),
                    Some(deadline) => deadlines.push((fact, deadline)),
                    None => {}
                }
            }
            if !deadlines.is_empty() {
                tx.workspaces_bump(&who, &deadlines).await?;
            }
        }
        tx.commit().await?;
        Ok(left)
    }
}
