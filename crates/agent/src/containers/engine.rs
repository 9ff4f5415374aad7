//! The command line of Docker or Podman: they answer alike.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use api_types::WorkspaceAgentContainer;
use tokio::process::Command;

use super::inspect;
use crate::process;

/// Programs that are looked for, in this order.
const PROGRAMS: [&str; 2] = ["docker", "podman"];
/// How long the engine may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of an answer: about ten kilobytes a container.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// … and of complaints.
const MAX_COMPLAINT: usize = 64 * 1024;
/// Bytes of the reason of a failure: a message, and not a file that happens to be there.
const MAX_REASON: usize = 1000;
/// Containers that are looked at.
const MAX_CONTAINERS: usize = 1000;

/// Why nothing is known of containers.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no engine.
    #[error("neither docker nor podman is installed in this workspace")]
    Absent,
    /// It could not be run.
    #[error("{0} could not be run: {1}")]
    Io(&'static str, std::io::Error),
    /// It did not come to an end.
    #[error("{0} did not answer within {secs} seconds", secs = TIMEOUT.as_secs())]
    Timeout(&'static str),
    /// It failed.
    #[error("{0} failed: {1}")]
    Failed(&'static str, String),
    /// What it says is not understood.
    #[error("the answer of {0} is not understood: {1}")]
    Answer(&'static str, String),
}

/// An engine.
#[derive(Debug, Clone)]
pub struct Engine {
    name: &'static str,
    program: PathBuf,
}

impl Engine {
    /// The engine of this machine.
    pub fn find() -> Result<Self, EngineError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        PROGRAMS
            .into_iter()
            .find_map(|name| {
                std::env::split_paths(&path)
                    .map(|directory| directory.join(name))
                    .find(|program| program.is_file())
                    .map(|program| Self { name, program })
            })
            .ok_or(EngineError::Absent)
    }

    /// Where it is.
    pub fn program(&self) -> &PathBuf {
        &self.program
    }

    /// Every container, and warnings for people.
    pub async fn list(&self) -> Result<(Vec<WorkspaceAgentContainer>, Vec<String>), EngineError> {
        let ps = self.ask(&["ps", "--all", "--quiet", "--no-trunc"]).await?;
        let ids = String::from_utf8_lossy(&ps.out).into_owned();
        let mut warnings = ps.complaints();
        let ids: Vec<_> = ids.split_whitespace().collect();
        if ids.len() > MAX_CONTAINERS {
            warnings.push(format!(
                "there are {} containers; only {MAX_CONTAINERS} are shown",
                ids.len()
            ));
        }
        let shown = &ids[..ids.len().min(MAX_CONTAINERS)];
        if shown.is_empty() {
            return Ok((Vec::new(), warnings));
        }
        let mut arguments = vec!["inspect"];
        arguments.extend(shown);
        // One that was removed meanwhile makes the command fail, after the others were told of.
        let answer = match self.run(&arguments).await? {
            (answer, false) if answer.out.trim_ascii().is_empty() => {
                return Err(EngineError::Failed(self.name, answer.reason()));
            }
            (answer, _) => answer,
        };
        warnings.extend(answer.complaints());
        let containers = inspect::parse(&answer.out, &mut warnings)
            .map_err(|error| EngineError::Answer(self.name, error.to_string()))?;
        Ok((containers, warnings))
    }

    /// What the engine says to a command that must not fail.
    pub async fn ask(&self, arguments: &[&str]) -> Result<Answer, EngineError> {
        match self.run(arguments).await? {
            (answer, true) => Ok(answer),
            (answer, false) => Err(EngineError::Failed(self.name, answer.reason())),
        }
    }

    async fn run(&self, arguments: &[&str]) -> Result<(Answer, bool), EngineError> {
        let failed = |error| EngineError::Io(self.name, error);
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (Some(out), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(std::io::Error::other("no pipes")));
        };
        let run = async {
            let (out, errors) = tokio::try_join!(
                process::first(out, MAX_ANSWER),
                process::first_of_all(errors, MAX_COMPLAINT)
            )?;
            let status = child.wait().await?;
            Ok((Answer { out, errors }, status.success()))
        };
        tokio::time::timeout(TIMEOUT, run)
            .await
            .map_err(|_| EngineError::Timeout(self.name))?
            .map_err(failed)
    }
}

/// What a command said.
#[derive(Debug, Default)]
pub struct Answer {
    /// Its standard output.
    pub out: Vec<u8>,
    errors: Vec<u8>,
}

impl Answer {
    /// Why the command failed. What could not be run in a container is told on standard output.
    fn reason(&self) -> String {
        let said = if self.errors.trim_ascii().is_empty() {
            &self.out
        } else {
            &self.errors
        };
        let said = &said[..said.len().min(MAX_REASON)];
        String::from_utf8_lossy(said).trim().to_owned()
    }

    fn complaints(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.errors).trim().to_owned();
        if text.is_empty() {
            Vec::new()
        } else {
            vec![text]
        }
    }
}
