//! Memory and volumes that fill up.

use chrono::{DateTime, TimeDelta, Utc};
use rpc::proto::agent::get_resources_monitoring_configuration_response as configuration;
use rpc::proto::agent::push_resources_monitoring_usage_request::Datapoint;
use rpc::proto::agent::{
    GetResourcesMonitoringConfigurationResponse, PushResourcesMonitoringUsageRequest,
};
use store::workspace_agents::MonitorRow;

use super::{AgentSession, agent_subject, invalid};
use crate::{Control, Result};

/// Points that an agent sends together.
const DATAPOINTS: i32 = 20;
/// Seconds between points.
const INTERVAL_SECONDS: i32 = 10;
/// Points of one report that are looked at.
const MAX_DATAPOINTS: usize = 1000;
/// Percent of points over the threshold that raise an alert.
const MINIMUM_PERCENT: usize = 20;
/// Percent of points in a row over the threshold that raise an alert.
const CONSECUTIVE_PERCENT: usize = 50;
/// Time between alerts of one threshold.
const DEBOUNCE: TimeDelta = TimeDelta::minutes(30);

const OK: &str = "OK";
const NOT_OK: &str = "NOK";

impl Control {
    /// What an agent is to watch.
    pub async fn agent_monitors(
        &self,
        agent: &AgentSession,
    ) -> Result<GetResourcesMonitoringConfigurationResponse> {
        let conn = self.store().conn().await?;
        let monitors = conn
            .agent_monitors(&agent_subject(), agent.agent_id)
            .await?;
        let mut response = GetResourcesMonitoringConfigurationResponse {
            config: Some(configuration::Config {
                num_datapoints: DATAPOINTS,
                collection_interval_seconds: INTERVAL_SECONDS,
            }),
            ..Default::default()
        };
        for monitor in monitors {
            let enabled = monitor.enabled;
            if monitor.path.is_empty() {
                response.memory = Some(configuration::Memory { enabled });
            } else {
                let path = monitor.path;
                response
                    .volumes
                    .push(configuration::Volume { enabled, path });
            }
        }
        Ok(response)
    }

    /// Takes points and notes which thresholds are crossed.
    pub async fn agent_monitors_push(
        &self,
        agent: &AgentSession,
        request: &PushResourcesMonitoringUsageRequest,
    ) -> Result<()> {
        if request.datapoints.len() > MAX_DATAPOINTS {
            return Err(invalid(format!("more than {MAX_DATAPOINTS} datapoints")));
        }
        let who = agent_subject();
        let now = Utc::now();
        let conn = self.store().conn().await?;
        for monitor in conn.agent_monitors(&who, agent.agent_id).await? {
            if !monitor.enabled {
                continue;
            }
            let (state, debounced_until) = judge(&monitor, &request.datapoints, now);
            if debounced_until != monitor.debounced_until {
                tracing::warn!(
                    workspace = %agent.workspace_name, agent = %agent.agent_name,
                    path = %monitor.path, threshold = monitor.threshold,
                    "a workspace is running out of memory or disk"
                );
            }
            conn.agent_monitor_update(&who, agent.agent_id, &monitor.path, state, debounced_until)
                .await?;
        }
        Ok(())
    }
}

/// The next state of a threshold, and until when no alert is raised.
fn judge(
    monitor: &MonitorRow,
    points: &[Datapoint],
    now: DateTime<Utc>,
) -> (&'static str, Option<DateTime<Utc>>) {
    let over: Vec<Option<bool>> = points.iter().map(|point| is_over(monitor, point)).collect();
    let old = if monitor.state == NOT_OK { NOT_OK } else { OK };
    let state = next_state(old, &over);
    let quiet = monitor.debounced_until.is_some_and(|until| now <= until);
    if old == OK && state == NOT_OK && !quiet {
        return (state, Some(now + DEBOUNCE));
    }
    (state, monitor.debounced_until)
}

/// Whether a point is over the threshold; `None` if it was not measured.
fn is_over(monitor: &MonitorRow, point: &Datapoint) -> Option<bool> {
    let (used, total) = if monitor.path.is_empty() {
        let memory = point.memory.as_ref()?;
        (memory.used, memory.total)
    } else {
        let volume = point
            .volumes
            .iter()
            .find(|volume| volume.volume == monitor.path)?;
        (volume.used, volume.total)
    };
    if total <= 0 {
        return None;
    }
    Some(used as f64 / total as f64 * 100.0 >= f64::from(monitor.threshold))
}

fn next_state(old: &'static str, over: &[Option<bool>]) -> &'static str {
    if over.is_empty() {
        return old;
    }
    let mut longest = 0;
    let mut run = 0;
    for point in over {
        run = if *point == Some(true) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let count = |wanted| over.iter().filter(|point| **point == wanted).count();
    let percent = |part: usize| part * 100 / over.len();
    if percent(longest) >= CONSECUTIVE_PERCENT || percent(count(Some(true))) >= MINIMUM_PERCENT {
        NOT_OK
    } else if count(Some(false)) == over.len() {
        OK
    } else {
        old
    }
}

#[cfg(test)]
mod tests {
    use rpc::proto::agent::push_resources_monitoring_usage_request::datapoint::MemoryUsage;

    use super::*;

    fn memory(used: i64) -> Datapoint {
        Datapoint {
            memory: Some(MemoryUsage { used, total: 100 }),
            ..Default::default()
        }
    }

    fn monitor(state: &str) -> MonitorRow {
        MonitorRow {
            path: String::new(),
            enabled: true,
            threshold: 80,
            state: state.to_owned(),
            debounced_until: None,
        }
    }

    #[test]
    fn alerts_follow_the_share_of_points_over_the_threshold() {
        let now = Utc::now();
        let mut points = vec![memory(10); 20];
        assert_eq!(judge(&monitor("OK"), &points, now), ("OK", None));
        points[0] = memory(90);
        assert_eq!(judge(&monitor("OK"), &points, now).0, "OK");
        assert_eq!(judge(&monitor("NOK"), &points, now).0, "NOK");
        for at in [5, 9, 14] {
            points[at] = memory(80);
        }
        let (state, until) = judge(&monitor("OK"), &points, now);
        assert_eq!(state, "NOK");
        assert_eq!(until, Some(now + DEBOUNCE));
    }

    #[test]
    fn an_alert_is_raised_once_in_a_while() {
        let now = Utc::now();
        let points = vec![memory(99); 20];
        let mut quiet = monitor("OK");
        quiet.debounced_until = Some(now + TimeDelta::minutes(1));
        assert_eq!(judge(&quiet, &points, now), ("NOK", quiet.debounced_until));
        assert_eq!(judge(&monitor("NOK"), &points, now), ("NOK", None));
    }

    #[test]
    fn points_without_measurement_change_nothing() {
        let now = Utc::now();
        let none = vec![Datapoint::default(); 20];
        assert_eq!(judge(&monitor("NOK"), &none, now).0, "NOK");
        assert_eq!(judge(&monitor("OK"), &[], now).0, "OK");
    }
}
