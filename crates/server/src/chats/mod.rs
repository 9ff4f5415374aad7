//! The worker of chats in this process, and what it takes from the rest of the server: models
//! through the gateway, workspaces through the tunnel.

mod models;

use std::sync::Arc;

use chat::tools::Toolbox;
use chat::worker::{Neighbours, Parts};
use control::Control;
use gateway::Gateway;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use models::GatewayModels;

/// Starts the worker, and what shows viewers the changes of other processes.
pub(crate) fn start(
    control: &Control,
    gateway: Gateway,
    toolbox: Arc<dyn Toolbox>,
    neighbours: Neighbours,
    tasks: &TaskTracker,
    loops: &CancellationToken,
) {
    let models = Arc::new(GatewayModels::new(control.clone(), gateway));
    control.chat_models_set(models.clone());
    let machine = control.chat_machine().clone();
    tasks.spawn({
        let (hub, loops) = (machine.hub().clone(), loops.clone());
        async move { hub.run(loops).await }
    });
    let parts = Parts {
        machine,
        models,
        toolbox,
        policy: control.settings().policy,
    };
    tasks.spawn(chat::worker::run(parts, neighbours, loops.clone()));
}
