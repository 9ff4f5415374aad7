//! How an external agent is started: on a machine of the owner's, by a command of one line.

use api_types::ExternalAgentCredentials;
use authz::Subject;
use store::StoreError;
use uuid::Uuid;

use crate::{Control, Error, Kind, Result};

impl Control {
    /// The token and the command that start an external agent.
    ///
    /// # Errors
    /// 404 if the workspace has no external agent of this name, or one that proves who it is by
    /// its cloud instance; 403 without the right to change the workspace.
    pub async fn external_agent_credentials(
        &self,
        who: &Subject,
        workspace: Uuid,
        agent: &str,
    ) -> Result<ExternalAgentCredentials> {
        let (build, found) = {
            let conn = self.store().conn().await?;
            let workspace_row = conn.workspace_read(who, workspace).await?;
            if workspace_row.deleted {
                return Err(Error::not_found());
            }
            (
                workspace_row.api.latest_build,
                conn.external_agent_read(who, workspace, agent).await,
            )
        };
        if build.has_external_agent != Some(true) {
            return Err(Error::new(
                Kind::NotFound,
                "Workspace does not have an external agent.",
            ));
        }
        let found = match found {
            Err(StoreError::NotFound) => {
                return Err(Error::new(
                    Kind::NotFound,
                    format!("External agent '{agent}' not found in workspace."),
                ));
            }
            other => other?,
        };
        if found.by_instance {
            return Err(Error::new(
                Kind::NotFound,
                "External agent is authenticated with an instance ID.",
            ));
        }
        let token = found.token.expose().clone();
        Ok(ExternalAgentCredentials {
            command: command(
                self.settings().access_url.as_str(),
                &found.operating_system,
                &found.architecture,
                &token,
            ),
            agent_token: token,
        })
    }
}

/// The line to run on the machine, for a POSIX shell or for PowerShell.
fn command(access_url: &str, os: &str, arch: &str, token: &str) -> String {
    let url = format!(
        "{}/api/v2/init-script/{os}/{arch}",
        access_url.trim_end_matches('/')
    );
    if os == "windows" {
        format!(r#"$env:CODER_AGENT_TOKEN="{token}"; iwr -useb "{url}" | iex"#)
    } else {
        format!(r#"curl -fsSL "{url}" | CODER_AGENT_TOKEN="{token}" sh"#)
    }
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn the_command_fits_the_shell() {
        assert_eq!(
            command("https://c.example/", "linux", "arm64", "t"),
            r#"curl -fsSL "https://c.example/api/v2/init-script/linux/arm64" | CODER_AGENT_TOKEN="t" sh"#
        );
        assert_eq!(
            command("https://c.example", "windows", "amd64", "t"),
            r#"$env:CODER_AGENT_TOKEN="t"; iwr -useb "https://c.example/api/v2/init-script/windows/amd64" | iex"#
        );
    }
}
