//! TLS to a PostgreSQL server, with the modes of libpq: `disable`, `prefer`
//! and `require` (encrypted, whoever answers), `verify-ca` and `verify-full`
//! (and it must be who it says). `sslrootcert` names a file of roots; without
//! it those of the system are trusted.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Config, Socket};

use crate::{Result, StoreError};

/// Makes TLS connections, as a connection string asks for.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

/// Reads a connection string, TLS included.
pub(crate) fn parse(url: &str) -> Result<(Config, Tls)> {
    let invalid = |what: String| StoreError::Invalid(what);
    let (plain, verify, roots) = split(url);
    let mut config: Config = plain.parse().map_err(|error: tokio_postgres::Error| {
        invalid(format!("not a PostgreSQL connection string: {error}"))
    })?;
    // A socket in the file system is as private as TLS, and has no name to verify.
    if config
        .get_hosts()
        .iter()
        .all(|host| matches!(host, Host::Unix(_)))
    {
        config.ssl_mode(SslMode::Disable);
    }
    let tls = if config.get_ssl_mode() == SslMode::Disable {
        client(Trust::Anyone)
    } else if verify {
        client(Trust::Roots(read_roots(roots.as_deref())?))
    } else {
        client(Trust::Anyone)
    };
    Ok((
        config,
        Tls(Arc::new(
            tls.map_err(|error| invalid(format!("TLS: {error}")))?,
        )),
    ))
}

/// The connection string without what only we understand: whether the server
/// must be verified, and against which file of roots.
fn split(url: &str) -> (String, bool, Option<String>) {
    let Some((base, query)) = url.split_once('?').filter(|_| url.contains("://")) else {
        return (url.to_owned(), false, None);
    };
    let (mut verify, mut roots, mut kept) = (false, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", "verify-ca" | "verify-full")) => {
                verify = true;
                kept.push("sslmode=require");
            }
            // As in libpq: the older the mode, the weaker.
            Some(("sslmode", "allow")) => kept.push("sslmode=prefer"),
            Some(("sslrootcert", path)) => {
                roots = Some(path.replace("%2F", "/").replace("%2f", "/"));
            }
            _ => kept.push(pair),
        }
    }
    let query = kept.join("&");
    (
        if query.is_empty() {
            base.to_owned()
        } else {
            format!("{base}?{query}")
        },
        verify,
        roots,
    )
}

fn read_roots(file: Option<&str>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            let bad = |error: &dyn std::fmt::Display| {
                StoreError::Invalid(format!("sslrootcert {path}: {error}"))
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| bad(&e))? {
                roots
                    .add(certificate.map_err(|e| bad(&e))?)
                    .map_err(|e| bad(&e))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        let what = "there is no root certificate to verify PostgreSQL's by; pass sslrootcert=FILE";
        return Err(StoreError::Invalid(what.to_owned()));
    }
    Ok(roots)
}

enum Trust {
    Anyone,
    Roots(RootCertStore),
}

fn client(trust: Trust) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    Ok(match trust {
        Trust::Roots(roots) => builder.with_root_certificates(roots).with_no_client_auth(),
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate::new(provider)))
            .with_no_client_auth(),
    })
}

/// Takes any certificate, if its owner holds the key: against listeners, not against impostors.
/// For `require` as libpq means it, and for servers that something else has proven already.
#[derive(Debug)]
pub struct AnyCertificate(Arc<CryptoProvider>);

impl AnyCertificate {
    /// One that checks handshakes by what `provider` knows.
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Self(provider)
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Stream;
    type TlsConnect = Connect;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Connect, Self::Error> {
        // Asked for plain connections too, sockets without a name among them.
        Ok(Connect {
            config: self.0.clone(),
            name: domain.to_owned(),
        })
    }
}

/// One handshake to come.
pub(crate) struct Connect {
    config: Arc<ClientConfig>,
    name: String,
}

impl TlsConnect<Socket> for Connect {
    type Stream = Stream;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Stream>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        let connector = tokio_rustls::TlsConnector::from(self.config);
        Box::pin(async move {
            let name = ServerName::try_from(self.name).map_err(std::io::Error::other)?;
            Ok(Stream(Box::new(connector.connect(name, socket).await?)))
        })
    }
}

/// An encrypted connection.
pub(crate) struct Stream(Box<tokio_rustls::client::TlsStream<Socket>>);

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_libpq() {
        let mode = |url: &str| parse(url).map(|(config, _)| config.get_ssl_mode());
        assert_eq!(
            mode("postgres://h/d?sslmode=disable").unwrap(),
            SslMode::Disable
        );
        assert_eq!(
            mode("postgres://h/d?sslmode=require").unwrap(),
            SslMode::Require
        );
        assert_eq!(mode("postgres://h/d").unwrap(), SslMode::Prefer);
        assert_eq!(mode("postgres://%2Frun%2Fpg/d").unwrap(), SslMode::Disable);
        let (plain, verify, roots) =
            split("postgres://h/d?connect_timeout=5&sslmode=verify-full&sslrootcert=%2Fa%2Fb.pem");
        assert_eq!(plain, "postgres://h/d?connect_timeout=5&sslmode=require");
        assert!(verify);
        assert_eq!(roots.as_deref(), Some("/a/b.pem"));
        for bad in [
            "nonsense",
            "postgres://h/d?sslmode=maybe",
            "postgres://h/d?sslmode=verify-ca&sslrootcert=/nonexistent",
        ] {
            assert!(matches!(mode(bad), Err(StoreError::Invalid(_))), "{bad}");
        }
    }
}
