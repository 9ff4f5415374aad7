//! The RPC services of the control plane: protobuf messages of the agent,
//! tailnet, provisioner and agent-socket protocols, and the transport that
//! carries them (yamux streams, one DRPC connection on each). It knows the wire
//! and nothing of what the calls do.

pub mod drpc;
pub mod mux;
pub mod proto;
pub mod version;

pub use proto::agent::{AgentClient, AgentServer, AgentService};
pub use proto::agentsocket::{AgentSocketClient, AgentSocketServer, AgentSocketService};
pub use proto::provisionerd::{
    ProvisionerDaemonClient, ProvisionerDaemonServer, ProvisionerDaemonService,
};
pub use proto::tailnet::{TailnetClient, TailnetServer, TailnetService};
