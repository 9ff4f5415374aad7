//! The environment of sessions and scripts, and the command lines that run in it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::config::Config;
use crate::context::Config as ContextConfig;
use crate::expand;
use crate::manifest::Manifest;
use crate::socket::DEFAULT_PATH;

/// Variables by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// Something to run.
#[derive(Debug, Clone)]
pub struct CommandLine {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Where it starts.
    pub directory: PathBuf,
    /// All its variables.
    pub environment: Environment,
}

/// The environment of everything that runs in the workspace on someone's
/// behalf. Later sources win: this process, `given`, the account, what we
/// define, the template, the owner's secrets.
pub fn environment(
    config: &Config,
    manifest: &Manifest,
    account: &Account,
    given: &[(OsString, OsString)],
) -> Environment {
    let client = config.client();
    let mut env: Environment = std::env::vars_os().collect();
    // Settings of the agent alone.
    env.retain(|name, _| !ContextConfig::VARIABLES.iter().any(|own| name == own));
    env.extend(given.iter().cloned());
    let mut set = |name: &str, value: OsString| {
        env.insert(name.into(), value);
    };
    set("USER", account.name.clone().into());
    set("LOGNAME", account.name.clone().into());
    set("SHELL", account.shell.clone().into());
    set("CODER", "true".into());
    set(
        "CODER_WORKSPACE_NAME",
        manifest.workspace_name.clone().into(),
    );
    set(
        "CODER_WORKSPACE_AGENT_NAME",
        manifest.agent_name.clone().into(),
    );
    set(
        "CODER_WORKSPACE_OWNER_NAME",
        manifest.owner_name.clone().into(),
    );
    set(
        "CODER_WORKSPACE_ID",
        manifest.workspace_id.to_string().into(),
    );
    // Who looks for the agent where all agents are would find another's.
    if let Some(path) = config.socket_path.as_deref()
        && path != Path::new(DEFAULT_PATH)
    {
        set("CODER_AGENT_SOCKET_PATH", path.into());
    }
    // Commands of this program inside the workspace act as the agent.
    set("CODER_AGENT_TOKEN", client.token().expose().into());
    let mut git_ssh = config.executable.clone().into_os_string();
    git_ssh.push(" gitssh --");
    set("GIT_SSH_COMMAND", git_ssh);
    set("CS_DISABLE_GETTING_STARTED_OVERRIDE", "true".into());
    if !manifest.vscode_port_proxy_uri.is_empty() {
        set(
            "VSCODE_PROXY_URI",
            manifest.vscode_port_proxy_uri.clone().into(),
        );
    }
    for (name, value) in &manifest.environment {
        set(
            name,
            expand::variables(value, |name| std::env::var(name).ok()).into(),
        );
    }
    for secret in manifest.secrets.iter().filter(|s| !s.env_name.is_empty()) {
        set(
            &secret.env_name,
            OsString::from_vec(secret.value.expose().clone()),
        );
    }
    // The helpers need it, and it may have come by a flag.
    set("CODER_AGENT_URL", client.url().as_str().into());
    set("GIT_ASKPASS", config.executable.clone().into());
    // Names with `=` or NUL, and values with NUL, cannot be passed to a program.
    env.retain(|name, value| {
        !name.is_empty() && !contains(name, b"=\0") && !contains(value, b"\0")
    });

    let mut path = config.script_bin().into_os_string();
    path.push(":");
    path.push(
        env.get(OsStr::new("PATH"))
            .map_or(OsStr::new(""), |path| path),
    );
    env.insert("PATH".into(), path);
    env
}

fn contains(text: &OsStr, bytes: &[u8]) -> bool {
    text.as_encoded_bytes().iter().any(|b| bytes.contains(b))
}

