//! `Debug` of the messages that carry credentials, without these.

use std::fmt;

use super::{agent, provisioner, tailnet};

/// Stands where a credential is set.
const REDACTED: &str = "<redacted>";

fn mark(is_empty: bool) -> &'static str {
    if is_empty { "" } else { REDACTED }
}

impl fmt::Debug for agent::WorkspaceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkspaceSecret")
            .field("env_name", &self.env_name)
            .field("file_path", &self.file_path)
            .field("value", &mark(self.value.is_empty()))
            .finish()
    }
}

impl fmt::Debug for agent::SubAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubAgent")
            .field("name", &self.name)
            .field("id", &self.id)
            .field("auth_token", &mark(self.auth_token.is_empty()))
            .finish()
    }
}

impl fmt::Debug for tailnet::RefreshResumeTokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshResumeTokenResponse")
            .field("token", &mark(self.token.is_empty()))
            .field("refresh_in", &self.refresh_in)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

impl fmt::Debug for provisioner::VariableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.sensitive {
            mark(self.value.is_empty())
        } else {
            &self.value
        };
        f.debug_struct("VariableValue")
            .field("name", &self.name)
            .field("value", &value)
            .field("sensitive", &self.sensitive)
            .finish()
    }
}

impl fmt::Debug for provisioner::ExternalAuthProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAuthProvider")
            .field("id", &self.id)
            .field("access_token", &mark(self.access_token.is_empty()))
            .finish()
    }
}

impl fmt::Debug for provisioner::RunningAgentAuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningAgentAuthToken")
            .field("agent_id", &self.agent_id)
            .field("token", &mark(self.token.is_empty()))
            .finish()
    }
}

impl fmt::Debug for provisioner::Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("workspace_transition", &self.workspace_transition)
            .field("workspace_name", &self.workspace_name)
            .field("workspace_owner", &self.workspace_owner)
            .field("workspace_id", &self.workspace_id)
            .field("workspace_build_id", &self.workspace_build_id)
            .field("template_name", &self.template_name)
            .field("template_version", &self.template_version)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for provisioner::Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("operating_system", &self.operating_system)
            .field("architecture", &self.architecture)
            .field("directory", &self.directory)
            .field("apps", &self.apps)
            .field("scripts", &self.scripts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_print() {
        let metadata = provisioner::Metadata {
            workspace_owner_session_token: "hunter2".to_owned(),
            workspace_owner_ssh_private_key: "hunter2".to_owned(),
            ..Default::default()
        };
        let agent = provisioner::Agent {
            auth: Some(provisioner::agent::Auth::Token("hunter2".to_owned())),
            ..Default::default()
        };
        let secret = agent::WorkspaceSecret {
            value: b"hunter2".to_vec(),
            ..Default::default()
        };
        let text = format!("{metadata:?} {agent:?} {secret:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains("104, 117"), "{text}");
    }
}
