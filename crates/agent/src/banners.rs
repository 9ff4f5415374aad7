//! What people see when they log in: announcements of the deployment and the
//! workspace's message of the day.

use std::path::Path;
use std::time::Duration;

use rpc::AgentClient;
use rpc::proto::agent as proto;

use crate::account::Account;
use crate::workspace::Workspace;

/// How often announcements are asked for.
const REFRESH: Duration = Duration::from_mins(2);
/// Longest message of the day that is shown, in bytes.
const MAX_MOTD: u64 = 64 * 1024;

/// An announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// Whether it is shown at all.
    pub enabled: bool,
    /// The text.
    pub message: String,
}

/// Everything to show at the start of a login shell, with the line ends of a terminal.
pub fn greeting(workspace: &Workspace, account: &Account) -> Vec<u8> {
    let mut out = Vec::new();
    for banner in workspace
        .banners()
        .iter()
        .filter(|b| b.enabled && !b.message.is_empty())
    {
        line_ends(&mut out, banner.message.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
    }
    if !account.home.join(".hushlogin").exists()
        && let Some(manifest) = workspace.manifest()
        && !manifest.motd_path.is_empty()
    {
        line_ends(&mut out, &motd(&account.expand(&manifest.motd_path)));
    }
    out
}

/// The file's content; an unreadable one greets with nothing.
fn motd(path: &Path) -> Vec<u8> {
    use std::io::Read;
    let mut text = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        // What was read before an error is shown all the same.
        let _ = file.take(MAX_MOTD).read_to_end(&mut text);
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text
}

fn line_ends(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
}

/// Keeps the announcements fresh; ends with the first failure.
pub async fn refresh(workspace: &Workspace, client: &AgentClient) -> Result<(), rpc::drpc::Error> {
    loop {
        let response = client
            .get_announcement_banners(&proto::GetAnnouncementBannersRequest {})
            .await?;
        let banners = response.announcement_banners.into_iter();
        workspace.set_banners(
            banners
                .map(|b| Banner {
                    enabled: b.enabled,
                    message: b.message,
                })
                .collect(),
        );
        tokio::time::sleep(REFRESH).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn announcements_come_with_terminal_line_ends() {
        let workspace = testing::workspace();
        let banner = |enabled, message: &str| Banner {
            enabled,
            message: message.into(),
        };
        workspace.set_banners(vec![banner(true, "a\nb"), banner(false, "hidden")]);
        let account = Account {
            name: "x".into(),
            home: "/nowhere".into(),
            shell: "/bin/sh".into(),
        };
        assert_eq!(greeting(&workspace, &account), b"a\r\nb\r\n\r\n");
    }

    #[test]
    fn a_missing_file_greets_with_nothing() {
        assert!(motd(Path::new("/does/not/exist")).is_empty());
    }
}
