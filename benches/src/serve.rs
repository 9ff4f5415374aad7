//! A relay on a port of its own: what the server does around it, in a few lines.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::Context;
use relay::Relay;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tunnel_proto::key::NodePrivate;

/// Starts a relay on this machine; its address.
pub(crate) async fn start() -> anyhow::Result<SocketAddr> {
    start_at("127.0.0.1").await
}

/// Starts a relay at an address of this machine.
pub(crate) async fn start_at(ip: &str) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((ip, 0)).await?;
    let address = listener.local_addr()?;
    let relay = Relay::new(NodePrivate::generate(&mut rand::rng()));
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            let relay = relay.clone();
            tokio::spawn(async move {
                // A client that leaves is no news.
                let _ = serve(io, &relay).await;
            });
        }
    });
    Ok(address)
}

/// A relay's process: tells its address in a line, and serves until its pipe ends.
pub(crate) async fn forever() -> anyhow::Result<()> {
    println!("{}", start().await?);
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Starts a relay in a process of its own.
pub(crate) async fn process() -> anyhow::Result<(SocketAddr, Child)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().context("no pipe from the relay")?;
    let line = BufReader::new(stdout).lines().next_line().await?;
    let address = line.context("the relay ended")?.parse()?;
    Ok((address, child))
}

async fn serve(mut io: TcpStream, relay: &Relay) -> anyhow::Result<()> {
    io.set_nodelay(true)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await?);
    }
    io.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n\r\n")
        .await?;
    relay.accept(io).await?;
    Ok(())
}
