//! TCP connections as streams see them, over the state machine of `tunnel_proto::tcp`.

mod flow;

pub(crate) use flow::{Flow, ReadState, WriteState};
pub(crate) use tunnel_proto::tcp::Addresses as FlowKey;
