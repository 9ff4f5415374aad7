//! Who connected to which agent, and when.

use authz::Subject;
use uuid::Uuid;

use super::AgentSession;
use crate::conn::Conn;
use crate::{Result, Time};

/// The begin or the end of a connection.
#[derive(Debug, Clone)]
pub struct ConnectionEvent {
    /// The connection, as its agent names it.
    pub connection_id: Uuid,
    /// `ssh`, `vscode`, `jetbrains`, `reconnecting_pty`.
    pub kind: String,
    /// When.
    pub at: Time,
    /// From where; empty if unknown.
    pub ip: String,
    /// For an end: how it ended, and why.
    pub end: Option<(i32, String)>,
}

impl Conn {
    /// Notes the begin or the end of a connection; both make one entry, in any order.
    pub async fn connection_log_upsert(
        &self,
        who: &Subject,
        session: &AgentSession,
        event: &ConnectionEvent,
    ) -> Result<()> {
        authz::authorize(
            who,
            authz::Action::Update,
            &authz::Object::new(authz::ResourceType::ConnectionLog),
        )?;
        let (ended_at, code, reason) = match &event.end {
            Some((code, reason)) => (Some(event.at), Some(*code), Some(reason.as_str())),
            None => (None, None, None),
        };
        let sql = "INSERT INTO connection_logs (id, connect_time, organization_id, \
                 workspace_owner_id, workspace_id, workspace_name, agent_name, type, ip, \
                 connection_id, disconnect_time, code, disconnect_reason) \
             VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7, nullif($8, ''), $9, $10, $11, \
                 $12) \
             ON CONFLICT (connection_id, workspace_id, agent_name) \
                 WHERE connection_id IS NOT NULL DO UPDATE SET \
                 connect_time = least(connection_logs.connect_time, EXCLUDED.connect_time), \
                 disconnect_time = \
                     coalesce(connection_logs.disconnect_time, EXCLUDED.disconnect_time), \
                 code = coalesce(connection_logs.code, EXCLUDED.code), \
                 disconnect_reason = \
                     coalesce(connection_logs.disconnect_reason, EXCLUDED.disconnect_reason)";
        let params: [crate::conn::SqlParam<'_>; 12] = [
            &event.at,
            &session.organization_id,
            &session.owner_id,
            &session.workspace_id,
            &session.workspace_name,
            &session.agent_name,
            &event.kind,
            &event.ip,
            &event.connection_id,
            &ended_at,
            &code,
            &reason,
        ];
        self.execute(sql, &params).await?;
        Ok(())
    }
}
