//! The agent alone, for trying it against a server by hand. Takes the
//! variables `CODER_AGENT_URL` and `CODER_AGENT_TOKEN`.

use agent::Config;
use tokio_util::sync::CancellationToken;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(std::io::stderr)
        .init();
    let url = std::env::var("CODER_AGENT_URL")?.parse()?;
    let token = std::env::var("CODER_AGENT_TOKEN")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        tokio::spawn(async move {
            // Without signals, the agent runs until it is killed.
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.cancel();
            }
        });
        agent::run(
            Config::new(client::Client::new(url, token.into())?),
            shutdown,
        )
        .await;
        Ok(())
    })
}
