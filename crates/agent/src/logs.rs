//! Log lines of scripts on their way to the control plane: queued, batched,
//! kept until acknowledged.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rpc::AgentClient;
use rpc::proto::agent::{self as proto, log::Level};
use tokio::sync::Notify;
use uuid::Uuid;

/// Bytes that may wait. The server takes as much from an agent in all, so that
/// nothing is lost here that it would keep.
const MAX_QUEUED: usize = 1024 * 1024;
/// Bytes in one batch.
const MAX_BATCH: usize = 512 * 1024;
/// What a line counts beyond its text.
const LINE_OVERHEAD: usize = 21;
/// How long lines may wait for company.
const FLUSH: Duration = Duration::from_millis(250);

#[derive(Debug)]
struct Line {
    source: Uuid,
    at: SystemTime,
    level: Level,
    text: String,
}

impl Line {
    fn size(&self) -> usize {
        self.text.len() + LINE_OVERHEAD
    }
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Line>,
    bytes: usize,
    dropped: u64,
    /// The server takes no more.
    full: bool,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Logs {
    state: Mutex<State>,
    changed: Notify,
    drained: Notify,
}

impl Logs {
    /// Adds a line. Lines that do not fit are counted and dropped: a script
    /// must not stall because the server is out of reach.
    pub fn push(&self, source: Uuid, level: Level, text: String) {
        let line = Line {
            source,
            at: SystemTime::now(),
            level,
            text,
        };
        let mut state = self.state.lock();
        if state.full {
            return;
        }
        if state.bytes + line.size() > MAX_QUEUED {
            state.dropped += 1;
            if state.dropped == 1 {
                tracing::warn!(
                    "script logs come faster than they can be sent; some lines are lost"
                );
            }
            return;
        }
        state.bytes += line.size();
        state.lines.push_back(line);
        drop(state);
        self.changed.notify_one();
    }

    /// Sends what is there and what comes, until the first failure.
    pub async fn send(&self, client: &AgentClient) -> Result<(), rpc::drpc::Error> {
        loop {
            let Some((request, count)) = self.batch() else {
                self.changed.notified().await;
                tokio::time::sleep(FLUSH).await;
                continue;
            };
            let response = client.batch_create_logs(&request).await?;
            self.sent(count, response.log_limit_exceeded);
            if response.log_limit_exceeded {
                tracing::warn!(
                    "the server has reached its limit of logs for this agent; no more are sent"
                );
            }
        }
    }

    /// The next lines of one source, and how many they are.
    fn batch(&self) -> Option<(proto::BatchCreateLogsRequest, usize)> {
        let state = self.state.lock();
        let source = state.lines.front()?.source;
        let mut bytes = 0;
        let logs: Vec<proto::Log> = state
            .lines
            .iter()
            .take_while(|line| {
                bytes += line.size();
                line.source == source && bytes <= MAX_BATCH
            })
            .map(|line| proto::Log {
                created_at: Some(line.at.into()),
                output: line.text.clone(),
                level: line.level.into(),
            })
            .collect();
        let count = logs.len();
        let log_source_id = source.as_bytes().to_vec();
        Some((
            proto::BatchCreateLogsRequest {
                log_source_id,
                logs,
            },
            count,
        ))
    }

    fn sent(&self, count: usize, full: bool) {
        let mut state = self.state.lock();
        let sent: usize = state.lines.drain(..count).map(|line| line.size()).sum();
        state.bytes -= sent;
        if full {
            state.full = true;
            state.lines.clear();
            state.bytes = 0;
        }
        if state.lines.is_empty() {
            // A burst must not keep its memory.
            state.lines.shrink_to(64);
            self.drained.notify_waiters();
        }
    }

    /// Returns when nothing waits.
    pub async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            // Registered before the check, so that no ring is missed.
            drained.as_mut().enable();
            if self.state.lock().lines.is_empty() {
                return;
            }
            drained.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_one_source_in_order() {
        let logs = Logs::default();
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for (source, text) in [(a, "1"), (a, "2"), (b, "3"), (a, "4")] {
            logs.push(source, Level::Info, text.into());
        }
        let mut seen = Vec::new();
        while let Some((request, count)) = logs.batch() {
            seen.push(
                request
                    .logs
                    .iter()
                    .map(|l| l.output.clone())
                    .collect::<String>(),
            );
            logs.sent(count, false);
        }
        assert_eq!(seen, ["12", "3", "4"]);
    }

    #[test]
    fn ten_thousand_lines_fit_and_more_are_bounded() {
        let logs = Logs::default();
        for n in 0..10_000 {
            logs.push(Uuid::nil(), Level::Info, format!("line {n}"));
        }
        assert_eq!(logs.state.lock().dropped, 0);
        logs.push(Uuid::nil(), Level::Info, "x".repeat(MAX_QUEUED));
        assert_eq!(logs.state.lock().dropped, 1);
    }

    #[test]
    fn nothing_is_kept_once_the_server_is_full() {
        let logs = Logs::default();
        logs.push(Uuid::nil(), Level::Info, "a".into());
        logs.push(Uuid::nil(), Level::Info, "b".into());
        logs.sent(1, true);
        logs.push(Uuid::nil(), Level::Info, "c".into());
        assert!(logs.batch().is_none());
    }
}
