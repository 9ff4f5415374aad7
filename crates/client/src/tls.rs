//! TLS settings: trusted roots (read when first needed) and client certificates.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Files that replace or complete the defaults.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// PEM of the only roots to trust; the system's when absent.
    pub ca: Option<PathBuf>,
    /// PEM of the client's certificate chain; goes with `key`.
    pub cert: Option<PathBuf>,
    /// PEM of the client's private key.
    pub key: Option<PathBuf>,
}

/// Why TLS files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate without key or a key without certificate.
    #[error("--client-tls-cert-file and --client-tls-key-file go together: give both or none")]
    Half,
    /// A file cannot be read or parsed.
    #[error("cannot use {path} as {what}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it should have held.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// Key and certificate do not fit, or the TLS library refuses them.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// The TLS settings of who connects to others by the system's roots.
///
/// # Errors
/// When the TLS library refuses its own defaults.
pub fn system_tls() -> Result<ClientConfig, TlsError> {
    tls_with(&TlsFiles::default())
}

/// The TLS settings that `files` describe.
///
/// # Errors
/// When a file cannot be used, or a certificate comes without its key.
pub fn tls_with(files: &TlsFiles) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match &files.ca {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for cert in certificates(path, "certificate authorities")? {
                roots.add(cert)?;
            }
            builder.with_root_certificates(roots)
        }
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(SystemRoots {
                provider,
                verifier: OnceLock::new(),
            })),
    };
    let mut config = match (&files.cert, &files.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert, "a client certificate")?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|e| TlsError::File {
                path: key.clone(),
                what: "a private key",
                reason: e.to_string(),
            })?;
            builder.with_client_auth_cert(chain, key)?
        }
        _ => return Err(TlsError::Half),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let problem = |reason: String| TlsError::File {
        path: path.to_owned(),
        what,
        reason,
    };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|e| problem(e.to_string()))?;
    if found.is_empty() {
        return Err(problem("it holds no PEM certificate".to_owned()));
    }
    Ok(found)
}

/// Verifies against the system's roots, which are read at the first handshake:
/// a command that speaks plain HTTP never pays for parsing them.
#[derive(Debug)]
struct SystemRoots {
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Result<Arc<WebPkiServerVerifier>, String>>,
}

impl SystemRoots {
    fn verifier(&self) -> Result<&Arc<WebPkiServerVerifier>, rustls::Error> {
        self.verifier
            .get_or_init(|| {
                let loaded = rustls_native_certs::load_native_certs();
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(loaded.certs);
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
                    .build()
                    .map_err(|e| match loaded.errors.first() {
                        Some(first) => format!("no trusted root certificates: {first}"),
                        None => {
                            format!("no trusted root certificates ({e}); install ca-certificates")
                        }
                    })
            })
            .as_ref()
            .map_err(|reason| rustls::Error::General(reason.clone()))
    }
}

impl ServerCertVerifier for SystemRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier()?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_client_certificate_is_refused() {
        let files = TlsFiles {
            cert: Some("/nowhere".into()),
            ..TlsFiles::default()
        };
        assert!(matches!(tls_with(&files), Err(TlsError::Half)));
    }

    #[test]
    fn file_errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, "not a certificate").unwrap();
        let error = tls_with(&TlsFiles {
            ca: Some(path.clone()),
            ..TlsFiles::default()
        })
        .unwrap_err();
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
}
