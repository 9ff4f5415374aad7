//! What OpenSSH's client cannot be told to do: signals, new sizes at a given
//! moment, and a thousand sessions at once.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelMsg, Sig};

use crate::support::{Host, host, host_with};

struct Anyone;

impl client::Handler for Anyone {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

async fn connect(host: &Host) -> Handle<Anyone> {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", host.port))
        .await
        .unwrap();
    let config = Arc::new(client::Config::default());
    let mut handle = client::connect_stream(config, stream, Anyone)
        .await
        .unwrap();
    assert!(handle.authenticate_none("any").await.unwrap().success());
    handle
}

/// Reads until the output holds `text`.
async fn until(channel: &mut Channel<Msg>, text: &str) {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(text) {
        match channel.wait().await {
            Some(ChannelMsg::Data { data }) => seen.extend_from_slice(&data),
            Some(_) => {}
            None => panic!(
                "ended before {text:?}: {:?}",
                String::from_utf8_lossy(&seen)
            ),
        }
    }
}

/// The exit code.
async fn code(channel: &mut Channel<Msg>) -> u32 {
    loop {
        match channel.wait().await {
            Some(ChannelMsg::ExitStatus { exit_status }) => return exit_status,
            Some(_) => {}
            None => panic!("ended without a code"),
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

#[test]
fn signals_reach_the_command() {
    let host = host();
    runtime().block_on(async {
        let handle = connect(&host).await;
        let mut channel = handle.channel_open_session().await.unwrap();
        let script = "trap 'echo caught; exit 9' USR1; echo ready; while :; do sleep 0.05; done";
        channel.exec(true, script).await.unwrap();
        until(&mut channel, "ready").await;
        channel.signal(Sig::USR1).await.unwrap();
        until(&mut channel, "caught").await;
        assert_eq!(code(&mut channel).await, 9);

        let mut channel = handle.channel_open_session().await.unwrap();
        channel.exec(true, "echo ready; sleep 600").await.unwrap();
        until(&mut channel, "ready").await;
        channel.signal(Sig::TERM).await.unwrap();
        assert_eq!(code(&mut channel).await, 255);
    });
}

#[test]
fn a_new_size_is_told() {
    let host = host();
    runtime().block_on(async {
        let handle = connect(&host).await;
        let mut channel = handle.channel_open_session().await.unwrap();
        channel
            .request_pty(true, "xterm", 80, 24, 0, 0, &[])
            .await
            .unwrap();
        let script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done";
        channel.exec(true, script).await.unwrap();
        until(&mut channel, "ready").await;
        channel.window_change(133, 41, 0, 0).await.unwrap();
        until(&mut channel, "41 133").await;
    });
}

#[test]
fn a_thousand_sessions_live_at_once() {
    const CONNECTIONS: usize = 20;
    const SESSIONS: usize = 50;
    agent::raise_limits();
    let host = host_with(|_| {});
    runtime().block_on(async {
        let mut channels = Vec::new();
        let mut handles = Vec::new();
        for _ in 0..CONNECTIONS {
            let handle = connect(&host).await;
            for _ in 0..SESSIONS {
                let mut channel = handle.channel_open_session().await.unwrap();
                channel
                    .exec(true, "echo $$; read code; exit $code")
                    .await
                    .unwrap();
                until(&mut channel, "\n").await;
                channels.push(channel);
            }
            handles.push(handle);
        }
        assert_eq!(host.workspace.sessions.total(), CONNECTIONS * SESSIONS);
        for (n, channel) in channels.iter().enumerate() {
            channel
                .data(format!("{}\n", n % 200).as_bytes())
                .await
                .unwrap();
        }
        for (n, channel) in channels.iter_mut().enumerate() {
            assert_eq!(code(channel).await, (n % 200) as u32);
        }
        drop(handles);
        // Only so that a failing test ends; nothing is measured.
        let ended = async {
            while host.workspace.sessions.total() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), ended)
            .await
            .unwrap();
    });
}
