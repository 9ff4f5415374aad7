//! The listener of metrics, in the text form of Prometheus. It has an address of its own and no
//! accounts: who may reach it is up to the network, as everywhere with Prometheus.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::SystemTime;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use control::Control;
use gateway::Gateway;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::RunError;
use crate::options::Options;

/// Content type of the text form.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Bytes of a page of memory, as `/proc` counts it on the platforms that servers run on.
const PAGE: u64 = 4096;

/// A listener that does not serve yet.
pub(super) struct Metrics(Option<TcpListener>);

impl Metrics {
    /// Listens where the options say, if metrics are wanted.
    pub(super) async fn open(options: &Options) -> Result<Self, RunError> {
        let address = options.text("prometheus-address");
        if !options.on("prometheus-enable") || address.is_empty() {
            return Ok(Self(None));
        }
        let listener = TcpListener::bind(address)
            .await
            .map_err(RunError::listen("prometheus-address", address))?;
        Ok(Self(Some(listener)))
    }

    /// Serves until the server stops.
    pub(super) fn serve(
        self,
        source: Source,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Option<SocketAddr> {
        let listener = self.0?;
        let address = listener.local_addr().ok();
        // Any path: scrapers ask for `/` or `/metrics`.
        let app = Router::new().fallback(move || {
            let source = source.clone();
            async move { ([(header::CONTENT_TYPE, TEXT)], source.render().await).into_response() }
        });
        let cancel = cancel.clone();
        tasks.spawn(async move {
            let served = axum::serve(listener, app)
                .with_graceful_shutdown(async move { cancel.cancelled().await });
            if let Err(error) = served.await {
                tracing::error!(%error, "metrics are not served any more");
            }
        });
        if let Some(address) = address {
            tracing::info!(%address, "serving metrics");
        }
        address
    }
}

/// What metrics are made of.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) control: Control,
    pub(super) gateway: Gateway,
}

impl Source {
    async fn render(&self) -> String {
        let mut out = self.gateway.metrics().render();
        match self.control.chat_states().await {
            Ok(states) => {
                out.push_str("# HELP coderd_chatd_chats Chats that are not put away, by state.\n");
                out.push_str("# TYPE coderd_chatd_chats gauge\n");
                for (state, count) in states {
                    // Writing to a string cannot fail.
                    let _ = writeln!(out, "coderd_chatd_chats{{state=\"{state}\"}} {count}");
                }
            }
            // What is counted here stays true while the database is away.
            Err(error) => tracing::debug!(%error, "metrics: chats are not counted"),
        }
        out.push_str(&process());
        out
    }
}

/// What collectors of Prometheus tell of every process.
fn process() -> String {
    let mut out = String::new();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    if let Some(pages) = resident {
        let _ = writeln!(
            out,
            "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {}",
            pages.saturating_mul(PAGE)
        );
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        let _ = writeln!(
            out,
            "# TYPE process_open_fds gauge\nprocess_open_fds {}",
            files.count()
        );
    }
    let version = api_types::VERSION;
    let _ = writeln!(
        out,
        "# TYPE coderd_build_info gauge\ncoderd_build_info{{version=\"{version}\"}} 1"
    );
    if let Ok(now) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        let _ = writeln!(
            out,
            "# TYPE coderd_scrape_time_seconds gauge\ncoderd_scrape_time_seconds {}",
            now.as_secs()
        );
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn metrics_are_served_where_they_are_wanted() {
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let db = testkit::db().await;
        let user = testkit::user(&db.store, "ann", &[]).await;
        testkit::chat(&db.store, user.id).await;
        let settings = control::Settings::new("http://127.0.0.1:1".parse().unwrap());
        let source = Source {
            control: Control::new(db.store.clone(), settings),
            gateway: Gateway::new(
                db.store.clone(),
                store::seal::Seal::default(),
                llm::Http::new("test").unwrap(),
                gateway::Options::default(),
            ),
        };
        let mut options = Options::defaults();
        options.set("prometheus-address", "127.0.0.1:0");
        let off = Metrics::open(&options).await.unwrap();
        assert!(off.serve(source.clone(), &tasks, &stop).is_none());
        options.set("prometheus-enable", "true");
        let on = Metrics::open(&options).await.unwrap();
        let address = on.serve(source, &tasks, &stop).unwrap();
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let ask = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        socket.write_all(ask).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        for line in [
            "content-type: text/plain; version=0.0.4; charset=utf-8",
            "coderd_chatd_chats{state=\"waiting\"} 1",
            "# TYPE process_resident_memory_bytes gauge",
        ] {
            assert!(
                answer.lines().any(|l| l.trim_end() == line),
                "{line}\n{answer}"
            );
        }
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
