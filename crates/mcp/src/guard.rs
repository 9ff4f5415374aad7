//! Keeps connections away from addresses that are nobody's business to make us reach: our own
//! machine, private networks, the metadata services of clouds. An address is looked at after its
//! name was resolved, and exactly that address is connected to; each redirect is looked at anew.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use api_types::Network;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Attempt, Policy};
use url::{Host, Url};

use crate::{Error, Remote, Target};

/// Redirects of one request that are followed.
const MAX_REDIRECTS: usize = 5;
/// How long a host may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one request about sign-in may take in all.
const ASK: Duration = Duration::from_secs(10);

/// Ranges that the standard library has no question for.
const SPECIAL: &[&str] = &[
    "0.0.0.0/8",      // this network, RFC 1122
    "100.64.0.0/10",  // carriers' own, RFC 6598
    "192.0.0.0/24",   // protocol assignments, RFC 6890
    "198.18.0.0/15",  // benchmarks, RFC 2544
    "240.0.0.0/4",    // reserved, RFC 1112
    "64:ff9b:1::/48", // local translation, RFC 8215
    "100::/64",       // discard, RFC 6666
    "2001:2::/48",    // benchmarks, RFC 5180
    "2001:db8::/32",  // documentation, RFC 3849
    "fc00::/7",       // unique local, RFC 4193
    "fe80::/10",      // link-local
    "fec0::/10",      // site-local, RFC 3879
];

/// What may be reached.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Arc<Vec<Network>>,
}

/// Why an address is not connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not connected to: it is an address of a private or special network; an administrator can \
     allow the network by --mcp-allowed-private-cidrs"
)]
pub struct Blocked(String);

impl Guard {
    /// Public addresses, and these networks.
    pub fn new(allowed: Vec<Network>) -> Self {
        Guard {
            allowed: Arc::new(allowed),
        }
    }

    /// Whether an address may be reached.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed.iter().any(|network| network.contains(address)) || is_public(address)
    }

    /// Refuses an address that is written out and may not be reached. Names are looked at when they
    /// are resolved.
    ///
    /// # Errors
    /// [`Blocked`]; also for what is no address of a web server.
    pub fn check(&self, url: &Url) -> Result<(), Blocked> {
        let shown = || url.host_str().unwrap_or_default().to_owned();
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Blocked(format!("{}:", url.scheme())));
        }
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(ip)) => ip.into(),
            Some(Host::Ipv6(ip)) => ip.into(),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Blocked(shown())),
        };
        if self.allows(address) {
            Ok(())
        } else {
            Err(Blocked(shown()))
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    let special = SPECIAL
        .iter()
        .filter_map(|text| text.parse::<Network>().ok())
        .any(|network| network.contains(address));
    if special || address.is_loopback() || address.is_multicast() || address.is_unspecified() {
        return false;
    }
    match address {
        IpAddr::V4(ip) => {
            !(ip.is_private() || ip.is_link_local() || ip.is_broadcast() || ip.is_documentation())
        }
        // An address of the other kind within: it is what is reached in the end.
        IpAddr::V6(ip) => embedded(ip).is_none_or(|inner| is_public(inner.into())),
    }
}

