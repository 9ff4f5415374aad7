//! Logs as Google Cloud's logging reads them (formerly Stackdriver): one JSON object a line, whose
//! severity, message, time and place have the names that it looks for.
//! See <https://cloud.google.com/logging/docs/agent/logging/configuration#special-fields>.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// A log of this form.
pub fn layer<S, W>(writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        // As in other forms: no log is worth the process.
        .log_internal_errors(false)
        .event_format(Format)
        .with_writer(writer)
        .boxed()
}

struct Format;

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let place = json!({
            "file": meta.file().unwrap_or_default(),
            // A number as text: it is an int64 in the JSON of protobuf.
            "line": meta.line().unwrap_or_default().to_string(),
            "function": meta.target(),
        });
        // What is ours comes last: no field of an event may take its place.
        let Fields(mut object) = fields;
        object.insert("severity".to_owned(), severity(*meta.level()).into());
        object.insert("timestampSeconds".to_owned(), now.as_secs().into());
        object.insert("timestampNanos".to_owned(), now.subsec_nanos().into());
        object.insert("logging.googleapis.com/sourceLocation".to_owned(), place);
        writeln!(writer, "{}", Value::Object(object))
    }
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

/// Fields of an event; its text is the field `message`.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_event_is_a_line_with_the_special_fields() {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::registry().with(layer(move || writer.clone()));
        tracing::subscriber::with_default(log, || {
            tracing::warn!(count = 3, who = %"a \"b\"\n", "it broke");
            tracing::debug!(severity = "mine");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let all: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(all.len(), 2, "{text}");
        assert_eq!(all[0]["severity"], "WARNING");
        assert_eq!(all[0]["message"], "it broke");
        assert_eq!(all[0]["count"], 3);
        assert_eq!(all[0]["who"], "a \"b\"\n");
        assert!(all[0]["timestampSeconds"].as_u64().unwrap() > 1_700_000_000);
        let place = &all[0]["logging.googleapis.com/sourceLocation"];
        assert!(place["file"].as_str().unwrap().ends_with("stackdriver.rs"));
        assert!(place["line"].as_str().unwrap().parse::<u32>().is_ok());
        assert_eq!(all[1]["severity"], "DEBUG");
    }
}
