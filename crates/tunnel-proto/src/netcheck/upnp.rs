//! Asking the router for a port by UPnP (Internet Gateway Device, WANIPConnection 1 and 2): what is
//! sent, and what is read of the answers.
//!
//! Routers answer with XML of any quality. The few elements that matter are searched for, without a
//! model of the rest.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::portmap::usable;

/// Where routers listen for searches.
pub const SEARCH: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 255, 255, 250), 1900);
/// What is searched for: the device in both of its versions.
const DEVICES: [&str; 2] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
];
/// The services that map ports.
const SERVICES: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// The search, one datagram for each version.
pub fn searches() -> impl Iterator<Item = String> {
    DEVICES.into_iter().map(|device| {
        format!(
            "M-SEARCH * HTTP/1.1\r\nHOST: {SEARCH}\r\nST: {device}\r\nMAN: \"ssdp:discover\"\r\n\
             MX: 1\r\n\r\n"
        )
    })
}

/// A place on the router: port and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// TCP port.
    pub port: u16,
    /// Path with query.
    pub path: String,
}

/// Where an answer to a search says that the device is described. Only the router itself is
/// believed: anybody in the network may answer.
pub fn location(answer: &[u8], router: Ipv4Addr) -> Option<Place> {
    let text = std::str::from_utf8(answer).ok()?;
    let mut lines = text.lines();
    let status = lines.next()?;
    if !status.starts_with("HTTP/1.") || status.split(' ').nth(1) != Some("200") {
        return None;
    }
    let value = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("location")
            .then_some(value)
    })?;
    let (host, place) = place(value.trim())?;
    (host == router.to_string()).then_some(place)
}

/// Splits an `http` address.
fn place(url: &str) -> Option<(&str, Place)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    // It becomes part of a request line.
    let clean = path.bytes().all(|byte| byte.is_ascii_graphic());
    let place = Place {
        port: port.parse().ok().filter(|port| *port != 0)?,
        path: path.to_owned(),
    };
    clean.then_some((host, place))
}

/// The service of a router that maps ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    kind: &'static str,
    /// Where it takes calls.
    pub control: Place,
}

impl Service {
    /// Finds it in the description that came from `described`.
    pub fn find(description: &str, described: &Place, router: Ipv4Addr) -> Option<Self> {
        let blocks: Vec<&str> = description
            .split("<service>")
            .skip(1)
            .filter_map(|rest| rest.split("</service>").next())
            .collect();
        for kind in SERVICES {
            let block = blocks
                .iter()
                .find(|block| element(block, "serviceType") == Some(kind));
            if let Some(control) = block.and_then(|block| element(block, "controlURL")) {
                let control = match place(control) {
                    Some((host, place)) if host == router.to_string() => place,
                    Some(_) => return None,
                    None => relative(control, described)?,
                };
                return Some(Self { kind, control });
            }
        }
        None
    }

    /// Asks for the outside address.
    pub fn external(&self, router: Ipv4Addr) -> Vec<u8> {
        self.call(router, "GetExternalIPAddress", "")
    }

    /// Asks for the UDP port `outside`, which leads to `port` of this machine. The mapping ends by
    /// itself after `lifetime`.
    pub fn map(
        &self,
        router: Ipv4Addr,
        ours: Ipv4Addr,
        port: u16,
        outside: u16,
        lifetime: Duration,
    ) -> Vec<u8> {
        let arguments = format!(
            "<NewRemoteHost></NewRemoteHost><NewExternalPort>{outside}</NewExternalPort>\
             <NewProtocol>UDP</NewProtocol><NewInternalPort>{port}</NewInternalPort>\
             <NewInternalClient>{ours}</NewInternalClient><NewEnabled>1</NewEnabled>\
             <NewPortMappingDescription>coder</NewPortMappingDescription>\
             <NewLeaseDuration>{}</NewLeaseDuration>",
            lifetime.as_secs()
        );
        self.call(router, "AddPortMapping", &arguments)
    }

