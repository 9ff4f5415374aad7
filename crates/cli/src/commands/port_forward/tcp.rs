//! Forwarding of TCP ports.

use std::net::{SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tunnel::{Conn, address};
use uuid::Uuid;

use crate::ui::output::emit_err;

/// Wait after the system refused a connection: it is out of files or memory.
const REFUSED_WAIT: Duration = Duration::from_secs(1);
/// Between two failures that are told: browsers try many times at once.
const TOLD_WAIT: Duration = Duration::from_secs(1);

/// Listens.
pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

/// Joins every connection with one inside the tunnel.
pub async fn serve(listener: TcpListener, conn: Conn, agent: Uuid, port: u16) -> Result<()> {
    let told = Arc::new(Told::default());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // One connection that is lost ends no other.
                told.tell(&format!(
                    "cannot take a connection for port {port}: {error}"
                ));
                tokio::time::sleep(REFUSED_WAIT).await;
                continue;
            }
        };
        let (conn, told) = (conn.clone(), told.clone());
        tokio::spawn(async move {
            let [to, _] = address::agent(agent);
            match conn.dial_tcp(SocketAddrV6::new(to, port, 0, 0)).await {
                Ok(there) => join(stream, there).await,
                Err(error) => told.tell(&format!(
                    "cannot connect to port {port} in the workspace: {error}"
                )),
            }
        });
    }
}

async fn join(mut here: TcpStream, mut there: tunnel::TcpStream) {
    if let Err(error) = tokio::io::copy_bidirectional(&mut here, &mut there).await {
        tracing::debug!(%error, "a forwarded connection broke");
    }
}

/// Failures of one port, told on standard error now and then.
#[derive(Default)]
struct Told {
    last: Mutex<Option<Instant>>,
}

impl Told {
    fn tell(&self, text: &str) {
        if self.is_due(Instant::now()) {
            emit_err(&format!("{text}\n"));
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= TOLD_WAIT);
        if due {
            *last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_now_and_then() {
        let told = Told::default();
        let start = Instant::now();
        let due = |after| told.is_due(start + Duration::from_millis(after));
        assert!(due(0));
        assert!(!due(10));
        assert!(!due(999));
        assert!(due(1000));
        assert!(!due(1500));
    }
}
