//! Reaching an agent: from a name to a tunnel with the agent at its other end.

pub mod diagnosis;
pub mod link;
pub mod netcheck;
pub mod pcap;
pub mod ready;
pub mod session_watch;
