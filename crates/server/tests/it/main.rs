//! The server over real sockets and a real database: agents, coordination, relay, programs.

mod agents;
mod binaries;
mod garbage;
mod peers;
mod tunnel;
mod world;
