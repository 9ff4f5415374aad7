//! An SSH server on a local port, and the OpenSSH client to reach it.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use agent::Config;
use agent::account::Account;
use agent::manifest::Manifest;
use agent::ssh::Server;
use agent::workspace::Workspace;

/// A workspace whose SSH server listens on a local port.
pub struct Host {
    pub workspace: Arc<Workspace>,
    pub port: u16,
    _runtime: tokio::runtime::Runtime,
}

/// Starts a server with settings that `change` may alter.
pub fn host_with(change: impl FnOnce(&mut Config)) -> Host {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let url = "http://localhost".parse().unwrap();
    let client = client::Client::new(url, "the-token".to_owned().into()).unwrap();
    let mut config = Config::new(client);
    change(&mut config);
    let workspace = Workspace::new(config);
    let manifest = rpc::proto::agent::Manifest {
        agent_id: vec![1; 16],
        workspace_id: vec![2; 16],
        workspace_name: "dev".into(),
        agent_name: "main".into(),
        owner_username: "ada".into(),
        ..Default::default()
    };
    let manifest = Manifest::from_proto(manifest, &Account::current()).unwrap();
    workspace.set_manifest(Arc::new(manifest));
    let server = Server::new(workspace.clone());
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move { server.serve(stream, peer.ip().to_string()).await });
        }
    });
    Host {
        workspace,
        port,
        _runtime: runtime,
    }
}

/// Starts a server with the usual settings.
pub fn host() -> Host {
    host_with(|_| {})
}

const OPTIONS: [&str; 12] = [
    "-F",
    "/dev/null",
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "LogLevel=ERROR",
    "-o",
    "IdentitiesOnly=yes",
    "-o",
    "ExitOnForwardFailure=yes",
];

impl Host {
    /// An `ssh` command to this host; arguments for the remote side follow.
    pub fn ssh(&self, options: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command
            .args(OPTIONS)
            .args(["-p", &self.port.to_string()])
            .args(options)
            .arg("any@127.0.0.1");
        command.stdin(Stdio::null());
        command
    }

    /// Runs one remote command.
    pub fn run(&self, script: &str) -> Output {
        self.ssh(&[]).arg(script).output().unwrap()
    }

    /// An `sftp` command to this host that reads its batch from standard input.
    pub fn sftp(&self) -> Command {
        let mut command = Command::new("sftp");
        command
            .args(OPTIONS)
            .args(["-P", &self.port.to_string(), "-b", "-", "any@127.0.0.1"]);
        command
    }
}

/// The standard output as text.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
