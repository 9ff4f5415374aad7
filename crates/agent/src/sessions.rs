//! Who is connected: counts by kind for the statistics, and a report of each
//! connect and disconnect for the connection log.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use rpc::proto::agent::{self as proto, connection};
use uuid::Uuid;

use crate::outbox::Outbox;

/// Reports that may wait for the server; later ones are dropped.
const MAX_REPORTS: usize = 2048;

/// What a session is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// VS Code and its family.
    VsCode,
    /// JetBrains IDEs.
    JetBrains,
    /// A plain SSH session.
    Ssh,
    /// A terminal in the browser.
    ReconnectingPty,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::VsCode,
        Self::JetBrains,
        Self::Ssh,
        Self::ReconnectingPty,
    ];

    /// The name by which clients and the statistics know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VsCode => "vscode",
            Self::JetBrains => "jetbrains",
            Self::Ssh => "ssh",
            Self::ReconnectingPty => "reconnecting_pty",
        }
    }

    /// The kind that a client states in `CODER_SSH_SESSION_TYPE`, if we know it.
    pub fn from_client(text: &str) -> Option<Self> {
        [Self::VsCode, Self::JetBrains, Self::Ssh]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text))
    }

    const fn proto(self) -> connection::Type {
        match self {
            Self::VsCode => connection::Type::Vscode,
            Self::JetBrains => connection::Type::Jetbrains,
            Self::Ssh => connection::Type::Ssh,
            Self::ReconnectingPty => connection::Type::ReconnectingPty,
        }
    }
}

/// Counts and reports of sessions.
#[derive(Debug)]
pub struct Sessions {
    counts: [AtomicI64; 4],
    open: AtomicUsize,
    reports: Outbox<proto::Connection>,
}

impl Sessions {
    /// Nobody is connected.
    pub fn new() -> Arc<Self> {
        let reports = Outbox::new("connection reports", MAX_REPORTS);
        Arc::new(Self {
            counts: Default::default(),
            open: AtomicUsize::new(0),
            reports,
        })
    }

    /// How many sessions of a kind there are.
    pub fn count(&self, kind: Kind) -> i64 {
        self.counts[kind as usize].load(Ordering::Relaxed)
    }

    /// How many sessions there are, counted kinds or not.
    pub fn total(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts a session until the guard is dropped. A kind that is unknown is
    /// reported as SSH and not counted.
    pub fn begin(self: &Arc<Self>, kind: Option<Kind>, ip: String) -> Session {
        if let Some(kind) = kind {
            self.counts[kind as usize].fetch_add(1, Ordering::Relaxed);
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        let session = Session {
            sessions: self.clone(),
            kind,
            id: Uuid::new_v4(),
            ip,
            code: 0,
            reason: None,
        };
        session.report(connection::Action::Connect);
        session
    }

    /// Reports that the server has yet to get.
    pub fn reports(&self) -> &Outbox<proto::Connection> {
        &self.reports
    }
}

/// One session; dropping it ends it.
#[derive(Debug)]
pub struct Session {
    sessions: Arc<Sessions>,
    kind: Option<Kind>,
    id: Uuid,
    ip: String,
    code: i32,
    reason: Option<String>,
}

impl Session {
    /// How the session will have ended.
    pub fn finish(&mut self, code: i32, reason: impl Into<String>) {
        self.code = code;
        self.reason = Some(reason.into()).filter(|r| !r.is_empty());
    }

    fn report(&self, action: connection::Action) {
        let report = proto::Connection {
            id: self.id.as_bytes().to_vec(),
            action: action.into(),
            r#type: self.kind.unwrap_or(Kind::Ssh).proto().into(),
            timestamp: Some(std::time::SystemTime::now().into()),
            ip: self.ip.clone(),
            status_code: self.code,
            reason: self.reason.clone(),
            ..Default::default()
        };
        self.sessions.reports.push(report);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(kind) = self.kind {
            self.sessions.counts[kind as usize].fetch_sub(1, Ordering::Relaxed);
        }
        self.sessions.open.fetch_sub(1, Ordering::Relaxed);
        self.report(connection::Action::Disconnect);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_and_reported() {
        let sessions = Sessions::new();
        let mut session = sessions.begin(Kind::from_client("VSCode"), "fd7a::1".into());
        assert_eq!(sessions.count(Kind::VsCode), 1);
        session.finish(3, "exit");
        drop(session);
        assert_eq!(sessions.count(Kind::VsCode), 0);
        let [start, end] = &sessions.reports.waiting()[..] else {
            panic!()
        };
        assert_eq!(start.id, end.id);
        assert_eq!((start.status_code, end.status_code), (0, 3));
        assert_eq!(start.r#type, i32::from(connection::Type::Vscode));
    }

    #[test]
    fn clients_may_not_claim_what_is_not_theirs() {
        assert_eq!(Kind::from_client("reconnecting_pty"), None);
        assert_eq!(Kind::from_client("x"), None);
    }
}