/// The IPv4 address that translation (RFC 6052), 6to4 (RFC 3056) or the old compatible form hold.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let of = |a: u16, b: u16| Ipv4Addr::from((u32::from(a) << 16) | u32::from(b));
    match s {
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] | [0, 0, 0, 0, 0, 0, a, b] => Some(of(a, b)),
        [0x2002, a, b, ..] => Some(of(a, b)),
        _ => None,
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            // One such address among others is enough: who answers so is up to no good.
            if let Some(bad) = found.iter().find(|address| !guard.allows(address.ip())) {
                let what = format!("{} ({})", name.as_str(), bad.ip());
                return Err(Box::new(Blocked(what)) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// HTTP to servers that others named. Proxies are not used: behind one, nobody sees which address
/// is reached.
#[derive(Debug, Clone)]
pub struct Web {
    guard: Guard,
    /// Follows redirects, for what is public.
    roaming: reqwest::Client,
    /// Stays where it was sent, for what carries secrets.
    strict: reqwest::Client,
}

impl Web {
    /// With these settings of TLS.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if TLS cannot be set up.
    pub fn new(guard: Guard, tls: rustls::ClientConfig) -> Result<Self, Error> {
        let builder = || {
            reqwest::Client::builder()
                .no_proxy()
                .tls_backend_preconfigured(tls.clone())
                .connect_timeout(CONNECT)
                .dns_resolver(Arc::new(guard.clone()))
        };
        let looks = guard.clone();
        let roaming = Policy::custom(move |attempt: Attempt<'_>| {
            if attempt.previous().len() > MAX_REDIRECTS {
                return attempt.error("too many redirects");
            }
            match looks.check(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(blocked) => attempt.error(blocked),
            }
        });
        let strict = Policy::custom(|attempt: Attempt<'_>| {
            // The same request again, to the same server: as for a missing slash at the end.
            let again = matches!(attempt.status().as_u16(), 307 | 308);
            let first = attempt.previous().first().map(Url::origin);
            let home = first.is_some_and(|origin| origin == attempt.url().origin());
            if again && home && attempt.previous().len() <= MAX_REDIRECTS {
                attempt.follow()
            } else {
                attempt.stop()
            }
        });
        Ok(Web {
            roaming: builder().redirect(roaming).timeout(ASK).build()?,
            strict: builder().redirect(strict).build()?,
            guard,
        })
    }

    /// A way to a server.
    ///
    /// # Errors
    /// [`Error::Unreachable`] for addresses that may not be reached, and what [`Remote::connect`]
    /// says.
    pub async fn remote(&self, target: Target) -> Result<Remote, Error> {
        self.check(&target.url)?;
        Remote::connect(self.strict.clone(), target).await
    }

    fn check(&self, url: &Url) -> Result<(), Error> {
        self.guard
            .check(url)
            .map_err(|blocked| Error::Unreachable(blocked.to_string()))
    }

    /// A request for what is public; redirects are followed.
    pub(crate) fn get(&self, url: &Url) -> Result<reqwest::RequestBuilder, Error> {
        self.check(url)?;
        Ok(self.roaming.get(url.clone()))
    }

    /// A request that carries secrets: it goes where it is sent and nowhere else.
    pub(crate) fn post(&self, url: &Url) -> Result<reqwest::RequestBuilder, Error> {
        self.check(url)?;
        Ok(self.strict.post(url.clone()).timeout(ASK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_may_be_reached() {
        let guard = Guard::default();
        let url = |text: &str| guard.check(&text.parse().unwrap());
        for bad in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://192.168.1.1:8080/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.100.100.200/",
            "http://0.0.0.0/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[2002:a9fe:a9fe::]/",
            "http://[fd00:ec2::254]/",
            "http://[fe80::1]/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "ftp://1.1.1.1/",
            "file:///etc/passwd",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
        for good in [
            "https://1.1.1.1/mcp",
            "http://[2606:4700::1]/",
            "https://example.com/",
        ] {
            assert!(url(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn an_administrator_allows_networks() {
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(guard.allows("127.0.0.1".parse().unwrap()));
        assert!(guard.allows("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!guard.allows("10.0.0.1".parse().unwrap()));
    }

    #[tokio::test]
    async fn names_are_looked_at_when_they_are_resolved() {
        let name = || "localhost".parse::<Name>().unwrap();
        let blocked = Guard::default().resolve(name()).await.err().unwrap();
        assert!(blocked.to_string().contains("--mcp-allowed"), "{blocked}");
        let networks = ["127.0.0.0/8", "::1/128"].map(|text| text.parse().unwrap());
        assert!(Guard::new(networks.to_vec()).resolve(name()).await.is_ok());
    }
}