impl CommandLine {
    /// What runs `script`: the login shell for an empty one, the interpreter
    /// that a `#!` names, else the account's shell.
    pub fn new(
        script: &OsStr,
        manifest: &Manifest,
        account: &Account,
        environment: Environment,
    ) -> Self {
        let text = script.to_string_lossy();
        let (program, arguments): (OsString, Vec<OsString>) = if script.is_empty() {
            (account.shell.clone().into(), vec!["-l".into()])
        } else if let Some(line) = text.trim().strip_prefix("#!") {
            let mut words = expand::words(line.lines().next().unwrap_or_default()).into_iter();
            let program = words
                .next()
                .map_or_else(|| account.shell.clone().into(), OsString::from);
            let arguments = words
                .map(OsString::from)
                .chain(["-c".into(), script.into()]);
            (program, arguments.collect())
        } else {
            (
                account.shell.clone().into(),
                vec!["-c".into(), script.into()],
            )
        };
        let directory = manifest.directory.as_ref().filter(|d| d.is_dir());
        Self {
            program,
            arguments,
            directory: directory.unwrap_or(&account.home).clone(),
            environment,
        }
    }

    /// As a child process that starts with these variables alone.
    pub fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment);
        // A home that does not exist must not make every session fail.
        if self.directory.is_dir() {
            command.current_dir(&self.directory);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::WorkspaceSecret;
    use crate::testing;

    fn account() -> Account {
        Account {
            name: "dev".into(),
            home: "/".into(),
            shell: "/bin/dash".into(),
        }
    }

    fn manifest() -> Manifest {
        let proto = rpc::proto::agent::Manifest {
            agent_id: vec![1; 16],
            workspace_id: vec![2; 16],
            workspace_name: "dev".into(),
            environment_variables: [
                ("CODER_WORKSPACE_NAME".to_owned(), "template".to_owned()),
                ("EXTRA".to_owned(), "$CARGO_PKG_NAME!".to_owned()),
            ]
            .into(),
            ..Default::default()
        };
        let mut manifest = Manifest::from_proto(proto, &account()).unwrap();
        manifest.secrets.push(WorkspaceSecret {
            env_name: "EXTRA_SECRET".into(),
            file_path: String::new(),
            value: b"pa$$word".to_vec().into(),
        });
        manifest
    }

    fn config() -> Config {
        let mut config = testing::config();
        config.script_data_dir = "/data".into();
        config.executable = "/bin/coder".into();
        config
    }

    #[test]
    fn later_sources_win() {
        let client = [
            ("CODER", "mine"),
            ("TERM", "xterm"),
            ("PATH", "/p"),
            ("A=B", "x"),
        ]
        .map(|(k, v)| (k.into(), v.into()));
        let env = environment(&config(), &manifest(), &account(), &client);
        let get = |name: &str| {
            env.get(OsStr::new(name))
                .and_then(|v| v.to_str())
                .unwrap_or("")
        };
        assert_eq!(get("TERM"), "xterm");
        assert_eq!(get("CODER"), "true");
        assert_eq!(get("CODER_WORKSPACE_NAME"), "template");
        assert_eq!(get("EXTRA"), concat!(env!("CARGO_PKG_NAME"), "!"));
        assert_eq!(get("EXTRA_SECRET"), "pa$$word");
        assert_eq!(get("PATH"), "/data/coder-script-data/bin:/p");
        assert_eq!(get("GIT_SSH_COMMAND"), "/bin/coder gitssh --");
        assert_eq!(get("CODER_AGENT_TOKEN"), "token");
        let mut beside = config();
        beside.socket_path = Some("/tmp/other.sock".into());
        let found = |config: &Config| {
            let env = environment(config, &manifest(), &account(), &[]);
            env.get(OsStr::new("CODER_AGENT_SOCKET_PATH")).cloned()
        };
        assert_eq!(found(&beside), Some("/tmp/other.sock".into()));
        beside.socket_path = Some(DEFAULT_PATH.into());
        assert_eq!(found(&beside), None);
        assert!(!env.contains_key(OsStr::new("A=B")));
    }

    #[test]
    fn commands_go_to_the_right_interpreter() {
        let line = |script: &str| {
            let line =
                CommandLine::new(script.as_ref(), &manifest(), &account(), Environment::new());
            let mut all = vec![line.program.to_string_lossy().into_owned()];
            all.extend(
                line.arguments
                    .iter()
                    .map(|a| a.to_string_lossy().into_owned()),
            );
            all
        };
        assert_eq!(line(""), ["/bin/dash", "-l"]);
        assert_eq!(line("ls -l"), ["/bin/dash", "-c", "ls -l"]);
        let script = "#!/usr/bin/env bash\necho hi";
        assert_eq!(line(script), ["/usr/bin/env", "bash", "-c", script]);
    }
}
