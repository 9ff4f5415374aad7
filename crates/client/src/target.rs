//! Naming a workspace and an agent: `ws`, `ws.agent`, `owner/ws.agent`,
//! `owner--ws--agent`, `agent.ws.owner`, and host names of OpenSSH.

/// The longest name of a workspace or person.
const MAX_NAME: usize = 64;

/// Why a text names no workspace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(String);

/// Which workspace, of whom, and which agent in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `me`, or a name.
    pub owner: String,
    /// Name (or id) of the workspace.
    pub workspace: String,
    /// Name of the agent, where it matters.
    pub agent: Option<String>,
}

impl Target {
    /// Reads `[owner/]ws`, where an id is a name too.
    ///
    /// # Errors
    /// [`TargetError`], as the other forms.
    pub fn workspace(text: &str) -> Result<Self, TargetError> {
        let (owner, name) = text.split_once('/').unwrap_or(("me", text));
        Self::new(owner, name, None)
    }

    /// Reads every form that names a workspace and perhaps an agent.
    pub fn agent(text: &str) -> Result<Self, TargetError> {
        if text.contains('/') {
            let Some((owner, rest)) = text.split_once('/') else {
                return Err(Self::malformed(text));
            };
            let (name, agent) = split_agent(rest, ".");
            return Self::new(owner, name, agent);
        }
        if text.contains("--") {
            let parts: Vec<&str> = text.split("--").collect();
            return match parts[..] {
                [owner, rest] => {
                    let (name, agent) = split_agent(rest, ".");
                    Self::new(owner, name, agent)
                }
                [owner, name, agent] => Self::new(owner, name, Some(agent)),
                _ => Err(Self::malformed(text)),
            };
        }
        let parts: Vec<&str> = text.split('.').collect();
        match parts[..] {
            [name] => Self::new("me", name, None),
            [name, agent] => Self::new("me", name, Some(agent)),
            [agent, name, owner] => Self::new(owner, name, Some(agent)),
            _ => Err(Self::malformed(text)),
        }
    }

    /// Reads a host name of OpenSSH: without `prefix` or `.suffix` it is one
    /// of the forms of [`Self::agent`].
    pub fn host(text: &str, prefix: &str, suffix: &str) -> Result<Self, TargetError> {
        if !prefix.is_empty()
            && let Some(rest) = text.strip_prefix(prefix)
        {
            return Self::agent(rest);
        }
        if !suffix.is_empty()
            && let Some(rest) = text.strip_suffix(suffix).and_then(|t| t.strip_suffix('.'))
        {
            return Self::agent(rest);
        }
        Self::agent(text)
    }

    fn new(owner: &str, workspace: &str, agent: Option<&str>) -> Result<Self, TargetError> {
        for (what, name) in [
            ("owner", Some(owner)),
            ("workspace", Some(workspace)),
            ("agent", agent),
        ] {
            let Some(name) = name else { continue };
            if name.is_empty() || name.len() > MAX_NAME {
                return Err(TargetError(format!(
                    "invalid {what} name {name:?}: it must have 1 to {MAX_NAME} characters"
                )));
            }
            if !name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            {
                return Err(TargetError(format!(
                    "invalid {what} name {name:?}: only letters, digits and hyphens may stand there"
                )));
            }
        }
        Ok(Self {
            owner: owner.to_owned(),
            workspace: workspace.to_owned(),
            agent: agent.map(str::to_owned),
        })
    }

    fn malformed(text: &str) -> TargetError {
        TargetError(format!(
            "cannot tell which workspace {text:?} is: give <workspace>, <workspace>.<agent> or <owner>/<workspace>"
        ))
    }
}

fn split_agent<'a>(text: &'a str, separator: &str) -> (&'a str, Option<&'a str>) {
    match text.split_once(separator) {
        Some((name, agent)) => (name, Some(agent)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(t: Target) -> (String, String, String) {
        (t.owner, t.workspace, t.agent.unwrap_or_default())
    }

    #[test]
    fn every_form_is_understood() {
        for (text, owner, workspace, agent) in [
            ("dev", "me", "dev", ""),
            ("dev.main", "me", "dev", "main"),
            ("ann/dev", "ann", "dev", ""),
            ("ann/dev.main", "ann", "dev", "main"),
            ("ann--dev", "ann", "dev", ""),
            ("ann--dev--main", "ann", "dev", "main"),
            ("ann--dev.main", "ann", "dev", "main"),
            ("main.dev.ann", "ann", "dev", "main"),
        ] {
            let got = parts(Target::agent(text).unwrap());
            assert_eq!(
                got,
                (owner.into(), workspace.into(), agent.into()),
                "{text}"
            );
        }
    }

    #[test]
    fn hosts_lose_prefix_or_suffix() {
        let host = |t: &str| parts(Target::host(t, "coder.", "coder").unwrap());
        assert_eq!(
            host("coder.dev"),
            ("me".into(), "dev".into(), String::new())
        );
        assert_eq!(
            host("dev.coder"),
            ("me".into(), "dev".into(), String::new())
        );
        assert_eq!(
            host("main.dev.ann.coder"),
            ("ann".into(), "dev".into(), "main".into())
        );
        assert_eq!(
            host("coder.ann--dev--main"),
            ("ann".into(), "dev".into(), "main".into())
        );
        assert_eq!(
            parts(Target::host("coder-vscode.x--ann--dev", "coder-vscode.x--", "").unwrap()).1,
            "dev"
        );
    }

    #[test]
    fn bad_names_are_refused() {
        for text in [
            "",
            "/",
            "ann/",
            "/dev",
            "a/b/c",
            "a.b.c.d",
            "a--b--c--d",
            "dev\0",
            "..",
            "dé",
            ".",
            "a b",
            "--",
        ] {
            assert!(Target::agent(text).is_err(), "{text:?}");
        }
        assert!(Target::agent(&"x".repeat(10_000)).is_err());
        assert!(Target::workspace("ann/dev/x").is_err());
        assert!(Target::workspace("").is_err());
    }
}
