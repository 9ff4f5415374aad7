//! TCP in user space: one small smoltcp interface per connection.
//!
//! Packets are matched to connections by their addresses before smoltcp sees them, so the cost of
//! a packet does not grow with the number of connections, and a connection request can wait for a
//! decision before it is answered.

mod device;
mod flow;
mod segment;

pub(crate) use device::Packets;
pub(crate) use flow::{Flow, ReadState, WriteState};
pub(crate) use segment::{FlowKey, Segment, reset_for};
