//! Workers of other replicas, which can be killed.

use std::sync::Arc;

use authz::Policy;
use chat::live::Hub;
use chat::machine::Machine;
use chat::worker::{Neighbours, Parts};
use tokio_util::sync::CancellationToken;

use super::World;

impl World {
    /// Starts a worker as another replica has it; the task can be aborted, as a crash does.
    /// Everything that the replica does ends with it.
    pub fn start_replica(&self, neighbours: Neighbours) -> Replica {
        let url = self.db.url.clone();
        let (script, tools) = (self.script.clone(), self.tools.clone());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let killed = Arc::new(tokio::sync::Notify::new());
            let _ = ready.send(killed.clone());
            runtime.block_on(async move {
                let store = store::Store::connect(&url, 4).unwrap();
                let hub = Hub::new(store.clone());
                tokio::spawn({
                    let hub = hub.clone();
                    async move { hub.run(CancellationToken::new()).await }
                });
                let parts = Parts {
                    machine: Machine::new(store, hub),
                    models: script,
                    toolbox: tools,
                    policy: Policy::default(),
                    url: String::new(),
                };
                let work = chat::worker::run(parts, neighbours, CancellationToken::new());
                tokio::select! {
                    () = work => {}
                    () = killed.notified() => {}
                }
            });
            // Nothing says goodbye: tasks and connections end where they stand.
            runtime.shutdown_background();
        });
        Replica {
            killed: is_ready.recv().unwrap(),
            thread: Some(thread),
        }
    }
}

/// A worker in a thread of its own.
pub struct Replica {
    killed: Arc<tokio::sync::Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Replica {
    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        self.killed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}
