//! What a request to an app names.

use serde::{Deserialize, Serialize};

/// How an app is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessMethod {
    /// Below a path of the access URL.
    #[default]
    Path,
    /// At a host of its own.
    Subdomain,
    /// The web terminal.
    Terminal,
}

impl AccessMethod {
    /// As it stands in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            AccessMethod::Path => "path",
            AccessMethod::Subdomain => "subdomain",
            AccessMethod::Terminal => "terminal",
        }
    }
}

/// An app by its names. Part of signed tokens, hence the names of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AppRequest {
    /// How it is reached.
    pub access_method: AccessMethod,
    /// Path below which the app is, with a slash at the end.
    pub base_path: String,
    /// What stands before the app's name in its host, with three dashes at the end; may be empty.
    pub app_prefix: String,
    /// The workspace's owner; empty for terminals.
    pub username_or_id: String,
    /// The workspace; empty for terminals.
    pub workspace_name_or_id: String,
    /// The agent; may be empty. The id for terminals.
    pub agent_name_or_id: String,
    /// The app, or a port with `s` behind it for HTTPS; empty for terminals.
    pub app_slug_or_port: String,
}

impl AppRequest {
    /// The port that it names, and whether HTTPS is spoken there.
    pub fn port(&self) -> Option<(u16, bool)> {
        let text = self.app_slug_or_port.as_str();
        let (digits, https) = match text.strip_suffix('s') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        Some((digits.parse().ok().filter(|_| plain)?, https))
    }

    /// What statistics and logs call it.
    pub fn label(&self) -> &str {
        match self.access_method {
            AccessMethod::Terminal => "terminal",
            _ => &self.app_slug_or_port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_with_an_optional_s() {
        let port = |text: &str| {
            let request = AppRequest {
                app_slug_or_port: text.to_owned(),
                ..AppRequest::default()
            };
            request.port()
        };
        assert_eq!(port("8080"), Some((8080, false)));
        assert_eq!(port("8443s"), Some((8443, true)));
        for text in ["code", "s", "", "70000", "+80", "80ss"] {
            assert_eq!(port(text), None, "{text}");
        }
    }
}
