//! How long each step of a run took, from the start and end events of the stream.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rpc::proto::provisioner::{Timing, TimingState};

use super::Event;

/// Timings kept per job; a template with more resources than this is shown in part.
const MAX_TIMINGS: usize = 10_000;

/// The stages of a build that the timings page knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Preparing the directory.
    Init,
    /// Finding out what to change.
    Plan,
    /// Changing it.
    Apply,
    /// Reading what came out.
    Graph,
}

impl Stage {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Graph => "graph",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    category: &'static str,
    action: String,
    resource: String,
    provider: String,
    stage: Stage,
}

/// Collects timings.
#[derive(Debug, Default)]
pub struct Timings {
    open: BTreeMap<Key, DateTime<Utc>>,
    done: Vec<Timing>,
}

impl Timings {
    /// Takes one event of a run in `stage`.
    pub fn event(&mut self, stage: Stage, event: &Event) {
        let (category, phase) = match event.kind.as_str() {
            "apply_start" => ("apply", None),
            "apply_complete" => ("apply", Some(TimingState::Completed)),
            "apply_errored" => ("apply", Some(TimingState::Failed)),
            "provision_start" => ("provision", None),
            "provision_complete" => ("provision", Some(TimingState::Completed)),
            "provision_errored" => ("provision", Some(TimingState::Failed)),
            "refresh_start" => ("state refresh", None),
            "refresh_complete" => ("state refresh", Some(TimingState::Completed)),
            _ => return,
        };
        let Some(hook) = &event.hook else { return };
        let action = match (category, hook.action.as_str()) {
            ("provision", _) => "provision",
            ("state refresh", "") => "state refresh",
            (_, action) => action,
        };
        let key = Key {
            category,
            action: action.to_owned(),
            resource: hook.resource.addr.clone(),
            provider: hook.resource.implied_provider.clone(),
            stage,
        };
        let at = event.timestamp.unwrap_or_else(Utc::now);
        match phase {
            None => {
                if self.open.len() < MAX_TIMINGS {
                    self.open.insert(key, at);
                }
            }
            Some(state) => {
                if let Some(start) = self.open.remove(&key) {
                    self.add(
                        &key.action,
                        &key.provider,
                        &key.resource,
                        stage,
                        start,
                        at,
                        state,
                    );
                }
            }
        }
    }

    /// Adds the time of a whole stage.
    pub fn stage(&mut self, stage: Stage, start: DateTime<Utc>, end: DateTime<Utc>, ok: bool) {
        let state = if ok {
            TimingState::Completed
        } else {
            TimingState::Failed
        };
        let resource = format!("coder_stage_{}", stage.name());
        self.add("terraform", "coder", &resource, stage, start, end, state);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    fn add(
        &mut self,
        action: &str,
        source: &str,
        resource: &str,
        stage: Stage,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        state: TimingState,
    ) {
        if self.done.len() >= MAX_TIMINGS {
            return;
        }
        self.done.push(Timing {
            start: Some(timestamp(start)),
            end: Some(timestamp(end.max(start))),
            action: action.to_owned(),
            source: source.to_owned(),
            resource: resource.to_owned(),
            stage: stage.name().to_owned(),
            state: state.into(),
        });
    }

    /// All that have an end.
    pub fn finish(self) -> Vec<Timing> {
        self.done
    }
}

fn timestamp(at: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.timestamp(),
        nanos: i32::try_from(at.timestamp_subsec_nanos()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_start_and_end() {
        let mut timings = Timings::default();
        for line in [
            r#"{"@level":"info","@timestamp":"2026-01-01T00:00:00Z","type":"apply_start","hook":{"resource":{"addr":"a.b","implied_provider":"a"},"action":"create"}}"#,
            r#"{"@level":"info","@timestamp":"2026-01-01T00:00:02Z","type":"apply_errored","hook":{"resource":{"addr":"a.b","implied_provider":"a"},"action":"create"}}"#,
            r#"{"@level":"info","@timestamp":"2026-01-01T00:00:03Z","type":"apply_complete","hook":{"resource":{"addr":"never.started"},"action":"create"}}"#,
        ] {
            timings.event(Stage::Apply, &Event::parse(line.as_bytes()).unwrap());
        }
        let done = timings.finish();
        assert_eq!(done.len(), 1);
        assert_eq!(done[0].resource, "a.b");
        assert_eq!(done[0].state, TimingState::Failed as i32);
        let seconds = |t: &Option<prost_types::Timestamp>| t.as_ref().unwrap().seconds;
        assert_eq!(seconds(&done[0].end) - seconds(&done[0].start), 2);
    }
}
