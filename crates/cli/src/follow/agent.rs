//! Waiting for an agent: until it is connected, and until its startup scripts
//! are done where the template or the person wants that.

use std::time::Duration;

use anyhow::{Result, bail};
use api_types::{
    Workspace, WorkspaceAgent, WorkspaceAgentLifecycle, WorkspaceAgentLog, WorkspaceAgentStatus,
    WorkspaceTransition,
};
use chrono::Utc;
use clap::ValueEnum;
use client::{Client, Error, WorkspaceWatch};
use tokio::time::Instant;

use crate::failure::Advice;
use crate::follow::absence::{Absence, PATIENCE, Step};
use crate::follow::stages::printable;
use crate::session::Session;
use crate::ui::time::took;

/// News come by the watch; asking as well covers servers that tell late.
const POLL: Duration = Duration::from_secs(2);

/// Whether to wait for startup scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    /// Always.
    Yes,
    /// Never.
    No,
    /// As the template says.
    Auto,
}

/// What to do about an agent in some state.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Go on.
    Ready,
    /// Wait for this.
    Wait(&'static str),
    /// It will never be reachable.
    Refuse(&'static str),
}

fn judge(agent: &WorkspaceAgent, wait: Wait) -> Verdict {
    use WorkspaceAgentLifecycle as L;
    match agent.status {
        WorkspaceAgentStatus::Connected => {}
        WorkspaceAgentStatus::Disconnected => {
            return Verdict::Wait("Waiting for the workspace agent to reconnect");
        }
        _ => return Verdict::Wait("Waiting for the workspace agent to connect"),
    }
    let blocks = match wait {
        Wait::Yes => true,
        Wait::No => false,
        Wait::Auto => agent.scripts.iter().any(|s| s.start_blocks_login),
    };
    match agent.lifecycle_state {
        L::Created | L::Starting if blocks => {
            Verdict::Wait("Running workspace agent startup scripts")
        }
        L::ShuttingDown | L::ShutdownError | L::ShutdownTimeout => {
            Verdict::Refuse("the workspace is shutting down")
        }
        L::Off => Verdict::Refuse("the workspace agent has shut down"),
        _ => Verdict::Ready,
    }
}

/// Waits until `agent` can be used; gives it as it is then. An error once it, or the server, was
/// away for longer than makes sense, and when the workspace is stopped meanwhile.
pub async fn until_ready(
    session: &Session,
    workspace: &Workspace,
    mut agent: WorkspaceAgent,
    wait: Wait,
) -> Result<WorkspaceAgent> {
    let mut news = News::new(session.client()?);
    let mut stage = Stage::default();
    let mut logs = Logs::default();
    let mut absence = Absence::default();
    loop {
        match judge(&agent, wait) {
            Verdict::Ready => {
                stage.end(session);
                warn_of_failed_start(session, &agent, wait);
                return Ok(agent);
            }
            Verdict::Refuse(reason) => {
                return Err(Advice::error(
                    format!("cannot connect: {reason}"),
                    format!(
                        "Wait for it, or restart it with 'coder restart {}'.",
                        workspace.name
                    ),
                ));
            }
            Verdict::Wait(what) => stage.begin(session, what),
        }
        if agent.status == WorkspaceAgentStatus::Connected {
            absence.over();
            logs.show(session, news.client, &agent).await;
        } else {
            if agent.status == WorkspaceAgentStatus::Timeout {
                stage.warn_once(session, &agent);
            }
            match absence.seen(&agent, Utc::now()) {
                Step::Wait => {}
                Step::Remind(text) => session.note(&text),
                Step::GiveUp(reason) => {
                    return Err(Advice::error(
                        reason,
                        format!(
                            "Its process or its machine may be gone: 'coder show {0}' tells its state, \
                             'coder restart {0}' starts it anew.",
                            workspace.name
                        ),
                    ));
                }
            }
        }
        agent = news.next(workspace, &agent).await?;
    }
}

/// What the server tells of a workspace: by a watch, and by asking.
struct News<'a> {
    client: &'a Client,
    watch: Option<WorkspaceWatch>,
    /// When the server answered last.
    heard: Instant,
}

impl<'a> News<'a> {
    fn new(client: &'a Client) -> Self {
        Self {
            client,
            watch: None,
            heard: Instant::now(),
        }
    }

    /// The agent after the next news of it, or after a while.
    async fn next(
        &mut self,
        workspace: &Workspace,
        agent: &WorkspaceAgent,
    ) -> Result<WorkspaceAgent> {
        if self.watch.is_none() {
            // Without it, asking alone is slower but does.
            self.watch = self.client.workspace_watch(workspace.id).await.ok();
        }
        let news = async {
            match &mut self.watch {
                Some(watch) => watch.next().await,
                None => std::future::pending().await,
            }
        };
        let now = match tokio::time::timeout(POLL, news).await {
            Ok(Some(Ok(now))) => now,
            Ok(None | Some(Err(_))) => {
                self.watch = None;
                tokio::time::sleep(POLL).await;
                return self.ask(workspace, agent).await;
            }
            Err(_) => return self.ask(workspace, agent).await,
        };
        self.heard = Instant::now();
        agent_of(workspace, &now, agent)
    }

