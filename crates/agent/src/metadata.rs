//! Values that scripts collect again and again for the dashboard.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use rpc::AgentClient;
use rpc::proto::agent as proto;
use rpc::proto::agent::workspace_agent_metadata::Result as Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::Notify;

use crate::manifest::Metadata;
use crate::process;
use crate::workspace::Workspace;

/// Most of a script's output that is looked at; the server keeps less.
const MAX_OUTPUT: usize = 10 * 1024;
/// How long results wait for company.
const FLUSH: Duration = Duration::from_secs(1);

/// Collects every value at its interval and sends the results, until the first failure.
pub async fn collect(workspace: &Workspace, client: &AgentClient) -> Result<(), rpc::drpc::Error> {
    let Some(manifest) = workspace.manifest() else {
        return Ok(());
    };
    let results = Mutex::new(BTreeMap::<String, Value>::new());
    let changed = Notify::new();
    let collecting = join_all(manifest.metadata.iter().map(|description| {
        repeat(description, workspace, |value| {
            results.lock().insert(description.key.clone(), value);
            changed.notify_one();
        })
    }));
    let sending = async {
        loop {
            changed.notified().await;
            tokio::time::sleep(FLUSH).await;
            let batch = std::mem::take(&mut *results.lock());
            let metadata = batch.into_iter().map(|(key, value)| proto::Metadata {
                key,
                result: Some(value),
            });
            let request = proto::BatchUpdateMetadataRequest {
                metadata: metadata.collect(),
            };
            client.batch_update_metadata(&request).await?;
        }
    };
    let (_, sent) = tokio::join!(collecting, sending);
    sent
}

async fn repeat(description: &Metadata, workspace: &Workspace, store: impl Fn(Value)) {
    loop {
        let began = tokio::time::Instant::now();
        store(run(description, workspace).await);
        if description.interval.is_zero() {
            return;
        }
        // A script that is slower than its interval follows itself at once.
        tokio::time::sleep_until(began + description.interval).await;
    }
}

async fn run(description: &Metadata, workspace: &Workspace) -> Value {
    let (output, error) = match start(description, workspace).await {
        Ok((output, None)) => (output, String::new()),
        Ok((output, Some(error))) => (output, error),
        Err(error) => (Vec::new(), format!("the script could not be run: {error}")),
    };
    Value {
        collected_at: Some(SystemTime::now().into()),
        age: 0,
        value: String::from_utf8_lossy(&output).into_owned(),
        error,
    }
}

async fn start(
    description: &Metadata,
    workspace: &Workspace,
) -> std::io::Result<(Vec<u8>, Option<String>)> {
    let line = workspace
        .command_line(OsStr::new(&description.script), &[])
        .map_err(std::io::Error::other)?;
    let mut command = line.command();
    process::detach(&mut command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Command::from(command).spawn()?;
    let group = workspace.groups.add(&child);
    let output = Mutex::new(Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let run = async {
        tokio::join!(keep(out, &output), keep(err, &output));
        child.wait().await
    };
    let error = if let Ok(status) = tokio::time::timeout(description.timeout, run).await {
        match status?.code() {
            Some(0) => None,
            Some(code) => Some(format!("exit status {code}")),
            None => Some("ended by a signal".into()),
        }
    } else {
        group.signal(Signal::SIGKILL);
        Some(format!(
            "timed out after {} s",
            description.timeout.as_secs()
        ))
    };
    Ok((output.into_inner(), error))
}

/// Reads to the end and keeps the beginning.
async fn keep(from: Option<impl AsyncRead + Unpin>, output: &Mutex<Vec<u8>>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 2048];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let mut output = output.lock();
        let room = MAX_OUTPUT - output.len();
        output.extend_from_slice(&buffer[..n.min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    async fn value(script: &str, timeout: Duration) -> Value {
        let workspace = testing::workspace();
        let description = Metadata {
            key: "k".into(),
            script: script.into(),
            interval: Duration::ZERO,
            timeout,
        };
        run(&description, &workspace).await
    }

    #[tokio::test]
    async fn values_and_errors_are_told_apart() {
        let good = value("echo 5; echo warned >&2", Duration::from_mins(1)).await;
        assert!(good.value.contains('5') && good.value.contains("warned"));
        assert_eq!(good.error, "");
        let bad = value("echo partial; exit 3", Duration::from_mins(1)).await;
        assert_eq!(
            (bad.value.as_str(), bad.error.as_str()),
            ("partial\n", "exit status 3")
        );
    }

    #[tokio::test]
    async fn endless_scripts_and_outputs_are_cut() {
        let slow = value("sleep 600", Duration::from_millis(50)).await;
        assert!(slow.error.contains("timed out"));
        let wide = value("head -c 100000 /dev/zero", Duration::from_mins(1)).await;
        assert_eq!(wide.value.len(), MAX_OUTPUT);
    }
}
