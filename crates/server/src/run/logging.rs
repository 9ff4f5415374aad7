//! The server's own log.

use std::fs::OpenOptions;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use super::RunError;
use crate::options::Options;

/// A log of some form.
type Log = Box<dyn Layer<Registry> + Send + Sync>;

/// Sets up logging for the process; later calls do nothing. `stackdriver` makes logs of that form.
///
/// # Errors
/// A log file that cannot be opened, or a filter that is none.
pub fn logging(
    options: &Options,
    verbose: bool,
    stackdriver: fn(BoxMakeWriter) -> Log,
) -> Result<(), RunError> {
    let mut layers: Vec<Log> = Vec::new();
    if let Some((writer, terminal)) = writer("log-human", options)? {
        let layer = tracing_subscriber::fmt::layer()
            // A log that cannot be written is no reason to end: telling so on standard error panics
            // when that fails too, as on a full disk.
            .log_internal_errors(false)
            .with_ansi(terminal)
            .with_target(false)
            .with_writer(writer);
        layers.push(layer.with_filter(filter(options, verbose)?).boxed());
    }
    if let Some((writer, _)) = writer("log-json", options)? {
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .log_internal_errors(false)
            .with_writer(writer);
        layers.push(layer.with_filter(filter(options, verbose)?).boxed());
    }
    if let Some((writer, _)) = writer("log-stackdriver", options)? {
        let layer = stackdriver(writer);
        layers.push(layer.with_filter(filter(options, verbose)?).boxed());
    }
    // A second server in one process, as in tests, keeps the first one's log.
    let _ = tracing_subscriber::registry().with(layers).try_init();
    Ok(())
}

fn filter(options: &Options, verbose: bool) -> Result<Targets, RunError> {
    let mut text = String::from(if verbose { "debug" } else { "info" });
    for directive in options.list("log-filter") {
        text.push(',');
        text.push_str(&directive);
    }
    text.parse().map_err(|error| RunError::Option {
        flag: "log-filter",
        problem: format!("{error}; write directives such as store=debug"),
    })
}

/// Where an option sends its log, and whether that is a terminal.
fn writer(
    flag: &'static str,
    options: &Options,
) -> Result<Option<(BoxMakeWriter, bool)>, RunError> {
    use std::io::IsTerminal as _;
    Ok(match options.text(flag) {
        "" => None,
        "/dev/stderr" => Some((
            BoxMakeWriter::new(std::io::stderr),
            std::io::stderr().is_terminal(),
        )),
        "/dev/stdout" => Some((
            BoxMakeWriter::new(std::io::stdout),
            std::io::stdout().is_terminal(),
        )),
        path => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|error| RunError::Option {
                    flag,
                    problem: format!("{path}: {error}"),
                })?;
            Some((BoxMakeWriter::new(FileWriter(file.into())), false))
        }
    })
}

/// A file shared by all threads; each record is one write.
struct FileWriter(std::sync::Arc<std::fs::File>);

impl<'a> MakeWriter<'a> for FileWriter {
    type Writer = std::sync::Arc<std::fs::File>;

    fn make_writer(&'a self) -> Self::Writer {
        self.0.clone()
    }
}
