//! Pieces for unit tests.

use std::sync::Arc;

use crate::account::Account;
use crate::config::Config;
use crate::manifest::Manifest;
use crate::workspace::Workspace;

/// Settings for a control plane that is not there.
pub fn config() -> Config {
    let url = "http://localhost".parse().unwrap();
    Config::new(client::Client::new(url, "token".to_owned().into()).unwrap())
}

/// A manifest message with an identity and nothing else.
pub fn proto() -> rpc::proto::agent::Manifest {
    rpc::proto::agent::Manifest {
        agent_id: vec![1; 16],
        workspace_id: vec![2; 16],
        ..Default::default()
    }
}

/// A workspace with this manifest.
pub fn workspace_with(proto: rpc::proto::agent::Manifest) -> Arc<Workspace> {
    let workspace = Workspace::new(config());
    let manifest = Manifest::from_proto(proto, &Account::current()).unwrap();
    workspace.set_manifest(Arc::new(manifest));
    workspace
}

/// A workspace with an empty manifest.
pub fn workspace() -> Arc<Workspace> {
    workspace_with(proto())
}

/// A workspace whose data is in this directory.
pub fn workspace_at(directory: &std::path::Path) -> Arc<Workspace> {
    let mut config = config();
    config.script_data_dir = directory.to_owned();
    let workspace = Workspace::new(config);
    let manifest = Manifest::from_proto(proto(), &Account::current()).unwrap();
    workspace.set_manifest(Arc::new(manifest));
    workspace
}
