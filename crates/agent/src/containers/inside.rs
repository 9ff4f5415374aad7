//! Commands inside a container: who someone is there, which shell they have, and
//! how the engine is asked to run something for them.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use serde::Deserialize;

use super::{Engine, EngineError};
use crate::environment::{CommandLine, Environment};

/// Why nothing can be run in a container.
#[derive(Debug, thiserror::Error)]
pub enum InsideError {
    /// Containers are not to be entered.
    #[error(
        "containers are not enabled in this workspace: set CODER_AGENT_DEVCONTAINERS_ENABLE=true"
    )]
    Disabled,
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The name makes no sense.
    #[error("{0:?} is not the name of a container")]
    Name(String),
    /// The user is not known there.
    #[error("the container knows no user {0:?}")]
    User(String),
}

/// Tells the name of whoever runs it, a directory to be in (the home, if it is there), and everybody
/// who is known.
const WHO: &str = "id -un 2>/dev/null || id -u; cd 2>/dev/null || cd /; pwd; cat /etc/passwd";

/// Someone in a container.
#[derive(Debug, PartialEq, Eq)]
struct Person {
    name: String,
    home: String,
    shell: String,
}

impl Person {
    fn find(passwd: &str, user: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let fields: Vec<_> = line.trim().split(':').collect();
            let [name, _, uid, _, _, home, shell] = fields[..] else {
                return None;
            };
            let or = |text: &str, default: &str| {
                let text = if text.is_empty() { default } else { text };
                text.to_owned()
            };
            (name == user || uid == user).then(|| Self {
                name: name.to_owned(),
                home: or(home, "/"),
                shell: or(shell, "/bin/sh"),
            })
        })
    }
}

/// What runs `script` (empty: a login shell) in `container` as `user` (empty: whom
/// the container runs as), on a terminal or on pipes.
pub async fn command_line(
    container: &str,
    user: &str,
    script: &OsStr,
    terminal: bool,
    environment: Environment,
) -> Result<CommandLine, InsideError> {
    // Whatever begins with a dash would be an option of the engine.
    for name in [container, user] {
        if name.starts_with('-') || name.contains(['\0', '\n']) {
            return Err(InsideError::Name(name.to_owned()));
        }
    }
    let engine = Engine::find()?;
    let person = who(&engine, container, user).await?;

    let mut arguments: Vec<OsString> = vec!["exec".into(), "--interactive".into()];
    if terminal {
        arguments.push("--tty".into());
    }
    arguments.extend(["--user".into(), person.name.into()]);
    arguments.extend(["--workdir".into(), person.home.into()]);
    for variable in remote_environment(&engine, container).await {
        arguments.extend(["--env".into(), variable.into()]);
    }
    if let Some(term) = environment.get(OsStr::new("TERM")) {
        let mut variable = OsString::from("TERM=");
        variable.push(term);
        arguments.extend(["--env".into(), variable]);
    }
    arguments.push(container.into());
    arguments.push(person.shell.into());
    if script.is_empty() {
        arguments.push("-l".into());
    } else {
        arguments.extend(["-c".into(), script.to_owned()]);
    }
    Ok(CommandLine {
        program: engine.program().clone().into_os_string(),
        arguments,
        directory: PathBuf::from("/"),
        environment,
    })
}

/// Asks the container who `user` is there.
async fn who(engine: &Engine, container: &str, user: &str) -> Result<Person, InsideError> {
    let mut arguments = vec!["exec"];
    if !user.is_empty() {
        arguments.extend(["--user", user]);
    }
    arguments.extend([container, "sh", "-c", WHO]);
    let said = engine.ask(&arguments).await?;
    let said = String::from_utf8_lossy(&said.out);
    let mut parts = said.splitn(3, '\n');
    let mut next = || parts.next().unwrap_or_default().trim();
    let (name, directory, passwd) = (next(), next(), next());
    let user = if user.is_empty() { name } else { user };
    let mut person =
        Person::find(passwd, user).ok_or_else(|| InsideError::User(user.to_owned()))?;
    directory.clone_into(&mut person.home);
    Ok(person)
}

/// Variables that a dev container wants for those who enter it.
async fn remote_environment(engine: &Engine, container: &str) -> Vec<String> {
    let format = "{{index .Config.Labels \"devcontainer.metadata\"}}";
    // Other containers have no such label.
    match engine
        .ask(&["inspect", "--format", format, container])
        .await
    {
        Ok(said) => variables(&said.out),
        Err(_) => Vec::new(),
    }
}

fn variables(metadata: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default, rename = "remoteEnv")]
        environment: std::collections::BTreeMap<String, Option<String>>,
    }
    let metadata: Vec<Metadata> = serde_json::from_slice(metadata).unwrap_or_default();
    let pairs = metadata.into_iter().flat_map(|part| part.environment);
    pairs
        .map(|(name, value)| format!("{name}={}", value.unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_found_by_name_and_number() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ndev:x:1000:1000::/home/dev:\nbroken\n";
        let person = |user| Person::find(passwd, user);
        assert_eq!(person("1000"), person("dev"));
        assert_eq!(person("dev").unwrap().shell, "/bin/sh");
        assert_eq!(person("nobody"), None);
    }

    #[test]
    fn variables_of_dev_containers_are_read() {
        let metadata = br#"[{"remoteEnv":{"A":"1","B":null}},{"x":1}]"#;
        assert_eq!(variables(metadata), ["A=1", "B="]);
        assert!(variables(b"<no value>").is_empty());
    }

    #[tokio::test]
    async fn names_are_no_options() {
        for (container, user) in [("--privileged", ""), ("c", "-u0")] {
            let line = command_line(container, user, OsStr::new(""), true, Environment::new());
            assert!(matches!(line.await, Err(InsideError::Name(_))));
        }
    }
}