    /// Asks for the whole workspace: an agent does not tell that its workspace is stopped.
    async fn ask(
        &mut self,
        workspace: &Workspace,
        agent: &WorkspaceAgent,
    ) -> Result<WorkspaceAgent> {
        match self.client.workspace(workspace.id).await {
            Ok(now) => {
                self.heard = Instant::now();
                agent_of(workspace, &now, agent)
            }
            Err(e) if e.is_transient() && self.heard.elapsed() < PATIENCE => Ok(agent.clone()),
            Err(e) if e.is_transient() => Err(anyhow::Error::new(e).context(format!(
                "the server does not answer for {} minutes",
                PATIENCE.as_secs() / 60
            ))),
            Err(e) => Err(e.into()),
        }
    }
}

/// The agent as it is `now`; an error if the workspace is built again.
fn agent_of(before: &Workspace, now: &Workspace, agent: &WorkspaceAgent) -> Result<WorkspaceAgent> {
    if now.latest_build.id != before.latest_build.id {
        let what = match now.latest_build.transition {
            WorkspaceTransition::Start => "is being started anew",
            WorkspaceTransition::Delete => "is being deleted",
            _ => "is being stopped",
        };
        bail!("the workspace {what} meanwhile");
    }
    let found = crate::commands::lookup::agents(now).find(|a| a.id == agent.id);
    Ok(found.unwrap_or(agent).clone())
}

/// The heading under which the person waits.
#[derive(Default)]
struct Stage {
    current: Option<(&'static str, Instant)>,
    warned: bool,
}

impl Stage {
    fn begin(&mut self, session: &Session, what: &'static str) {
        if self.current.is_some_and(|(name, _)| name == what) {
            return;
        }
        self.end(session);
        session.note(&session.style_err.bold(&format!("==> ⧗ {what}")));
        self.current = Some((what, Instant::now()));
    }

    fn end(&mut self, session: &Session) {
        if let Some((what, since)) = self.current.take() {
            session.note(
                &session
                    .style_err
                    .good(&format!("=== ✔ {what} [{}]", took(since.elapsed()))),
            );
        }
    }

    fn warn_once(&mut self, session: &Session, agent: &WorkspaceAgent) {
        if std::mem::replace(&mut self.warned, true) {
            return;
        }
        let help = match agent.troubleshooting_url.as_str() {
            "" => "See the build's log ('coder logs') and the agent's own log on its machine."
                .to_owned(),
            url => format!("For help see {url}"),
        };
        session.note(&session.style_err.warn(&format!(
            "The workspace agent takes longer than expected to connect. {help}"
        )));
    }
}

/// Start scripts that failed are no reason not to enter, but to look.
fn warn_of_failed_start(session: &Session, agent: &WorkspaceAgent, wait: Wait) {
    let problem = match agent.lifecycle_state {
        WorkspaceAgentLifecycle::StartError => "A startup script exited with an error",
        WorkspaceAgentLifecycle::StartTimeout => "A startup script took too long",
        WorkspaceAgentLifecycle::Starting | WorkspaceAgentLifecycle::Created
            if wait == Wait::Auto && session.interactive() =>
        {
            "Startup scripts are still running"
        }
        _ => return,
    };
    session.note(&session.style_err.warn(&format!(
        "{problem}: your workspace may be incomplete. 'coder logs' shows what they said."
    )));
}

/// Prints what the startup scripts say, each line once.
#[derive(Default)]
struct Logs {
    after: i64,
}

impl Logs {
    async fn show(&mut self, session: &Session, client: &Client, agent: &WorkspaceAgent) {
        // The scripts matter, not their log: a failure to read it is no reason to stop.
        let lines: Result<Vec<WorkspaceAgentLog>, Error> =
            client.agent_logs(agent.id, self.after).await;
        for line in lines.unwrap_or_default() {
            self.after = self.after.max(line.id);
            session.note(&printable(&line.output));
        }
    }
}

#[cfg(test)]
mod tests {
    use api_types::WorkspaceAgentScript;

    use super::*;

    fn agent(
        status: WorkspaceAgentStatus,
        lifecycle: WorkspaceAgentLifecycle,
        blocks: bool,
    ) -> WorkspaceAgent {
        WorkspaceAgent {
            status,
            lifecycle_state: lifecycle,
            scripts: vec![WorkspaceAgentScript {
                start_blocks_login: blocks,
                ..WorkspaceAgentScript::default()
            }],
            ..WorkspaceAgent::default()
        }
    }

    #[test]
    fn scripts_block_as_template_and_person_say() {
        use {Wait::*, WorkspaceAgentLifecycle as L, WorkspaceAgentStatus as S};
        let verdict =
            |lifecycle, blocks, wait| judge(&agent(S::Connected, lifecycle, blocks), wait);
        assert_eq!(verdict(L::Starting, false, Auto), Verdict::Ready);
        assert!(matches!(verdict(L::Starting, true, Auto), Verdict::Wait(_)));
        assert_eq!(verdict(L::Starting, true, No), Verdict::Ready);
        assert!(matches!(verdict(L::Created, false, Yes), Verdict::Wait(_)));
        assert_eq!(verdict(L::StartError, true, Yes), Verdict::Ready);
        assert!(matches!(verdict(L::Off, false, No), Verdict::Refuse(_)));
    }

    #[test]
    fn an_agent_that_is_not_connected_is_waited_for() {
        use {WorkspaceAgentLifecycle as L, WorkspaceAgentStatus as S};
        for status in [S::Connecting, S::Disconnected, S::Timeout, S::Unset] {
            assert!(matches!(
                judge(&agent(status, L::Ready, false), Wait::No),
                Verdict::Wait(_)
            ));
        }
    }
}
