//! How a connection is got from the pool: one that works, and, while a database
//! that was there before starts again, a little patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, TimeoutType,
};
use deadpool_postgres::{RecyclingMethod, Runtime};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::tls::Tls;
use crate::{Result, StoreError};

/// How long a caller waits for a connection before it is told that the
/// database is overloaded; longer than any sane burst, shorter than clients wait.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a new connection may take to come up.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that rested longer is asked whether it is still there: its
/// database may have been killed and nobody told us. Under load none rests so
/// long, and no request pays for the question.
const RESTED: Duration = Duration::from_secs(1);
/// How long it may take to answer that.
const ANSWER: Duration = Duration::from_secs(3);
/// How long a database that was there before may be away before callers hear of
/// it: the restart of one, its recovery after a crash included, is shorter.
const AWAY: Duration = Duration::from_secs(5);
/// First and longest pause between attempts meanwhile.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(320));

const SILENT: &str = "the database does not answer";

/// The pool.
pub(crate) struct Checkout {
    pool: Pool,
    /// Whether there ever was a connection: a database that was never reached is
    /// configured wrongly more often than it is away.
    reached: AtomicBool,
}

impl Checkout {
    pub(crate) fn new(config: tokio_postgres::Config, tls: Tls, size: usize) -> Result<Self> {
        let manager = Manager::from_config(
            config,
            tls,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let silent = Arc::new(Mutex::new(None));
        let pool = Pool::builder(manager)
            .max_size(size.max(2))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .post_recycle(Hook::async_fn(move |client, metrics| {
                let rested = metrics.last_used() > RESTED;
                let used = metrics.recycled.unwrap_or(metrics.created);
                let silent = silent.clone();
                Box::pin(async move {
                    if !rested {
                        return Ok(());
                    }
                    // One that fell silent speaks for all that are as old: each is not asked in turn.
                    if silent.lock().is_some_and(|since| used < since) {
                        return Err(HookError::message(SILENT));
                    }
                    let asked = std::time::Instant::now();
                    match tokio::time::timeout(ANSWER, client.simple_query("")).await {
                        Ok(answer) => answer.map(drop).map_err(HookError::Backend),
                        Err(_) => {
                            *silent.lock() = Some(asked);
                            Err(HookError::message(SILENT))
                        }
                    }
                })
            }))
            .build()
            .map_err(|error| StoreError::Internal(error.to_string()))?;
        Ok(Checkout {
            pool,
            reached: AtomicBool::new(false),
        })
    }

    /// A connection, waited for if the database is just away.
    pub(crate) async fn get(&self) -> Result<Object> {
        match self.get_now().await {
            Err(error) if passes(&error) && self.reached.load(Ordering::Relaxed) => {
                self.get_back().await
            }
            other => Ok(other?),
        }
    }

    /// A connection, or at once why there is none.
    pub(crate) async fn get_now(&self) -> Result<Object, PoolError> {
        // Its own limits are for each of its steps.
        let object = tokio::time::timeout(TIMEOUT, self.pool.get())
            .await
            .unwrap_or(Err(PoolError::Timeout(TimeoutType::Wait)))?;
        if !self.reached.load(Ordering::Relaxed) {
            self.reached.store(true, Ordering::Relaxed);
        }
        Ok(object)
    }

    async fn get_back(&self) -> Result<Object> {
        let deadline = Instant::now() + AWAY;
        let mut pause = PAUSES.0;
        loop {
            tokio::time::sleep(pause).await;
            match tokio::time::timeout_at(deadline, self.get_now()).await {
                Ok(Err(error)) if passes(&error) && Instant::now() + pause < deadline => {
                    pause = (pause * 2).min(PAUSES.1);
                }
                Ok(other) => return Ok(other?),
                Err(_) => return Err(StoreError::Unavailable(SILENT.to_owned())),
            }
        }
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// Whether it is what a database says, or does not say, while it starts or stops.
fn passes(error: &PoolError) -> bool {
    let PoolError::Backend(error) = error else {
        return false;
    };
    match error.as_db_error() {
        // Class 57: operator intervention; starting up and shutting down are of it.
        Some(db) => db.code().code().starts_with("57"),
        // Refused, no socket yet, or cut off in the middle of it.
        None => true,
    }
}
