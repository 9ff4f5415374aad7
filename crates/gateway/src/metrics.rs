//! What is counted of model calls, in the text form of Prometheus. Names are those by which
//! dashboards of this interface know them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use llm::Usage;
use parking_lot::Mutex;

/// Most different sets of labels; names of models are chosen by people.
const MAX_SERIES: usize = 2000;
/// Upper ends of the classes of durations, in seconds.
const SECONDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

const CALLS: &str = "coder_ai_gateway_interceptions_total";
const UNDER_WAY: &str = "coder_ai_gateway_interceptions_inflight";
const DURATIONS: &str = "coder_ai_gateway_interceptions_duration_seconds";
const TOKENS: &str = "coder_ai_gateway_tokens_total";
const TOOLS: &str = "coder_ai_gateway_non_injected_tool_selections_total";
const FAILOVERS: &str = "coder_ai_gateway_key_pool_failover_attempts_total";
const EXHAUSTIONS: &str = "coder_ai_gateway_key_pool_exhaustions_total";
const UNPRICED: &str = "coder_ai_gateway_unpriced_calls_total";
const REFUSALS: &str = "coder_ai_gateway_budget_refusals_total";
const STEPS: &str = "coderd_chatd_steps_total";
const COMPACTIONS: &str = "coderd_chatd_compaction_total";
const FIRST: &str = "coderd_chatd_ttft_seconds";

/// What each says.
const HELP: &[(&str, &str)] = &[
    (CALLS, "Calls of models that ended."),
    (UNDER_WAY, "Calls of models under way."),
    (DURATIONS, "How long calls of models took."),
    (TOKENS, "Tokens read and written."),
    (TOOLS, "Tools that models chose."),
    (FAILOVERS, "Keys that were passed over for the next."),
    (EXHAUSTIONS, "Calls for which no key was left."),
    (
        UNPRICED,
        "Calls of models without a price; they count nothing against budgets.",
    ),
    (REFUSALS, "Calls refused as a budget is used up."),
    (STEPS, "Steps of chats."),
    (COMPACTIONS, "Summaries of chats."),
    (FIRST, "Time to the first event of an answer."),
];

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Metrics {
    series: Mutex<BTreeMap<Series, Value>>,
}

/// A name with its labels, as written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: &'static str,
    labels: String,
}

#[derive(Debug)]
enum Value {
    Counter(u64),
    Gauge(i64),
    Times {
        classes: [u64; SECONDS.len()],
        count: u64,
        sum: f64,
    },
}

impl Metrics {
    pub(crate) fn begun(&self, provider: &str, model: &str) {
        self.under_way(provider, model, 1);
    }

    pub(crate) fn ended(&self, provider: &str, model: &str, status: &str, took: Duration) {
        self.under_way(provider, model, -1);
        let labels = [("provider", provider), ("model", model), ("status", status)];
        self.count(CALLS, &labels, 1);
        self.time(DURATIONS, &labels[..2], took);
    }

    fn under_way(&self, provider: &str, model: &str, by: i64) {
        let labels = [("provider", provider), ("model", model)];
        self.change(UNDER_WAY, &labels, Value::Gauge(0), |value| {
            if let Value::Gauge(n) = value {
                *n = n.saturating_add(by);
            }
        });
    }

    pub(crate) fn tokens(&self, provider: &str, model: &str, usage: &Usage) {
        for (kind, tokens) in [
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cache_read", usage.cache_read_tokens),
            ("cache_write", usage.cache_write_tokens),
        ] {
            if tokens > 0 {
                let labels = [("provider", provider), ("model", model), ("type", kind)];
                self.count(TOKENS, &labels, tokens);
            }
        }
    }

    pub(crate) fn tool(&self, provider: &str, model: &str, tool: &str) {
        let labels = [("provider", provider), ("model", model), ("name", tool)];
        self.count(TOOLS, &labels, 1);
    }

    /// A call of a chat succeeded.
    pub(crate) fn step(&self, purpose: &str, provider: &str, model: &str) {
        let labels = [("provider", provider), ("model", model)];
        match purpose {
            "turn" => self.count(STEPS, &labels, 1),
            "compaction" => self.count(COMPACTIONS, &labels, 1),
            _ => {}
        }
    }

    pub(crate) fn first_event(&self, provider: &str, model: &str, took: Duration) {
        self.time(FIRST, &[("provider", provider), ("model", model)], took);
    }

