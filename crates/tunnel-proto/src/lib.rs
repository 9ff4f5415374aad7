//! The tunnel's protocols as state machines without sockets.
//!
//! Keys, the relay's frames, path discovery, WireGuard sessions, the map of peers and the choice
//! of a path. Everything takes bytes and the time, and gives bytes and the next deadline; only the
//! WireGuard library reads its own clock for key expiry.

pub mod address;
pub mod coordination;
pub mod derp;
pub mod derp_map;
pub mod disco;
pub mod key;
pub mod netcheck;
pub mod node;
pub mod packet;
pub mod path;
pub mod peers;
pub mod stun;
pub mod tcp;
pub mod wireguard;
