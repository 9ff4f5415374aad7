//! A model provider without a model: OpenAI's interface on a port of this machine, answered by the
//! plays of `testkit`. Prints its base URL and serves until it is ended.
//!
//! `scripts/demo-chat.sh` uses it; `cargo run -p testkit --no-default-features --example
//! scripted-model` starts it alone.

use testkit::model::{ModelServer, plays};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let model = ModelServer::start().await;
    model.otherwise(plays::reply);
    println!("{}", model.v1());
    std::future::pending::<()>().await;
}
