//! Counters of model calls, in the text form of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use llm::Usage;
use parking_lot::Mutex;

/// Most different sets of labels; names of models are chosen by people.
const MAX_SERIES: usize = 2000;

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Metrics {
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Metrics {
    pub(crate) fn call(&self, provider: &str, model: &str, status: &str) {
        self.add(
            "coder_ai_gateway_interceptions_total",
            &[("provider", provider), ("model", model), ("status", status)],
            1,
        );
    }

    pub(crate) fn tokens(&self, provider: &str, model: &str, usage: &Usage) {
        for (kind, tokens) in [
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cache_read", usage.cache_read_tokens),
            ("cache_write", usage.cache_write_tokens),
        ] {
            if tokens > 0 {
                self.add(
                    "coder_ai_gateway_tokens_total",
                    &[("provider", provider), ("model", model), ("type", kind)],
                    tokens,
                );
            }
        }
    }

    pub(crate) fn key_failover(&self, provider: &str) {
        self.add(
            "coder_ai_gateway_key_pool_failover_attempts_total",
            &[("provider", provider)],
            1,
        );
    }

    pub(crate) fn keys_exhausted(&self, provider: &str) {
        self.add(
            "coder_ai_gateway_key_pool_exhaustions_total",
            &[("provider", provider)],
            1,
        );
    }

    fn add(&self, name: &str, labels: &[(&str, &str)], by: u64) {
        let mut series = format!("{name}{{");
        for (n, (label, value)) in labels.iter().enumerate() {
            let value = value
                .replace('\\', r"\\")
                .replace('"', r#"\""#)
                .replace('\n', " ");
            let comma = if n > 0 { "," } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(series, "{comma}{label}=\"{value}\"");
        }
        series.push('}');
        let mut counts = self.counts.lock();
        if counts.len() < MAX_SERIES || counts.contains_key(&series) {
            let count = counts.entry(series).or_default();
            *count = count.saturating_add(by);
        }
    }

    /// All counters, one a line.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let mut last = String::new();
        for (series, count) in self.counts.lock().iter() {
            let name = series.split('{').next().unwrap_or_default();
            if name != last {
                let _ = writeln!(out, "# TYPE {name} counter");
                name.clone_into(&mut last);
            }
            let _ = writeln!(out, "{series} {count}");
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
        metrics.call("a", "m\"1", "completed");
        metrics.call("a", "m\"1", "completed");
        let text = metrics.render();
        assert!(
            text.contains(r#"interceptions_total{provider="a",model="m\"1",status="completed"} 2"#),
            "{text}"
        );
    }
}
