//! Maps a port by UPnP: finds the router's service, and calls it.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tunnel_proto::netcheck::upnp::{self, Place, Service};

pub(super) use tunnel_proto::netcheck::upnp::SEARCH;

/// Routers answer a search within a second (`MX` of the search), and a little.
const SEARCH_PATIENCE: Duration = Duration::from_millis(1500);
/// All of the conversation after it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Descriptions of devices have a few kilobytes.
const MAX_ANSWER: u64 = 128 << 10;

/// Maps `port` of this machine, which is `ours` to the router; gives the outside address. Asks at
/// `search`, and believes the router alone.
pub(super) async fn map(
    router: Ipv4Addr,
    search: SocketAddrV4,
    ours: Ipv4Addr,
    port: u16,
    lifetime: Duration,
) -> Option<SocketAddrV4> {
    let described = find(router, search, ours).await?;
    let work = async {
        let text = exchange(router, &described, &upnp::describe(router, &described)).await?;
        let service = Service::find(upnp::body(&text)?, &described, router)?;
        let told = exchange(router, &service.control, &service.external(router)).await?;
        let ip = upnp::external_address(upnp::body(&told)?)?;
        let asked = service.map(router, ours, port, port, lifetime);
        let mapped = exchange(router, &service.control, &asked).await?;
        upnp::body(&mapped).map(|_| SocketAddrV4::new(ip, port))
    };
    tokio::time::timeout(PATIENCE, work).await.ok().flatten()
}

/// Where the router describes itself.
async fn find(router: Ipv4Addr, search: SocketAddrV4, ours: Ipv4Addr) -> Option<Place> {
    let socket = UdpSocket::bind((ours, 0)).await.ok()?;
    for search_for in upnp::searches() {
        socket.send_to(search_for.as_bytes(), search).await.ok()?;
    }
    let answers = async {
        let mut buffer = [0; 2048];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await.ok()?;
            if from.ip() == router
                && let Some(place) = upnp::location(&buffer[..len], router)
            {
                return Some(place);
            }
        }
    };
    tokio::time::timeout(SEARCH_PATIENCE, answers)
        .await
        .ok()
        .flatten()
}

async fn exchange(router: Ipv4Addr, at: &Place, request: &[u8]) -> Option<Vec<u8>> {
    let run = async {
        let mut tcp = TcpStream::connect((router, at.port)).await?;
        tcp.write_all(request).await?;
        let mut answer = Vec::new();
        tcp.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        io::Result::Ok(answer)
    };
    run.await
        .inspect_err(|error| tracing::debug!(%error, "the router does not answer by UPnP"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::net::TcpListener;

    const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

    /// A router that maps ports for leases, or refuses to.
    async fn router(maps: bool) -> SocketAddrV4 {
        let search = UdpSocket::bind((HERE, 0)).await.unwrap();
        let web = TcpListener::bind((HERE, 0)).await.unwrap();
        let (at, port) = (
            search.local_addr().unwrap(),
            web.local_addr().unwrap().port(),
        );
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            loop {
                let (len, from) = search.recv_from(&mut buffer).await.unwrap();
                assert!(buffer[..len].starts_with(b"M-SEARCH * HTTP/1.1\r\n"));
                let answer =
                    format!("HTTP/1.1 200 OK\r\nLOCATION: http://{HERE}:{port}/igd.xml\r\n\r\n");
                search.send_to(answer.as_bytes(), from).await.unwrap();
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut io, _) = web.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let len = io.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..len]).into_owned();
                let (status, body) = if request.starts_with("GET /igd.xml ") {
                    let kind = "urn:schemas-upnp-org:service:WANIPConnection:1";
                    let text = format!(
                        "<root><service><serviceType>{kind}</serviceType>\
                         <controlURL>/control</controlURL></service></root>"
                    );
                    (200, text)
                } else if request.contains("#GetExternalIPAddress") {
                    let ip = "<NewExternalIPAddress>203.0.113.5</NewExternalIPAddress>";
                    (200, ip.to_owned())
                } else if maps && request.contains("<NewExternalPort>41641</NewExternalPort>") {
                    (200, String::new())
                } else {
                    (500, "<errorCode>725</errorCode>".to_owned())
                };
                let answer = format!("HTTP/1.0 {status} x\r\n\r\n{body}");
                io.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        match at {
            std::net::SocketAddr::V4(at) => at,
            std::net::SocketAddr::V6(_) => unreachable!("bound to IPv4"),
        }
    }

    #[tokio::test]
    async fn a_router_maps_the_port_or_refuses() {
        let lease = Duration::from_mins(10);
        let mapped = map(HERE, router(true).await, HERE, 41641, lease).await;
        assert_eq!(mapped, Some("203.0.113.5:41641".parse().unwrap()));
        let refused = map(HERE, router(false).await, HERE, 41641, lease).await;
        assert_eq!(refused, None);
    }

    #[tokio::test]
    async fn others_than_the_router_are_not_believed() {
        let search = router(true).await;
        let elsewhere = Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(find(elsewhere, search, HERE).await, None);
    }
}
