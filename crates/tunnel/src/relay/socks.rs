//! A way through a SOCKS5 proxy (RFC 1928), with name and password if it wants them (RFC 1929).

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::dial::Io;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
/// Version of the exchange of name and password.
const PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Asks the proxy behind `io` for `host` and `port`; names are looked up by the proxy.
pub(super) async fn connect(
    io: &mut impl Io,
    auth: Option<(&str, &str)>,
    host: &str,
    port: u16,
) -> io::Result<()> {
    match auth {
        Some(_) => io.write_all(&[VERSION, 2, NO_AUTHENTICATION, PASSWORD]),
        None => io.write_all(&[VERSION, 1, NO_AUTHENTICATION]),
    }
    .await?;
    let [version, method] = read(io).await?;
    if version != VERSION {
        return Err(io::Error::other("the proxy does not speak SOCKS5"));
    }
    match (method, auth) {
        (NO_AUTHENTICATION, _) => {}
        (PASSWORD, Some((name, password))) => authenticate(io, name, password).await?,
        (PASSWORD, None) => {
            let text = "the SOCKS5 proxy wants a name and a password: give them in the proxy's \
                        address, as socks5://name:password@host";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        _ => {
            let text = "the SOCKS5 proxy wants another way to authenticate than this program has";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
    }
    let mut request = vec![VERSION, CONNECT, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            request.push(IPV4);
            request.extend(ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            request.push(IPV6);
            request.extend(ip.octets());
        }
        Err(_) => {
            request.push(NAME);
            put(&mut request, host)?;
        }
    }
    request.extend(port.to_be_bytes());
    io.write_all(&request).await?;
    answer(io, host).await
}

async fn authenticate(io: &mut impl Io, name: &str, password: &str) -> io::Result<()> {
    let mut request = vec![PASSWORD_VERSION];
    put(&mut request, name)?;
    put(&mut request, password)?;
    io.write_all(&request).await?;
    let [_, status] = read(io).await?;
    if status != 0 {
        let text = "the SOCKS5 proxy refuses the name and password";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(())
}

/// Reads the answer and the address in it, which means nothing here.
async fn answer(io: &mut impl Io, host: &str) -> io::Result<()> {
    let [_, status, _, kind] = read(io).await?;
    if status != 0 {
        let why = match status {
            2 => "its rules do not allow it",
            3 => "the network cannot be reached",
            4 => "the host cannot be reached",
            5 => "the connection is refused",
            6 => "it took too long",
            _ => "a failure of its own",
        };
        let text = format!("the SOCKS5 proxy gives no way to {host}: {why}");
        return Err(io::Error::other(text));
    }
    let rest = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => io.read_u8().await?.into(),
        _ => return Err(io::Error::other("the SOCKS5 proxy answers with nonsense")),
    };
    // And the port.
    let mut rest = vec![0; rest + 2];
    io.read_exact(&mut rest).await?;
    Ok(())
}

async fn read<const N: usize>(io: &mut impl Io) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    io.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// A text with its length before it.
fn put(out: &mut Vec<u8>, text: &str) -> io::Result<()> {
    let len = u8::try_from(text.len()).map_err(|_| {
        let text = "a host name, or the proxy's name or password, is longer than SOCKS5 can carry";
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })?;
    out.push(len);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the client against what a proxy says at each step; gives what the client said.
    async fn run(
        auth: Option<(&str, &str)>,
        host: &str,
        says: &[&[u8]],
    ) -> (io::Result<()>, Vec<u8>) {
        let (mut near, far) = tokio::io::duplex(1024);
        let (mut reader, mut writer) = tokio::io::split(far);
        for part in says {
            writer.write_all(part).await.unwrap();
        }
        writer.shutdown().await.unwrap();
        let result = connect(&mut near, auth, host, 443).await;
        drop(near);
        let mut said = Vec::new();
        reader.read_to_end(&mut said).await.unwrap();
        (result, said)
    }

    const GIVEN: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 1, 2];

    #[tokio::test]
    async fn names_addresses_and_passwords_are_sent_as_in_the_rfcs() {
        let (result, said) = run(None, "relay.test", &[&[5, 0], GIVEN]).await;
        result.unwrap();
        assert_eq!(said, b"\x05\x01\x00\x05\x01\x00\x03\x0arelay.test\x01\xbb");
        let (result, said) = run(None, "::1", &[&[5, 0], GIVEN]).await;
        result.unwrap();
        assert_eq!((said.len(), said[6]), (3 + 4 + 16 + 2, IPV6));
        let (result, said) = run(Some(("me", "pw")), "192.0.2.1", &[&[5, 2], &[1, 0], GIVEN]).await;
        result.unwrap();
        assert_eq!(
            said,
            b"\x05\x02\x00\x02\x01\x02me\x02pw\x05\x01\x00\x01\xc0\x00\x02\x01\x01\xbb"
        );
    }

    #[tokio::test]
    async fn refusals_and_nonsense_are_errors() {
        let name = "n".repeat(300);
        for (auth, host, says) in [
            (None, "h", vec![&[4, 0][..]]),
            (None, "h", vec![&[5, 2]]),
            (None, "h", vec![&[5, 0xff]]),
            (Some(("n", "p")), "h", vec![&[5, 2], &[1, 1]]),
            (None, "h", vec![&[5, 0], &[5, 5, 0, 1]]),
            (None, "h", vec![&[5, 0], &[5, 0, 0, 9]]),
            (None, "h", vec![&[5, 0], &[5, 0, 0, 3, 200, 1]]),
            (None, "h", vec![]),
            (None, name.as_str(), vec![&[5, 0], GIVEN]),
        ] {
            let (result, _) = run(auth, host, &says).await;
            assert!(result.is_err(), "{says:?}");
        }
    }
}