    /// Counts a call of a model without a price; whether it is the first of that model.
    pub(crate) fn unpriced(&self, provider: &str, model: &str) -> bool {
        let mut first = false;
        let labels = [("provider", provider), ("model", model)];
        self.change(UNPRICED, &labels, Value::Counter(0), |value| {
            if let Value::Counter(n) = value {
                first = *n == 0;
                *n += 1;
            }
        });
        first
    }

    pub(crate) fn refused(&self, why: &str) {
        self.count(REFUSALS, &[("reason", why)], 1);
    }

    pub(crate) fn key_failover(&self, provider: &str) {
        self.count(FAILOVERS, &[("provider", provider)], 1);
    }

    pub(crate) fn keys_exhausted(&self, provider: &str) {
        self.count(EXHAUSTIONS, &[("provider", provider)], 1);
    }

    fn count(&self, name: &'static str, labels: &[(&str, &str)], by: u64) {
        self.change(name, labels, Value::Counter(0), |value| {
            if let Value::Counter(n) = value {
                *n = n.saturating_add(by);
            }
        });
    }

    fn time(&self, name: &'static str, labels: &[(&str, &str)], took: Duration) {
        let seconds = took.as_secs_f64();
        let none = Value::Times {
            classes: [0; SECONDS.len()],
            count: 0,
            sum: 0.0,
        };
        self.change(name, labels, none, |value| {
            if let Value::Times {
                classes,
                count,
                sum,
            } = value
            {
                for (class, end) in classes.iter_mut().zip(SECONDS) {
                    *class += u64::from(seconds <= end);
                }
                *count += 1;
                *sum += seconds;
            }
        });
    }

    fn change(
        &self,
        name: &'static str,
        labels: &[(&str, &str)],
        new: Value,
        change: impl FnOnce(&mut Value),
    ) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| {
                let value = value
                    .replace('\\', r"\\")
                    .replace('"', r#"\""#)
                    .replace('\n', " ");
                format!("{label}=\"{value}\"")
            })
            .collect();
        let series = Series {
            name,
            labels: labels.join(","),
        };
        let mut all = self.series.lock();
        if all.len() < MAX_SERIES || all.contains_key(&series) {
            change(all.entry(series).or_insert(new));
        }
    }

    /// All of them.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let mut last = "";
        // Writing to a string cannot fail.
        for (Series { name, labels }, value) in self.series.lock().iter() {
            if *name != last {
                let help = HELP
                    .iter()
                    .find(|(of, _)| of == name)
                    .map_or("", |(_, h)| h);
                let kind = match value {
                    Value::Counter(_) => "counter",
                    Value::Gauge(_) => "gauge",
                    Value::Times { .. } => "histogram",
                };
                let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
                last = name;
            }
            let _ = match value {
                Value::Counter(n) => writeln!(out, "{name}{{{labels}}} {n}"),
                Value::Gauge(n) => writeln!(out, "{name}{{{labels}}} {n}"),
                Value::Times {
                    classes,
                    count,
                    sum,
                } => {
                    for (class, end) in classes.iter().zip(SECONDS) {
                        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{end}\"}} {class}");
                    }
                    writeln!(
                        out,
                        "{name}_bucket{{{labels},le=\"+Inf\"}} {count}\n{name}_sum{{{labels}}} \
                         {sum}\n{name}_count{{{labels}}} {count}"
                    )
                }
            };
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up() {
        let metrics = Metrics::default();
        for millis in [50, 700] {
            metrics.begun("a", "m\"1");
            metrics.ended("a", "m\"1", "completed", Duration::from_millis(millis));
        }
        metrics.begun("a", "m\"1");
        let text = metrics.render();
        for line in [
            r#"coder_ai_gateway_interceptions_total{provider="a",model="m\"1",status="completed"} 2"#,
            r#"coder_ai_gateway_interceptions_inflight{provider="a",model="m\"1"} 1"#,
            r#"coder_ai_gateway_interceptions_duration_seconds_bucket{provider="a",model="m\"1",le="0.5"} 1"#,
            r#"coder_ai_gateway_interceptions_duration_seconds_bucket{provider="a",model="m\"1",le="+Inf"} 2"#,
            r#"coder_ai_gateway_interceptions_duration_seconds_sum{provider="a",model="m\"1"} 0.75"#,
            "# TYPE coder_ai_gateway_interceptions_duration_seconds histogram",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(metrics.unpriced("a", "x") && !metrics.unpriced("a", "x"));
    }

    #[test]
    fn names_of_models_do_not_fill_the_memory() {
        let metrics = Metrics::default();
        for n in 0..MAX_SERIES + 10 {
            metrics.refused(&n.to_string());
        }
        assert_eq!(metrics.series.lock().len(), MAX_SERIES);
    }
}
