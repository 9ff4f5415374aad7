//! `coder_report_task`: people see what an AI is at. The agent of the workspace takes it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use mcp::Tool;
use rpc::AgentSocketClient;
use rpc::proto::agent::UpdateAppStatusRequest;
use rpc::proto::agent::update_app_status_request::AppStatusState as State;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use toolbox::{Args, Argument, schema};

pub(super) const NAME: &str = "coder_report_task";
/// Characters of a summary.
const MAX_SUMMARY: usize = 160;
/// An AgentAPI that went away is looked for again after this.
const RETRY: Duration = Duration::from_secs(5);
/// Bytes of one of its events.
const MAX_EVENT: usize = 1 << 20;

const ARGUMENTS: &[Argument] = &[
    (
        "summary*",
        "string",
        "What you are at, in less than 160 characters on one line.",
    ),
    (
        "link*",
        "string",
        "Address of something that belongs to it, such as a pull request.",
    ),
    ("state*", "working|complete|idle|failure", "How it stands."),
];

/// The tool as it is offered.
pub(super) fn offer() -> Tool {
    Tool {
        name: NAME.to_owned(),
        description:
            "Report progress on your work. The user sees it beside the workspace: use this \
                      to keep them up to date, or when you need help. Good: \"Cloning the \
                      repository <address>\", \"Finding out why <problem> happens\"; bad: \"I'm \
                      working on it\". Report the state \"working\" again and again; \"complete\", \
                      \"idle\" and \"failure\" only when you have fully ended the task."
                .to_owned(),
        schema: schema(ARGUMENTS),
        read_only: false,
        destructive: false,
    }
}

/// Tells the agent of the workspace.
pub struct Reporter {
    client: AgentSocketClient,
    slug: String,
    /// Something else tells when the AI is at work.
    watched: bool,
    last: Mutex<Option<Report>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Report {
    state: State,
    summary: String,
    link: String,
}

impl Reporter {
    /// Reports under an app.
    pub fn new(client: AgentSocketClient, slug: String, watched: bool) -> Self {
        Reporter {
            client,
            slug,
            watched,
            last: Mutex::default(),
        }
    }

    /// Tells what is new.
    async fn tell(&self, report: Report) -> Result<()> {
        let mut last = self.last.lock().await;
        if last.as_ref() == Some(&report) {
            return Ok(());
        }
        let request = UpdateAppStatusRequest {
            slug: self.slug.clone(),
            state: report.state.into(),
            message: report.summary.clone(),
            uri: report.link.clone(),
        };
        let told = self.client.update_app_status(&request).await;
        told.context("tell the agent")?;
        *last = Some(report);
        Ok(())
    }

    /// The same summary in another state.
    async fn becomes(&self, state: State) -> Result<()> {
        let last = self.last.lock().await.clone();
        let (summary, link) = last
            .map(|last| (last.summary, last.link))
            .unwrap_or_default();
        self.tell(Report {
            state,
            summary,
            link,
        })
        .await
    }

    /// Follows an AgentAPI, which sees by the AI's screen whether it is at work. Does not end.
    pub async fn watch(&self, url: &str) {
        loop {
            if let Err(error) = self.follow(url).await {
                tracing::debug!(%error, "the AgentAPI is away");
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn follow(&self, url: &str) -> Result<()> {
        let url = format!("{}/events", url.trim_end_matches('/'));
        let mut events = mcp::EventStream::open(&url, client::system_tls()?, MAX_EVENT).await?;
        while let Some(event) = events.next().await {
            let (kind, data) = event?;
            let data: Value = serde_json::from_str(&data).unwrap_or_default();
            match (
                kind.as_str(),
                data["status"].as_str(),
                data["role"].as_str(),
            ) {
                ("status_change", Some("stable"), _) => self.becomes(State::Idle).await?,
                // A screen that moves may be a clock; work begins with what someone said.
                ("message_update", _, Some("user")) => self.becomes(State::Working).await?,
                _ => {}
            }
        }
        bail!("its events have ended")
    }

    /// What the tool does.
    pub(super) async fn report(&self, args: Args) -> Result<Value> {
        let state = match args.text("state")? {
            "working" => State::Working,
            // The one who watches the screen knows better when it rests.
            "idle" if self.watched => State::Working,
            "idle" => State::Idle,
            "complete" => State::Complete,
            "failure" => State::Failure,
            other => bail!("state must be working, complete, idle or failure, not {other:?}"),
        };
        let summary = args.text("summary")?;
        if summary.chars().count() > MAX_SUMMARY {
            bail!("summary must be less than {MAX_SUMMARY} characters");
        }
        let report = Report {
            state,
            summary: summary.to_owned(),
            link: args.maybe("link")?.unwrap_or_default().to_owned(),
        };
        self.tell(report).await?;
        Ok(json!({ "message": "Thanks for reporting!" }))
    }
}
