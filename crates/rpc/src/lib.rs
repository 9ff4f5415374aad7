//! The RPC services of the control plane: protobuf messages of the agent,
//! tailnet, provisioner and agent-socket protocols, and the transport that
//! carries them (yamux streams, one DRPC connection on each). It knows the wire
//! and nothing of what the calls do.

pub mod proto;
