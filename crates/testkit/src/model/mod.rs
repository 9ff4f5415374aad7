//! A scripted model provider: speaks the wire format of whichever interface is called, says what a
//! test has scripted, fails in all the ways in which providers fail, and keeps what it was asked.
//!
//! ```no_run
//! # async fn example() {
//! use testkit::model::{ModelServer, Reply, Say};
//! let model = ModelServer::start().await;
//! model.then(Reply::say([Say::text("hello"), Say::call("c1", "execute", r#"{"command":"ls"}"#)]));
//! model.then(Reply::status(429).header("retry-after", "1"));
//! // base URL for OpenAI's shapes: model.v1(); for the others: model.url()
//! # }
//! ```

pub mod plays;
mod render;
mod say;
mod server;

pub use render::Api;
pub use say::{Piece, Reply, Say};
pub use server::{Asked, ModelServer};
