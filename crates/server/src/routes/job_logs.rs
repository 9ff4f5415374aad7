//! Logs of jobs: as a list, as text, or followed to the end by WebSocket. Mounted by the
//! routes of what jobs work for.

use std::collections::VecDeque;
use std::fmt::Write as _;

use api_types::{ProvisionerJobLog, ProvisionerJobStatus as Status};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use chrono::SecondsFormat;
use control::Control;
use futures::Stream;
use store::provisioner_job_logs::{JOB_LOGS, LogRange};
use uuid::Uuid;

use crate::socket::Socket;
use crate::{ApiError, AppState, Json, QueryParams};

/// What is wanted of a log.
pub(crate) struct Wanted {
    range: LogRange,
    follow: bool,
    text: bool,
}

impl Wanted {
    pub(crate) fn read(mut params: QueryParams) -> Result<Self, ApiError> {
        let number = "a number of a log line";
        let range = LogRange {
            after: params.parse("after", number),
            before: params.parse("before", number),
        };
        let follow = params.has("follow") && params.text("follow") != "false";
        let text = match params.text("format") {
            "" | "json" => false,
            "text" if follow => {
                return Err(ApiError::bad_request(
                    "Text format is not supported with follow mode.",
                )
                .with_detail("Use format=json or omit the follow parameter."));
            }
            "text" => true,
            other => {
                return Err(
                    ApiError::bad_request(format!("Invalid format parameter {other:?}."))
                        .with_detail("Allowed values are \"json\" and \"text\"."),
                );
            }
        };
        params.finish()?;
        Ok(Wanted {
            range,
            follow,
            text,
        })
    }
}

/// Answers with the log of a job that has been allowed to be seen.
pub(crate) async fn answer(
    state: &AppState,
    job: Uuid,
    wanted: Wanted,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    if wanted.follow {
        return Ok(socket?.send(follow(state.control.clone(), job, wanted.range.after)));
    }
    let logs = state.control.job_logs(job, wanted.range).await?;
    if !wanted.text {
        return Ok(Json(logs).into_response());
    }
    let mut text = String::new();
    for log in &logs {
        line(&mut text, log);
    }
    let mut response = text.into_response();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    Ok(response)
}

fn line(text: &mut String, log: &ProvisionerJobLog) {
    let at = log.created_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{at} [{}] [provisioner|{}] {}",
        log.log_level, log.stage, log.output
    );
}

/// Every line of a job as JSON, from after one on, until the job has ended.
fn follow(
    control: Control,
    job: Uuid,
    after: Option<i64>,
) -> impl Stream<Item = Result<String, ApiError>> + Send {
    let start = Follow {
        control,
        job,
        after,
        lines: VecDeque::new(),
        changes: None,
        over: false,
    };
    futures::stream::unfold(start, |mut follow| async move {
        loop {
            if let Some(line) = follow.lines.pop_front() {
                return Some((Ok(line), follow));
            }
            if follow.over {
                return None;
            }
            if let Err(error) = follow.more().await {
                follow.over = true;
                return Some((Err(error.into()), follow));
            }
        }
    })
}

struct Follow {
    control: Control,
    job: Uuid,
    after: Option<i64>,
    lines: VecDeque<String>,
    changes: Option<store::Listener>,
    over: bool,
}

impl Follow {
    /// Reads what has been added; waits first if nothing can have been.
    async fn more(&mut self) -> control::Result<()> {
        match &mut self.changes {
            // Heard of from now on: nothing is missed between reading and waiting.
            None => self.changes = Some(self.control.store().listen(JOB_LOGS).await?),
            Some(changes) => {
                let job = self.job.to_string();
                loop {
                    let changed = changes.recv().await;
                    if changed.is_empty() || changed == job {
                        break;
                    }
                }
            }
        }
        // Asked before reading: what a job printed before it ended is then read too.
        let status = self.control.job_status(self.job).await?;
        let range = LogRange {
            after: self.after,
            before: None,
        };
        for log in self.control.job_logs(self.job, range).await? {
            self.after = Some(log.id);
            self.lines
                .push_back(serde_json::to_string(&log).map_err(control::Error::internal)?);
        }
        self.over = !matches!(
            status,
            Status::Pending | Status::Running | Status::Canceling
        );
        Ok(())
    }
}
