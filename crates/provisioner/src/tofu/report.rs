//! Reads what a run prints: log lines, stages, timings and the errors that explain a failure.

use chrono::{DateTime, Utc};
use rpc::proto::provisioner::LogLevel;

use crate::log::JobLog;

use super::process::Line;
use super::{Diagnostic, Event, RunError, Stage, Timings};

/// Errors kept of one run.
const MAX_ERRORS: usize = 100;

/// Follows one run.
#[derive(Debug)]
pub struct Report<'a> {
    log: &'a JobLog,
    timings: &'a mut Timings,
    name: String,
    stage: Stage,
    since: DateTime<Utc>,
    /// The stage's name from the moment on at which the plan is complete, in a run that plans and
    /// applies in one go.
    then: Option<String>,
    errors: Vec<Diagnostic>,
    debug: bool,
}

impl<'a> Report<'a> {
    /// A run whose lines belong to the stage called `name`.
    pub fn new(log: &'a JobLog, timings: &'a mut Timings, name: &str, stage: Stage) -> Self {
        Self {
            log,
            timings,
            name: name.to_owned(),
            stage,
            since: Utc::now(),
            then: None,
            errors: Vec::new(),
            debug: false,
        }
    }

    /// When the plan is complete, the run goes on as the stage `name`, which applies it.
    #[must_use]
    pub fn then_apply(mut self, name: &str) -> Self {
        self.then = Some(name.to_owned());
        self
    }

    /// Whether debug lines are logged too.
    #[must_use]
    pub fn with_debug(mut self, debug: bool) -> Self {
        self.debug = debug;
        self
    }

    /// Takes one printed line.
    pub fn line(&mut self, line: Line<'_>) {
        match line {
            Line::Out(bytes) => self.out(bytes),
            Line::Err(bytes) => self.err(bytes),
        }
    }

    fn out(&mut self, bytes: &[u8]) {
        let Some(event) = Event::parse(bytes) else {
            let text = String::from_utf8_lossy(bytes);
            if !text.trim().is_empty() {
                self.log.line(LogLevel::Info, &self.name, &text);
            }
            return;
        };
        if event
            .diagnostic
            .as_ref()
            .is_some_and(Diagnostic::is_own_override)
        {
            return;
        }
        self.begin_apply(&event);
        self.timings.event(self.stage, &event);
        let level = event.log_level();
        if self.shows(level) {
            for text in event.message.lines() {
                self.log.line(level, &self.name, text);
            }
        }
        if let Some(diagnostic) = event.diagnostic {
            let level = super::event::level(&diagnostic.severity);
            for text in diagnostic.lines() {
                self.log.line(level, &self.name, &text);
            }
            if diagnostic.is_error() && self.errors.len() < MAX_ERRORS {
                self.errors.push(diagnostic);
            }
        }
    }

    /// Error output is debug logs as JSON when asked for by TF_LOG, and text otherwise.
    fn err(&mut self, bytes: &[u8]) {
        if let Some(event) = Event::parse(bytes) {
            let level = match event.log_level() {
                LogLevel::Trace => return,
                LogLevel::Info => LogLevel::Debug,
                other => other,
            };
            if self.shows(level) {
                self.log.line(level, &self.name, &event.message);
            }
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        if !text.trim().is_empty() {
            self.log.line(LogLevel::Error, &self.name, &text);
        }
    }

    fn shows(&self, level: LogLevel) -> bool {
        match level {
            LogLevel::Trace => false,
            LogLevel::Debug => self.debug,
            _ => true,
        }
    }

    fn begin_apply(&mut self, event: &Event) {
        let Some(next) = &self.then else { return };
        // Reading a data source is announced like applying a resource, but belongs to the plan.
        let applies = match event.kind.as_str() {
            "apply_start" => event.hook.as_ref().is_some_and(|h| h.action != "read"),
            "change_summary" => event
                .changes
                .as_ref()
                .is_some_and(|c| c.operation != "plan"),
            _ => false,
        };
        if applies {
            let now = Utc::now();
            self.timings.stage(self.stage, self.since, now, true);
            self.log.stage(next);
            self.name.clone_from(next);
            self.stage = Stage::Apply;
            self.since = now;
            self.then = None;
        }
    }

    /// Ends the stage and puts the reported errors into a failure.
    ///
    /// # Errors
    /// That of the run.
    pub fn finish<T>(self, outcome: Result<T, RunError>) -> Result<T, RunError> {
        let failed = outcome.is_err();
        self.timings
            .stage(self.stage, self.since, Utc::now(), !failed);
        outcome.map_err(|error| match error {
            RunError::Failed {
                command,
                status,
                stderr,
                ..
            } => RunError::Failed {
                command,
                status,
                errors: self.errors,
                stderr,
            },
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_becomes_two_stages() {
        let log = JobLog::new();
        let mut timings = Timings::default();
        let mut report = Report::new(&log, &mut timings, "Planning Infrastructure", Stage::Plan)
            .then_apply("Starting workspace");
        for line in [
            r#"{"@level":"warn","@message":"Warning: Provider development overrides are in effect","type":"diagnostic","diagnostic":{"severity":"warning","summary":"Provider development overrides are in effect"}}"#,
            r#"{"@level":"info","@message":"reading","type":"apply_start","hook":{"action":"read","resource":{"addr":"data.a.b"}}}"#,
            r#"{"@level":"info","@message":"Plan: 1 to add","type":"change_summary","changes":{"operation":"plan"}}"#,
            r#"{"@level":"info","@message":"creating","type":"apply_start","hook":{"action":"create","resource":{"addr":"a.b"}}}"#,
            r#"{"@level":"error","@message":"Error: no","type":"diagnostic","diagnostic":{"severity":"error","summary":"no","detail":"never"}}"#,
            "plain text",
        ] {
            report.line(Line::Out(line.as_bytes()));
        }
        let failed = Err::<(), _>(RunError::Failed {
            command: "apply".into(),
            status: "exit status 1".into(),
            errors: vec![],
            stderr: String::new(),
        });
        let error = report.finish(failed).unwrap_err();
        assert_eq!(error.to_string(), "terraform apply: no: never");
        let lines: Vec<_> = log
            .take()
            .into_iter()
            .map(|l| (l.stage, l.output))
            .collect();
        let shown: Vec<_> = lines.iter().map(|(s, o)| (&s[..8], o.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("Planning", "reading"),
                ("Planning", "Plan: 1 to add"),
                ("Starting", ""),
                ("Starting", "creating"),
                ("Starting", "Error: no"),
                ("Starting", "never"),
                ("Starting", "plain text"),
            ]
        );
        let stages: Vec<_> = timings.finish().into_iter().map(|t| t.stage).collect();
        assert_eq!(stages, ["plan", "apply"]);
    }
}
