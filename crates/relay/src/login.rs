//! The greeting: both sides prove their keys.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use rand::RngCore;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tunnel_proto::derp::{self, Decoder, Frame, NONCE_LEN, ServerInfo};
use tunnel_proto::key::NodePublic;

use crate::{RelayError, Shared};

/// How long each step of the greeting may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Greets a client; its proven key. What it sent after its introduction stays in `buffer`.
pub(crate) async fn greet<R, W>(
    reader: &mut R,
    writer: &mut W,
    buffer: &mut BytesMut,
    decoder: &mut Decoder,
    shared: &Shared,
) -> Result<NodePublic, RelayError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut hello = Vec::new();
    derp::server_key(&mut hello, &shared.key.public());
    send(writer, &hello).await?;

    let key = timeout(STEP_TIMEOUT, introduction(reader, buffer, decoder, shared))
        .await
        .map_err(|_| RelayError::Login("timeout"))??;

    let mut nonce = [0; NONCE_LEN];
    rand::rng().fill_bytes(&mut nonce);
    let sealed = derp::seal_server_info(&shared.key, &key, nonce, &ServerInfo::default());
    let mut confirm = Vec::new();
    derp::server_info(&mut confirm, &nonce, &sealed);
    send(writer, &confirm).await?;
    Ok(key)
}

async fn send<W: AsyncWrite + Unpin>(writer: &mut W, bytes: &[u8]) -> Result<(), RelayError> {
    let written = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    timeout(STEP_TIMEOUT, written)
        .await
        .map_err(|_| RelayError::Stuck)?
        .map_err(RelayError::Io)
}

async fn introduction<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut BytesMut,
    decoder: &mut Decoder,
    shared: &Shared,
) -> Result<NodePublic, RelayError> {
    loop {
        let step = decoder.step(buffer)?;
        let consumed = step.consumed;
        let key = match step.frame {
            Some(Frame::ClientInfo { key, nonce, sealed }) => {
                derp::open_client_info(&shared.key, &key, nonce, sealed)
                    .map_err(|_| RelayError::Login("its introduction cannot be opened"))?;
                Some(key)
            }
            Some(Frame::Unknown(_)) | None => None,
            Some(_) => return Err(RelayError::Login("another frame came first")),
        };
        buffer.advance(consumed);
        if let Some(key) = key {
            return Ok(key);
        }
        if consumed == 0 && reader.read_buf(buffer).await? == 0 {
            return Err(RelayError::Login("it left"));
        }
    }
}
