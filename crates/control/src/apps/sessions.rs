//! Sessions with apps, written down in batches.

use super::{AppSession, proxy};
use crate::{Control, Result};

/// Sessions written by one statement.
const BATCH: usize = 1024;

impl Control {
    /// Writes sessions down. A use of an app is a use of its workspace.
    pub async fn app_sessions_note(&self, sessions: &[AppSession]) -> Result<()> {
        for batch in sessions.chunks(BATCH) {
            let conn = self.store().conn().await?;
            conn.app_sessions_upsert(&proxy(), batch).await?;
            for session in batch {
                self.activity()
                    .used(session.workspace_id, session.ended_at, false);
            }
        }
        Ok(())
    }
}
