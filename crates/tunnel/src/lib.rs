//! The tunnel between peers: WireGuard over UDP or relays, with TCP in user space.
//!
//! [`Conn`] is one end. It keeps connections to relays, holds sessions with peers that the
//! coordinator announces ([`coordinate`] drives that), and carries TCP streams that behave like
//! sockets. The protocols are in `tunnel-proto`; here are sockets, timers and tasks.

mod config;
mod conn;
pub mod coordinate;
mod direct;
mod engine;
mod fallback;
mod listener;
mod loopback;
mod netstack;
mod relay;
mod shared;
mod status;
mod stream;
mod udp;

pub use config::{Config, Limits, RelayInProcess};
pub use conn::Conn;
pub use fallback::{BoxFuture, FallbackTcp, Inbound, Localhost, Serve};
pub use listener::Listener;
pub use loopback::is_loopback_host;
pub use relay::Proxies;
pub use status::{PeerStatus, PingError, Pong, Status, Traffic, Via, WhyRelayed};
pub use stream::TcpStream;
pub use tunnel_proto::address;
pub use tunnel_proto::derp_map::{DerpMap, DerpNode, HomeParams, Region};
pub use tunnel_proto::netcheck::Report;
pub use tunnel_proto::node::Node;
pub use tunnel_proto::path::{CandidateStatus, PathStatus};
pub use tunnel_proto::peers::{PeerUpdate, PeerUpdateKind};
pub use udp::UdpSocket;