    /// An HTTP request that calls `action`. Of version 1.0: the answer ends with the connection.
    fn call(&self, router: Ipv4Addr, action: &str, arguments: &str) -> Vec<u8> {
        let kind = self.kind;
        let body = format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>\
             <u:{action} xmlns:u=\"{kind}\">{arguments}</u:{action}></s:Body></s:Envelope>"
        );
        let Place { port, path } = &self.control;
        format!(
            "POST {path} HTTP/1.0\r\nHost: {router}:{port}\r\nContent-Type: text/xml; charset=\"utf-8\"\r\n\
             SOAPAction: \"{kind}#{action}\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// The request for a device's description.
pub fn describe(router: Ipv4Addr, at: &Place) -> Vec<u8> {
    let Place { port, path } = at;
    format!("GET {path} HTTP/1.0\r\nHost: {router}:{port}\r\nConnection: close\r\n\r\n")
        .into_bytes()
}

/// The body of an answer with status 200.
pub fn body(answer: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut words = head.lines().next()?.split(' ');
    let good = words.next()?.starts_with("HTTP/1.") && words.next() == Some("200");
    good.then_some(body)
}

/// The outside address of an answer to [`Service::external`], if it is one that the Internet
/// reaches.
pub fn external_address(answer: &str) -> Option<Ipv4Addr> {
    let ip: IpAddr = element(answer, "NewExternalIPAddress")?.parse().ok()?;
    match ip {
        IpAddr::V4(ip) if usable(ip) => Some(ip),
        _ => None,
    }
}

/// The text of the first element of this name.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    Some(value.trim())
}

/// An address without host, beside the description.
fn relative(path: &str, described: &Place) -> Option<Place> {
    if path.contains("://") || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        let (folder, _) = described.path.rsplit_once('/')?;
        format!("{folder}/{path}")
    };
    Some(Place {
        port: described.port,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    fn at(port: u16, path: &str) -> Place {
        Place {
            port,
            path: path.to_owned(),
        }
    }

    #[test]
    fn only_the_router_tells_where_it_is_described() {
        let answer = |status: &str, url: &str| {
            format!("HTTP/1.1 {status}\r\nST: x\r\nLocation: {url}\r\n\r\n").into_bytes()
        };
        let of = |status, url| location(&answer(status, url), ROUTER);
        assert_eq!(
            of("200 OK", "http://192.168.1.1:5000/igd.xml"),
            Some(at(5000, "/igd.xml"))
        );
        assert_eq!(of("200 OK", "http://192.168.1.1"), Some(at(80, "/")));
        assert_eq!(of("404 No", "http://192.168.1.1:5000/igd.xml"), None);
        assert_eq!(of("200 OK", "http://192.168.1.9:5000/igd.xml"), None);
        assert_eq!(of("200 OK", "https://192.168.1.1/"), None);
        assert_eq!(of("200 OK", "http://192.168.1.1:0/"), None);
        assert_eq!(of("200 OK", "http://192.168.1.1:1/a b"), None);
        assert_eq!(location(b"\xff", ROUTER), None);
    }

    #[test]
    fn the_best_service_is_taken() {
        let service = |kind: &str, control: &str| {
            format!(
                "<service><serviceType>urn:schemas-upnp-org:service:{kind}</serviceType>\
                 <controlURL>{control}</controlURL></service>"
            )
        };
        let described = at(5000, "/dir/igd.xml");
        let find = |text: &str| Service::find(text, &described, ROUTER);
        let both = service("WANPPPConnection:1", "/ppp") + &service("WANIPConnection:1", "ctl/ip");
        let found = find(&both).unwrap();
        assert_eq!(found.control, at(5000, "/dir/ctl/ip"));
        assert!(found.kind.ends_with("WANIPConnection:1"));
        let absolute = service("WANIPConnection:2", "http://192.168.1.1:80/c");
        assert_eq!(find(&absolute).unwrap().control, at(80, "/c"));
        assert_eq!(
            find(&service("WANIPConnection:2", "http://10.0.0.1/c")),
            None
        );
        assert_eq!(find(&service("WANIPConnection:1", "/a\r\nX: y")), None);
        assert_eq!(find(&service("Layer3Forwarding:1", "/l3")), None);
        assert_eq!(find("<service><serviceType>"), None);
    }

    #[test]
    fn calls_and_their_answers() {
        let service = Service {
            kind: SERVICES[1],
            control: at(5000, "/ctl"),
        };
        let ours = Ipv4Addr::new(192, 168, 1, 7);
        let call = service.map(ROUTER, ours, 41641, 41642, Duration::from_mins(10));
        let call = String::from_utf8(call).unwrap();
        assert!(call.starts_with("POST /ctl HTTP/1.0\r\nHost: 192.168.1.1:5000\r\n"));
        assert!(call.contains("WANIPConnection:1#AddPortMapping\"\r\n"));
        assert!(call.contains("<NewLeaseDuration>600</NewLeaseDuration>"));
        let (head, text) = call.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", text.len())));
        let told = |ip: &str| {
            let xml = format!("<u:R><NewExternalIPAddress> {ip} </NewExternalIPAddress></u:R>");
            external_address(&xml)
        };
        assert_eq!(told("203.0.113.5"), Some(Ipv4Addr::new(203, 0, 113, 5)));
        for useless in ["10.0.0.5", "0.0.0.0", "", "::1", "x"] {
            assert_eq!(told(useless), None, "{useless}");
        }
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n<x/>"), Some("<x/>"));
        assert_eq!(body(b"HTTP/1.1 500 Error\r\n\r\n<x/>"), None);
        assert_eq!(body(b"junk"), None);
    }
}
