//! The server's part in the tunnel: the relay, the coordinator, the map of relays, resume
//! tokens, and the RPC service that ties them together.

mod coordinator;
mod derp_config;
mod derp_map;
mod node;
mod resume;
mod service;
mod settings;
mod updates;

use std::sync::Arc;

use control::Control;
use control::agents::ManifestSettings;
use relay::Relay;
use tunnel_proto::derp_map::DerpMap;
use tunnel_proto::key::NodePrivate;
use url::Url;
use uuid::Uuid;

use crate::agent_conn::{AgentConn, AgentConns};

pub(crate) use coordinator::Access;
use coordinator::Coordinator;
pub(crate) use derp_config::load as derp_config;
pub(crate) use resume::{ResumeError, ResumeTokens};
pub(crate) use service::{AgentTailnet, ClientTailnet};
pub use settings::TailnetSettings;

/// The server's part in the tunnel. Cheap to clone.
#[derive(Clone)]
pub struct Tailnet {
    inner: Arc<Inner>,
}

struct Inner {
    relay: Option<Relay>,
    coordinator: Coordinator,
    map: DerpMap,
    proto_map: rpc::proto::tailnet::DerpMap,
    options: TailnetSettings,
    resume: ResumeTokens,
    replica: Uuid,
    agents: AgentConns,
}

impl Tailnet {
    /// For the server reached at `access_url`. `replica` names this process.
    pub fn new(
        control: Control,
        access_url: &Url,
        options: TailnetSettings,
        replica: Uuid,
    ) -> Self {
        let map = derp_map::build(access_url, &options);
        Self {
            inner: Arc::new(Inner {
                relay: options
                    .relay
                    .then(|| Relay::new(NodePrivate::from_bytes(rand::random()))),
                coordinator: Coordinator::default(),
                proto_map: tunnel::coordinate::derp_map_to_proto(&map),
                map,
                options,
                resume: ResumeTokens::new(control),
                replica,
                agents: AgentConns::new(access_url.clone()),
            }),
        }
    }

    /// The relay, unless it is switched off.
    pub(crate) fn relay(&self) -> Option<&Relay> {
        self.inner.relay.as_ref()
    }

    pub(crate) fn coordinator(&self) -> &Coordinator {
        &self.inner.coordinator
    }

    /// The relays, in the JSON form.
    pub(crate) fn derp_map(&self) -> &DerpMap {
        &self.inner.map
    }

    /// The relays, as messages.
    pub(crate) fn proto_derp_map(&self) -> &rpc::proto::tailnet::DerpMap {
        &self.inner.proto_map
    }

    pub(crate) fn options(&self) -> &TailnetSettings {
        &self.inner.options
    }

    pub(crate) fn resume(&self) -> &ResumeTokens {
        &self.inner.resume
    }

    /// This process among those that share the database.
    pub(crate) fn replica(&self) -> Uuid {
        self.inner.replica
    }

    pub(crate) fn manifest_settings(&self) -> ManifestSettings {
        ManifestSettings {
            disable_direct_connections: self.inner.options.block_direct,
            derp_force_websockets: self.inner.options.force_websockets,
            derp_map: self.inner.proto_map.clone(),
        }
    }

    /// A hold on the server's own tunnel to an agent. The caller has checked the user's rights.
    pub(crate) fn acquire(&self, agent: Uuid) -> AgentConn {
        self.inner.agents.acquire(self, agent)
    }

    /// Ends every connection of relay and coordinator; for the server's stop.
    pub fn close(&self) {
        self.inner.agents.close();
        self.inner.coordinator.close();
        if let Some(relay) = &self.inner.relay {
            relay.close();
        }
    }
}
