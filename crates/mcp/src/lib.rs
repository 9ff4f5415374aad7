//! The Model Context Protocol, as far as tools need it: a client that reaches servers by HTTP, and
//! the server's half of the conversation. Source: modelcontextprotocol.io, revision 2025-06-18, and
//! its older transport with server-sent events.
//!
//! - [`protocol`] are the messages, [`names`] what tools are called before a model.
//! - [`Remote`] is a server at an address; [`Channel`] is any way to one.
//! - [`guard`] keeps connections away from addresses that strangers must not make us reach.
//! - [`oauth`] is how people give us access to a server.
//! - [`serve`] answers as a server.
//!
//! Nothing here knows whose server it is, or what is done with the answers.

pub mod channel;
mod error;
mod event_stream;
mod events;
pub mod guard;
mod http;
pub mod names;
pub mod oauth;
pub mod protocol;
mod remote;
pub mod serve;
mod sse;

pub use channel::{Channel, open};
pub use error::Error;
pub use event_stream::EventStream;
pub use guard::Guard;
pub use protocol::{Called, Tool};
pub use remote::{Remote, Target, Transport};
