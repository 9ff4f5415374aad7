//! A STUN server beside the relay: tells whoever asks from which address the question came.
//!
//! With it, peers behind translations find each other without a service of somebody else. It keeps
//! nothing, and an answer is hardly longer than its question: nothing to gain by false senders.

use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;
use tunnel_proto::stun;

/// Longer datagrams are no questions.
const MAX_REQUEST: usize = 1024;
/// After an error of the socket, it is read again only after so long.
const ERROR_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Answers on `socket` until the future is dropped.
pub async fn serve_stun(socket: UdpSocket) {
    let mut buffer = [0; MAX_REQUEST];
    loop {
        if let Err(error) = serve_one(&socket, &mut buffer).await {
            tracing::debug!(%error, "the STUN socket failed");
            tokio::time::sleep(ERROR_PAUSE).await;
        }
    }
}

async fn serve_one(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<()> {
    let (len, from) = socket.recv_from(buffer).await?;
    if let Some(transaction) = stun::parse_request(&buffer[..len]) {
        // A socket of both families names IPv4 senders in the form of IPv6.
        let seen = SocketAddr::new(from.ip().to_canonical(), from.port());
        socket
            .send_to(&stun::response(transaction, seen), from)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn questions_are_answered_and_anything_else_is_not() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let serving = tokio::spawn(serve_stun(server));
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for garbage in [
            b"hello".as_slice(),
            &[0; 900],
            &stun::response([1; 12], address),
        ] {
            client.send_to(garbage, address).await.unwrap();
        }
        client
            .send_to(&stun::request([7; 12]), address)
            .await
            .unwrap();
        let mut buffer = [0; 256];
        let (len, _) = client.recv_from(&mut buffer).await.unwrap();
        let (transaction, seen) = stun::parse_response(&buffer[..len]).unwrap();
        assert_eq!(transaction, [7; 12], "the first answer is to the question");
        assert_eq!(seen, client.local_addr().unwrap());
        serving.abort();
    }
}
