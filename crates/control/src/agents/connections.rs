//! Who connects to agents.

use std::net::IpAddr;

use chrono::Utc;
use rpc::proto::agent::{Connection, connection};
use store::workspace_agents::ConnectionEvent;

use super::convert::{cut, id, text, time};
use super::{AgentSession, agent_subject, invalid};
use crate::{Control, Result};

/// Longest reason of an end.
const MAX_REASON: usize = 1024;
/// Longest name of an app.
const MAX_APP: usize = 64;

impl Control {
    /// Notes the begin or the end of a connection.
    pub async fn agent_connection_report(
        &self,
        agent: &AgentSession,
        connection: Option<Connection>,
    ) -> Result<()> {
        let connection = connection.ok_or_else(|| invalid("the connection is missing"))?;
        let event = event(&connection)?;
        let conn = self.store().conn().await?;
        Ok(conn
            .connection_log_upsert(&agent_subject(), agent, &event)
            .await?)
    }
}

fn event(connection: &Connection) -> Result<ConnectionEvent> {
    let connection_id = id(&connection.id, "the connection's id")?;
    if connection_id.is_nil() {
        return Err(invalid("connection ID cannot be nil"));
    }
    let kind = match connection.r#type() {
        connection::Type::Ssh => "ssh".to_owned(),
        connection::Type::Vscode => "vscode".to_owned(),
        connection::Type::Jetbrains => "jetbrains".to_owned(),
        connection::Type::ReconnectingPty => "reconnecting_pty".to_owned(),
        connection::Type::Unspecified if !connection.app_name.is_empty() => {
            text(cut(&connection.app_name, MAX_APP))
        }
        connection::Type::Unspecified => {
            return Err(invalid("unknown agent connection type"));
        }
    };
    let end = match connection.action() {
        connection::Action::Connect => None,
        connection::Action::Disconnect => {
            let reason = connection.reason.as_deref().unwrap_or_default();
            Some((connection.status_code, text(cut(reason, MAX_REASON))))
        }
        connection::Action::Unspecified => {
            return Err(invalid("unknown agent connection action"));
        }
    };
    let ip = if connection.ip == "localhost" {
        "127.0.0.1".to_owned()
    } else {
        let parsed = connection.ip.parse::<IpAddr>();
        parsed.map(|ip| ip.to_string()).unwrap_or_default()
    };
    Ok(ConnectionEvent {
        connection_id,
        kind,
        at: time(connection.timestamp.as_ref()).unwrap_or_else(Utc::now),
        ip,
        end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh() -> Connection {
        Connection {
            id: vec![1; 16],
            action: connection::Action::Connect.into(),
            r#type: connection::Type::Ssh.into(),
            ip: "localhost".to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn reports_become_events() {
        let begin = event(&ssh()).unwrap();
        assert_eq!(begin.ip, "127.0.0.1");
        assert_eq!(begin.end, None);
        let mut end = ssh();
        end.action = connection::Action::Disconnect.into();
        end.status_code = 7;
        end.ip = "not an address".to_owned();
        let end = event(&end).unwrap();
        assert_eq!(end.end, Some((7, String::new())));
        assert_eq!(end.ip, "");
    }

    #[test]
    fn incomplete_reports_are_refused() {
        let mut nil = ssh();
        nil.id = vec![0; 16];
        let mut short = ssh();
        short.id = vec![1; 3];
        let mut aimless = ssh();
        aimless.action = 0;
        let mut kindless = ssh();
        kindless.r#type = 99;
        for bad in [nil, short, aimless, kindless] {
            assert!(event(&bad).is_err(), "{bad:?}");
        }
    }
}
