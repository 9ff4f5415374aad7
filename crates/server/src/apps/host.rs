//! The hosts of apps: a wildcard, and what its place holds.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// `*.apps.example.com` or `*--apps.example.com`: the star stands for one label, or for its
/// beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WildcardHost {
    pattern: String,
    /// What follows the star.
    suffix: String,
}

impl WildcardHost {
    /// Reads a wildcard; a port is allowed and does not matter.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("{text:?} {why}: it must be like *.apps.example.com");
        if text.contains("://") {
            return Err(bad("has a scheme"));
        }
        let host = without_port(text).to_ascii_lowercase();
        let suffix = host
            .strip_prefix('*')
            .ok_or_else(|| bad("does not begin with a star"))?;
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        if suffix.contains('*') || !suffix.bytes().all(known) {
            return Err(bad("is no host name"));
        }
        let labels = host.split('.').collect::<Vec<_>>();
        if labels.len() < 2 || labels.iter().any(|label| label.is_empty()) {
            return Err(bad("has too few labels"));
        }
        Ok(Self {
            suffix: suffix.to_owned(),
            pattern: host,
        })
    }

    /// What stands in place of the star in `host`; none if it is another host.
    pub(crate) fn label<'h>(&self, host: &'h str) -> Option<&'h str> {
        let host = without_port(host);
        let split = host.len().checked_sub(self.suffix.len())?;
        let (label, suffix) = host.split_at_checked(split)?;
        let same = suffix.eq_ignore_ascii_case(&self.suffix);
        (same && !label.is_empty() && !label.contains('.')).then_some(label)
    }

    /// The domain that all hosts of apps have in common.
    pub(crate) fn domain(&self) -> &str {
        self.pattern.split_once('.').map_or("", |(_, rest)| rest)
    }

    /// Name of the cookie that holds a key for apps. Servers whose wildcards lie below one another
    /// must not read each other's.
    pub(crate) fn session_cookie(&self) -> String {
        let hash = Sha256::digest(self.pattern.as_bytes());
        format!("{SUBDOMAIN_COOKIE}_{}", hex::encode(&hash[..16]))
    }
}

/// What the names of these cookies begin with.
pub(super) const SUBDOMAIN_COOKIE: &str = "coder_subdomain_app_session_token";

/// A host without its port.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // An IPv6 address has colons of its own.
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

/// An app in a label: `[prefix---]app[--agent]--workspace--owner`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppLabel {
    /// With its three dashes; may be empty.
    pub(crate) prefix: String,
    /// The app's slug, or a port.
    pub(crate) app: String,
    /// The agent; may be empty.
    pub(crate) agent: String,
    /// The workspace.
    pub(crate) workspace: String,
    /// Its owner's username.
    pub(crate) owner: String,
}

impl AppLabel {
    /// Reads a label; none if it has not the form.
    pub(crate) fn parse(label: &str) -> Option<Self> {
        let (prefix, rest) = match label.rfind("---") {
            Some(at) => label.split_at(at + 3),
            None => ("", label),
        };
        let parts: Vec<&str> = rest.split("--").collect();
        if !parts.iter().all(|part| is_name(part)) {
            return None;
        }
        let (app, agent, workspace, owner) = match parts.as_slice() {
            [app, workspace, owner] => (*app, "", *workspace, *owner),
            [app, agent, workspace, owner] => (*app, *agent, *workspace, *owner),
            _ => return None,
        };
        Some(Self {
            prefix: prefix.to_owned(),
            app: app.to_owned(),
            agent: agent.to_owned(),
            workspace: workspace.to_owned(),
            owner: owner.to_owned(),
        })
    }
}

impl fmt::Display for AppLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, self.app)?;
        if !self.agent.is_empty() {
            write!(f, "--{}", self.agent)?;
        }
        write!(f, "--{}--{}", self.workspace, self.owner)
    }
}

/// Letters and digits, with single dashes within.
fn is_name(text: &str) -> bool {
    text.split('-')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_one_label() {
        let host = WildcardHost::parse("*.Apps.example.com:8443").unwrap();
        assert_eq!(host.label("A--b--c.apps.EXAMPLE.com:1"), Some("A--b--c"));
        for other in [
            "apps.example.com",
            ".apps.example.com",
            "x.y.apps.example.com",
            "x.apps.example.org",
            "x.apps.example.com.evil.org",
            "xapps.example.com",
            "",
            "é.example.com",
        ] {
            assert_eq!(host.label(other), None, "{other}");
        }
        assert_eq!(host.domain(), "apps.example.com");
        let host = WildcardHost::parse("*--apps.example.com").unwrap();
        assert_eq!(host.label("a--b--c--apps.example.com"), Some("a--b--c"));
        assert_eq!(host.domain(), "example.com");
    }

    #[test]
    fn bad_wildcards_are_refused() {
        for bad in [
            "",
            "*",
            "x.y",
            "a.*.b",
            "*.*.x",
            "http://*.x.y",
            "*.",
            "*..x",
            "*.x/y",
            "*.é.x",
        ] {
            assert!(WildcardHost::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn cookies_differ_between_wildcards() {
        let name = |text| WildcardHost::parse(text).unwrap().session_cookie();
        assert_ne!(name("*.a.example.com"), name("*.b.a.example.com"));
        assert_eq!(name("*.a.example.com").len(), SUBDOMAIN_COOKIE.len() + 33);
    }

    #[test]
    fn labels_read_and_write_alike() {
        for text in [
            "code--dev--ann",
            "8080--main--dev--ann",
            "8443s--main--dev--ann",
            "v1---code--dev--ann",
            "a---b---code--my-ws--ann-b",
        ] {
            let label = AppLabel::parse(text).unwrap();
            assert_eq!(label.to_string(), text);
            assert_eq!(label.agent.is_empty(), !text.contains("main"), "{text}");
        }
        let long = AppLabel::parse("pre---8080--main--dev--ann").unwrap();
        assert_eq!(
            (long.prefix.as_str(), long.app.as_str()),
            ("pre---", "8080")
        );
        for bad in [
            "",
            "code",
            "code--dev",
            "--dev--ann",
            "code----ann",
            "a--b--c--d--e",
            "co_de--dev--ann",
            "code---dev---ann",
            "-x--dev--ann",
            "x---",
        ] {
            assert_eq!(AppLabel::parse(bad), None, "{bad}");
        }
    }
}
