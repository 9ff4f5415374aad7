//! The process's life as a go-plugin plugin: handshake, TLS, the listener, the services that every plugin has, and
//! when to end.

mod connection;
mod handshake;
mod lifetime;
mod p521;
mod services;
mod socket;
mod tls;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tonic::transport::Server;

use self::connection::Incoming;
use self::handshake::{Handshake, HandshakeError};
use self::lifetime::Lifetime;
use self::socket::Socket;
use crate::proto::health::health_server::HealthServer;
use crate::proto::plugin::grpc_broker_server::GrpcBrokerServer;
use crate::proto::plugin::grpc_controller_server::GrpcControllerServer;
use crate::proto::plugin::grpc_stdio_server::GrpcStdioServer;
use crate::proto::tfplugin5::provider_server::ProviderServer;
use crate::provider::Provider;

/// Largest message, as agreed by all providers of this protocol.
const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// Why the plugin ended badly.
#[derive(Debug, thiserror::Error)]
enum PluginError {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("cannot set up TLS with the host: {0}")]
    Tls(#[from] tls::TlsError),
    #[error("cannot listen for the host: {0}")]
    Listen(#[from] socket::SocketError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the connection to the host failed: {0}")]
    Serve(#[from] tonic::transport::Error),
}

/// Serves a provider to the host that started this process.
pub fn serve(provider: Provider) -> ExitCode {
    match run(provider) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(provider: Provider) -> Result<(), PluginError> {
    let handshake = if std::env::args()
        .skip(1)
        .any(|argument| argument.trim_start_matches('-') == "debug")
    {
        Handshake::debug()
    } else {
        Handshake::from_host(&|name| std::env::var(name).ok())?
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve_host(provider, &handshake))
}

async fn serve_host(provider: Provider, handshake: &Handshake) -> Result<(), PluginError> {
    let socket = Socket::bind(&handshake.socket)?;
    let identity = handshake
        .client_certificate
        .as_deref()
        .map(tls::Identity::for_client)
        .transpose()?;
    let lifetime = Arc::new(Lifetime::new(handshake.debug));

    // The host's process group gets Ctrl-C too; the host then asks to stop, and says goodbye by itself.
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move { while interrupt.recv().await.is_some() {} });
    let mut terminate = signal(SignalKind::terminate())?;
    let ending = Arc::clone(&lifetime);
    tokio::spawn(async move {
        terminate.recv().await;
        ending.end();
    });

    handshake.announce(
        socket.path(),
        identity.as_ref().map(tls::Identity::certificate),
    )?;

    let acceptor = identity.map(|identity| identity.acceptor());
    let incoming = Incoming::new(socket.listener()?, acceptor, Arc::clone(&lifetime));
    let server = Server::builder()
        .add_service(
            ProviderServer::new(provider)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES),
        )
        .add_service(HealthServer::new(services::Health))
        .add_service(GrpcBrokerServer::new(services::Broker(Arc::clone(
            &lifetime,
        ))))
        .add_service(GrpcControllerServer::new(services::Controller(Arc::clone(
            &lifetime,
        ))))
        .add_service(GrpcStdioServer::new(services::Stdio(Arc::clone(&lifetime))))
        .serve_with_incoming_shutdown(incoming.into_stream(), lifetime.ended());
    tokio::select! {
        served = server => served?,
        // A host that does not close its connection is not waited for.
        () = lifetime.overdue() => {}
    }
    Ok(())
}
