//! A transaction: what it changes, audits and announces, it does at once.

use std::ops::Deref;

use authz::Subject;

use crate::audit::AuditEntry;
use crate::conn::Conn;
use crate::{Result, StoreError};

/// An open transaction; rolled back when dropped uncommitted. All queries of
/// [`Conn`] work on it.
pub struct Tx {
    // Taken only by `commit` and `drop`.
    conn: Option<Conn>,
    who: Subject,
}

impl Tx {
    pub(crate) async fn begin(conn: Conn, who: Subject) -> Result<Self> {
        // Held by the transaction before the statement is sent: were this
        // future dropped midway, the connection would return to the pool
        // inside a transaction.
        let tx = Tx {
            conn: Some(conn),
            who,
        };
        tx.conn_ref()?.0.batch_execute("BEGIN").await?;
        Ok(tx)
    }

    fn conn_ref(&self) -> Result<&Conn> {
        self.conn
            .as_ref()
            .ok_or_else(|| StoreError::Internal("transaction is over".to_owned()))
    }

    /// Who acts.
    pub fn who(&self) -> &Subject {
        &self.who
    }

    /// Makes the transaction serializable; must come before its first query.
    ///
    /// # Errors
    /// As for any query.
    pub async fn serializable(&self) -> Result<()> {
        let conn = self.conn_ref()?;
        Ok(conn
            .0
            .batch_execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            .await?)
    }

    /// Takes an advisory lock until the end of the transaction. The key is
    /// hashed by the database; name the purpose.
    ///
    /// # Errors
    /// As for any query.
    pub async fn lock(&self, purpose: &str) -> Result<()> {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))::text";
        self.conn_ref()?.query(sql, &[&purpose]).await?;
        Ok(())
    }

    /// Adds an entry to the audit log, by the acting subject.
    ///
    /// # Errors
    /// As for any query.
    pub async fn audit(&self, entry: AuditEntry) -> Result<()> {
        self.conn_ref()?.audit_insert(&self.who, entry).await
    }

    /// Announces a change on a channel when the transaction commits. Payloads
    /// carry ids, never data that matters, and stay below 8000 bytes.
    ///
    /// # Errors
    /// As for any query.
    pub async fn notify(&self, channel: &str, payload: &str) -> Result<()> {
        self.conn_ref()?.notify(channel, payload).await
    }

    /// Commits.
    ///
    /// # Errors
    /// [`StoreError::Retry`] or [`StoreError::Unavailable`]; nothing is then known to
    /// have happened.
    pub async fn commit(mut self) -> Result<()> {
        self.conn_ref()?.0.batch_execute("COMMIT").await?;
        self.conn = None;
        Ok(())
    }
}

impl Deref for Tx {
    type Target = Conn;

    #[expect(
        clippy::expect_used,
        reason = "the connection leaves only with the transaction itself"
    )]
    fn deref(&self) -> &Conn {
        self.conn
            .as_ref()
            .expect("a transaction in use holds its connection")
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    if conn.0.batch_execute("ROLLBACK").await.is_err() {
                        discard(conn);
                    }
                });
            }
            Err(_) => discard(conn),
        }
    }
}

/// Closes a connection instead of giving it back in an unknown state.
fn discard(conn: Conn) {
    drop(deadpool_postgres::Object::take(conn.0));
}
