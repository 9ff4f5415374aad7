//! The agent's own log files, for people who look for a fault.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::ReaderStream;

/// The file that is written to; older ones have a number behind their name.
const ACTIVE: &str = "coder-agent.log";
/// Bytes of the active file that are sent.
const MAX_ACTIVE: u64 = 10 * 1024 * 1024;
/// Bytes of all files that are sent.
const MAX_ALL: u64 = 100 * 1024 * 1024;
/// Bytes read at once.
const READ: usize = 64 * 1024;

type Text = Pin<Box<dyn AsyncRead + Send>>;

/// The active log; with `after`, each log that was written to since, the latest
/// first, under a headline of its own. Blocks.
pub fn open(directory: &Path, after: Option<DateTime<Utc>>) -> io::Result<ReaderStream<Text>> {
    let active = std::fs::File::open(directory.join(ACTIVE))?;
    let Some(after) = after else {
        let text: Text = Box::pin(File::from_std(active).take(MAX_ACTIVE));
        return Ok(ReaderStream::with_capacity(text, READ));
    };
    let modified = active.metadata()?.modified()?;
    let mut left = MAX_ALL;
    let mut text = section(ACTIVE, modified, active, MAX_ACTIVE, &mut left);
    for (name, modified) in older(directory, after.into())? {
        // A file may be put aside once more meanwhile, and its name be free.
        let Ok(file) = std::fs::File::open(directory.join(&name)) else {
            continue;
        };
        let next = section(&format!("\n{name}"), modified, file, MAX_ALL, &mut left);
        text = Box::pin(text.chain(next));
    }
    Ok(ReaderStream::with_capacity(text, READ))
}

fn section(
    name: &str,
    modified: SystemTime,
    file: std::fs::File,
    most: u64,
    left: &mut u64,
) -> Text {
    let time = DateTime::<Utc>::from(modified).to_rfc3339_opts(SecondsFormat::Nanos, true);
    let gap = if name.starts_with('\n') { "\n" } else { "" };
    let head = format!("{gap}=== {} (mtime {time}) ===\n", name.trim_start());
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let bytes = size.min(most).min(left.saturating_sub(head.len() as u64));
    *left = left.saturating_sub(bytes + head.len() as u64);
    Box::pin(io::Cursor::new(head).chain(File::from_std(file).take(bytes)))
}

/// Logs that were put aside, written to since `after`; the latest first.
fn older(directory: &Path, after: SystemTime) -> io::Result<Vec<(String, SystemTime)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name
            .strip_prefix(ACTIVE)
            .and_then(|rest| rest.strip_prefix('.'));
        // Of links nobody knows where they lead.
        let Some(metadata) = number
            .filter(|number| number.parse::<u32>().is_ok())
            .and_then(|_| entry.metadata().ok())
            .filter(std::fs::Metadata::is_file)
        else {
            continue;
        };
        if let Ok(modified) = metadata.modified()
            && modified >= after
        {
            found.push((name, modified));
        }
    }
    found.sort_by_key(|(_, modified)| std::cmp::Reverse(*modified));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    async fn read(directory: &Path, after: Option<DateTime<Utc>>) -> String {
        let mut stream = open(directory, after).unwrap();
        let mut text = Vec::new();
        while let Some(bytes) = stream.next().await {
            text.extend_from_slice(&bytes.unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn older_logs_come_on_request() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        assert!(open(directory.path(), None).is_err());
        std::fs::write(at("coder-agent.log"), "now\n").unwrap();
        std::fs::write(at("coder-agent.log.1"), "before\n").unwrap();
        std::fs::write(at("coder-agent.log.x"), "other\n").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("coder-agent.log.2")).unwrap();
        assert_eq!(read(directory.path(), None).await, "now\n");
        let all = read(directory.path(), Some(DateTime::UNIX_EPOCH)).await;
        let mut lines = all.lines();
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("=== coder-agent.log (mtime ")
        );
        assert_eq!(lines.next(), Some("now"));
        assert_eq!(lines.next(), Some(""));
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("=== coder-agent.log.1 (mtime ")
        );
        assert_eq!((lines.next(), lines.next()), (Some("before"), None));
        let none = read(
            directory.path(),
            Some(Utc::now() + chrono::TimeDelta::days(1)),
        )
        .await;
        assert!(!none.contains("before"));
    }
}
