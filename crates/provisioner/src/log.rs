//! The log of one job: lines are queued here and taken in batches by whoever reports them.
//!
//! A batch is due [`BATCH`] after its first line, however many follow: a steady stream never
//! delays itself. The whole log is bounded by [`MAX_LOG_BYTES`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rpc::proto::provisioner::LogLevel;
use rpc::proto::provisionerd::{Log, LogSource};
use tokio::sync::Notify;

/// How long the first line of a batch waits for more.
pub const BATCH: Duration = Duration::from_millis(50);
/// Bytes of output that one job may log; what follows is left out, and [`OVERFLOW`] says so.
pub const MAX_LOG_BYTES: usize = 1 << 20;
/// The last line of a log that was too long.
pub const OVERFLOW: &str =
    "The log is longer than 1 MiB. The rest of it is left out; the build goes on.";
/// Characters of one line: the protocol's limit. Longer ones are folded.
const MAX_LINE_CHARS: usize = 1024;
/// Lines into which one printed line is folded at most.
const MAX_FOLDS: usize = 16;
/// Characters of a stage's name.
const MAX_STAGE_CHARS: usize = 128;

/// The log of one job. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct JobLog {
    queue: Arc<Mutex<Queue>>,
    added: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<Log>,
    first: Option<Instant>,
    bytes: usize,
    overflowed: bool,
}

impl JobLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a stage: an empty line of the daemon's own.
    pub fn stage(&self, stage: &str) {
        self.push(LogSource::ProvisionerDaemon, LogLevel::Info, stage, "");
    }

    /// A line that Terraform printed, or that we say in its place.
    pub fn line(&self, level: LogLevel, stage: &str, text: &str) {
        self.push(LogSource::Provisioner, level, stage, text);
    }

    fn push(&self, source: LogSource, level: LogLevel, stage: &str, text: &str) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.overflowed {
            return;
        }
        let created_at = chrono::Utc::now().timestamp_millis();
        let stage: String = stage.chars().take(MAX_STAGE_CHARS).collect();
        // NUL cannot be stored in PostgreSQL's text.
        let text = text.replace('\0', "\u{fffd}");
        for part in fold(&text) {
            let overflow = queue.bytes + part.len() > MAX_LOG_BYTES;
            let (level, output) = if overflow {
                (LogLevel::Warn, OVERFLOW)
            } else {
                (level, part)
            };
            queue.bytes += part.len();
            queue.overflowed = overflow;
            queue.lines.push(Log {
                source: source.into(),
                level: level.into(),
                created_at,
                stage: stage.clone(),
                output: output.to_owned(),
            });
            if overflow {
                break;
            }
        }
        queue.first.get_or_insert_with(Instant::now);
        self.added.notify_one();
    }

    /// Adds all lines of a log that was kept aside.
    pub fn append(&self, other: &Self) {
        for log in other.take() {
            let level = LogLevel::try_from(log.level).unwrap_or(LogLevel::Info);
            let source = LogSource::try_from(log.source).unwrap_or(LogSource::Provisioner);
            self.push(source, level, &log.stage, &log.output);
        }
    }

    /// Waits until a batch is due.
    pub async fn due(&self) {
        loop {
            let first = {
                let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                queue.first
            };
            match first {
                Some(first) => {
                    tokio::time::sleep_until((first + BATCH).into()).await;
                    return;
                }
                None => self.added.notified().await,
            }
        }
    }

    /// Takes all lines that are queued.
    pub fn take(&self) -> Vec<Log> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.first = None;
        std::mem::take(&mut queue.lines)
    }

    /// Whether lines were left out.
    pub fn overflowed(&self) -> bool {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.overflowed
    }
}

/// A printed line as lines of the protocol's length.
fn fold(text: &str) -> Vec<&str> {
    if text.len() <= MAX_LINE_CHARS {
        return vec![text];
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && parts.len() < MAX_FOLDS {
        let end = rest
            .char_indices()
            .nth(MAX_LINE_CHARS)
            .map_or(rest.len(), |(at, _)| at);
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_steady_stream_does_not_delay_itself() {
        let log = JobLog::new();
        let writer = log.clone();
        let write = tokio::spawn(async move {
            loop {
                writer.line(LogLevel::Info, "s", "x");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        log.due().await;
        let taken = log.take().len();
        write.abort();
        assert!(taken < 50, "{taken} lines were kept waiting");
    }

    #[test]
    fn long_lines_are_folded_and_long_logs_end() {
        let log = JobLog::new();
        log.line(LogLevel::Info, "s", &"ä".repeat(3000));
        let lines = log.take();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|l| l.output.chars().count() <= 1024));
        for _ in 0..2000 {
            log.line(LogLevel::Info, "s", &"x".repeat(1000));
        }
        let lines = log.take();
        assert!(log.overflowed());
        assert_eq!(lines.last().unwrap().output, OVERFLOW);
        log.line(LogLevel::Info, "s", "more");
        assert!(log.take().is_empty());
    }

    #[test]
    fn nul_bytes_are_replaced() {
        let log = JobLog::new();
        log.line(LogLevel::Info, "s", "a\0b");
        assert_eq!(log.take()[0].output, "a\u{fffd}b");
    }
}
