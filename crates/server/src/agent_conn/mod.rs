//! The server's own way to agents: one tunnel end for all of them, for apps, terminals and tools.
//!
//! Owns that end, its coordination, and which agents it holds a tunnel to. It decides nothing: who
//! may reach an agent is asked *before* [`AgentConns::acquire`], and two agents never meet here, as
//! the server's end accepts no connections and forwards nothing.

mod http;
mod node;
mod pty;
mod stream;
mod tickets;

use std::io;
use std::net::SocketAddrV6;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tunnel::Conn;
use url::Url;
use uuid::Uuid;

use crate::Tailnet;
use tickets::{Ticket, Tickets};

pub(crate) use http::{AgentResponse, ApiCallError};
pub(crate) use pty::{PtyRequest, PtySize};
pub(crate) use stream::AgentStream;

/// An agent that nothing was connected to for so long is let go; a return costs one handshake.
const IDLE: Duration = Duration::from_mins(30);
/// How often unused agents are looked for.
const SWEEP: Duration = Duration::from_mins(5);
/// How long a TCP connection to an agent may take, tunnel included: a first handshake, the 5 s that
/// an agent of old may take to say that it is ready, and a few lost packets.
const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// Connections to agents. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AgentConns(Arc<Shared>);

struct Shared {
    access_url: Url,
    /// Begins with the first agent: a server that proxies nothing has no tunnel end.
    pool: OnceLock<Pool>,
    stop: CancellationToken,
}

/// The tunnel end and who uses it.
pub(crate) struct Pool {
    conn: Conn,
    tickets: Arc<Tickets>,
}

impl AgentConns {
    /// Connections of the server reached at `access_url`. Nothing begins yet.
    pub(crate) fn new(access_url: Url) -> Self {
        Self(Arc::new(Shared {
            access_url,
            pool: OnceLock::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// A hold on the tunnel to `agent`, which is begun if need be. The caller has checked that the
    /// user may reach it. Must be called inside a Tokio runtime.
    pub(crate) fn acquire(&self, tailnet: &Tailnet, agent: Uuid) -> AgentConn {
        let pool = self.0.pool.get_or_init(|| self.start(tailnet));
        let (ticket, new) = pool.tickets.take(agent);
        if new {
            pool.conn.add_destination(agent);
        }
        AgentConn {
            agent,
            conn: pool.conn.clone(),
            ticket,
        }
    }

    fn start(&self, tailnet: &Tailnet) -> Pool {
        let conn = node::start(tailnet, &self.0.access_url, self.0.stop.clone());
        let tickets = Arc::new(Tickets::default());
        tokio::spawn(sweep(
            conn.clone(),
            Arc::clone(&tickets),
            self.0.stop.clone(),
        ));
        Pool { conn, tickets }
    }

    /// Ends every connection.
    pub(crate) fn close(&self) {
        self.0.stop.cancel();
    }
}

/// Lets go of agents that nobody uses, until `stop`.
async fn sweep(conn: Conn, tickets: Arc<Tickets>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // Under the lock, so that an agent taken at this moment is not lost.
        tickets.release_idle(Instant::now(), IDLE, |agent| {
            conn.remove_destination(agent);
        });
    }
}

/// A hold on the tunnel to one agent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AgentConn {
    agent: Uuid,
    conn: Conn,
    ticket: Arc<Ticket>,
}

impl AgentConn {
    /// Opens a TCP connection to a port of the agent.
    ///
    /// # Errors
    /// `TimedOut` if the agent does not answer in [`DIAL_TIMEOUT`], `ConnectionRefused` if nothing
    /// listens there.
    pub(crate) async fn dial_tcp(&self, port: u16) -> io::Result<AgentStream> {
        let to = SocketAddrV6::new(tunnel::address::tailnet(self.agent), port, 0, 0);
        let dialled = tokio::time::timeout(DIAL_TIMEOUT, self.conn.dial_tcp(to)).await;
        let stream = dialled.map_err(|_| {
            let text = format!(
                "the agent did not answer within {} s: it may be offline or overloaded",
                DIAL_TIMEOUT.as_secs()
            );
            io::Error::new(io::ErrorKind::TimedOut, text)
        })??;
        Ok(AgentStream::new(stream, Arc::clone(&self.ticket)))
    }
}
