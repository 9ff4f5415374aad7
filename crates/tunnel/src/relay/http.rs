//! The little HTTP/1.1 that relays need: one request, one response head, within bounds.

use std::io;

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tunnel_proto::derp_map::DerpNode;

/// Largest response head accepted.
const MAX_HEAD: usize = 16 << 10;

/// A response head and the bytes that came after it.
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) rest: Vec<u8>,
}

/// The `Host` of a relay.
pub(super) fn authority(node: &DerpNode) -> String {
    let host = if node.host_name.contains(':') {
        format!("[{}]", node.host_name)
    } else {
        node.host_name.clone()
    };
    let default = if node.force_http { 80 } else { 443 };
    match port(node) {
        port if port == default => host,
        port => format!("{host}:{port}"),
    }
}

/// Host and port of a relay, the port always named.
pub(super) fn host_and_port(node: &DerpNode) -> String {
    let port = port(node);
    if node.host_name.contains(':') {
        format!("[{}]:{port}", node.host_name)
    } else {
        format!("{}:{port}", node.host_name)
    }
}

/// The TCP port of a relay.
pub(super) fn port(node: &DerpNode) -> u16 {
    match u16::try_from(node.derp_port) {
        Ok(port) if port != 0 => port,
        _ if node.force_http => 80,
        _ => 443,
    }
}

/// Sends a GET with `extra` header lines (each ended by CRLF) and reads the response head.
pub(super) async fn get(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    node: &DerpNode,
    path: &str,
    extra: &str,
    headers: &HeaderMap,
) -> io::Result<Head> {
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\n{extra}",
        authority(node)
    )
    .into_bytes();
    for (name, value) in headers {
        request.extend_from_slice(name.as_str().as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    io.write_all(&request).await?;
    io.flush().await?;
    read_head(io).await
}

pub(super) async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Head> {
    let mut buffer = Vec::with_capacity(1024);
    loop {
        if io.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = find_end(&buffer) {
            let rest = buffer.split_off(end);
            let status = parse_status(&buffer).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "the relay's answer is not HTTP")
            })?;
            return Ok(Head { status, rest });
        }
        if buffer.len() > MAX_HEAD {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the relay's answer has an endless head",
            ));
        }
    }
}

fn find_end(buffer: &[u8]) -> Option<usize> {
    buffer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// Status of a head that begins like `HTTP/1.1 101 …`.
fn parse_status(head: &[u8]) -> Option<u16> {
    let line = head.split(|&byte| byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next()?.strip_prefix("HTTP/1.")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_a_head_in_pieces_and_keeps_the_rest() {
        let io = tokio_test_pieces(&[
            b"HTTP/1.1 101 Switch",
            b"ing\r\nUpgrade: DERP\r\n\r",
            b"\n\x01\x02",
        ]);
        let head = read_head(&mut Box::pin(io)).await.unwrap();
        assert_eq!(
            (head.status, head.rest.as_slice()),
            (101, b"\x01\x02".as_slice())
        );
    }

    #[tokio::test]
    async fn bad_heads_are_errors() {
        for bytes in [
            b"SSH-2.0-x\r\n\r\n".to_vec(),
            b"HTTP/1.1 abc\r\n\r\n".to_vec(),
            b"HTTP".to_vec(),
        ] {
            assert!(read_head(&mut bytes.as_slice()).await.is_err());
        }
        assert!(
            read_head(&mut vec![b'x'; 1 << 20].as_slice())
                .await
                .is_err()
        );
    }

    /// A reader that gives one piece per read.
    fn tokio_test_pieces(pieces: &'static [&'static [u8]]) -> impl AsyncRead {
        tokio_util::io::StreamReader::new(futures::stream::iter(
            pieces
                .iter()
                .map(|piece| Ok::<_, io::Error>(bytes::Bytes::from_static(piece))),
        ))
    }

    #[test]
    fn ports_and_hosts() {
        let node = |host: &str, derp_port, force_http| DerpNode {
            host_name: host.into(),
            derp_port,
            force_http,
            ..DerpNode::default()
        };
        assert_eq!(authority(&node("h", 0, true)), "h");
        assert_eq!(authority(&node("h", 8080, false)), "h:8080");
        assert_eq!(authority(&node("::1", 70000, true)), "[::1]");
    }
}
