//! Mutual TLS with the host. Each side has a certificate made for this one process; the host's comes in the
//! environment and ours goes out with the handshake line, so each expects exactly the other's.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use tokio_rustls::TlsAcceptor;

use super::p521::EcdsaP521Sha512;

/// The name in both certificates.
const NAME: &str = "localhost";

const P521: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[&EcdsaP521Sha512],
    mapping: &[(SignatureScheme::ECDSA_NISTP521_SHA512, &[&EcdsaP521Sha512])],
};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("PLUGIN_CLIENT_CERT holds no certificate: {0}")]
    ClientCertificate(rustls::pki_types::pem::Error),
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("{0}")]
    Config(#[from] rustls::Error),
}

/// Our side of the connection: a certificate, its key, and the one client that is let in.
pub(super) struct Identity {
    certificate: CertificateDer<'static>,
    config: Arc<rustls::ServerConfig>,
}

impl Identity {
    /// Makes a certificate for a server that lets in the client with this certificate (PEM) and no other.
    pub(super) fn for_client(client_certificate: &str) -> Result<Self, TlsError> {
        let client = CertificateDer::from_pem_slice(client_certificate.as_bytes())
            .map_err(TlsError::ClientCertificate)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());

        // P-256: the fastest to make of those that every host accepts.
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new([NAME.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, NAME);
        // The host takes the certificate for its own root.
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyAgreement,
            KeyUsagePurpose::KeyCertSign,
        ];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate: CertificateDer<'static> = params.self_signed(&key)?.der().clone();
        let key = PrivateKeyDer::from(key);

        let verifier = OneClient {
            certificate: client.into_owned(),
            algorithms: provider.signature_verification_algorithms,
        };
        let mut config = rustls::ServerConfig::builder_with_provider(
            Arc::clone(&provider) as Arc<CryptoProvider>
        )
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(vec![certificate.clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // The host connects once.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Self {
            certificate,
            config: Arc::new(config),
        })
    }

    /// Our certificate, DER.
    pub(super) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// What turns accepted connections into encrypted ones.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// Lets in the owner of one certificate. The certificate is compared as a whole; what the owner must still prove is
/// that it has the key.
#[derive(Debug)]
struct OneClient {
    certificate: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl OneClient {
    fn algorithms(&self, signature: &DigitallySignedStruct) -> &WebPkiSupportedAlgorithms {
        if signature.scheme == SignatureScheme::ECDSA_NISTP521_SHA512 {
            &P521
        } else {
            &self.algorithms
        }
    }
}

impl ClientCertVerifier for OneClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, self.algorithms(signature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, self.algorithms(signature))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = P521.supported_schemes();
        schemes.extend(self.algorithms.supported_schemes());
        schemes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;

    struct Client {
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
        pem: String,
    }

    fn client() -> Client {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::new([NAME.to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        Client {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            key: PrivateKeyDer::from(key),
        }
    }

    /// Connects with this certificate and key, or with none, and exchanges a byte.
    fn connect(
        identity: &Identity,
        client: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    ) -> bool {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let verifier =
            AnyServer(rustls::crypto::ring::default_provider().signature_verification_algorithms);
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match client {
            // Built by hand: a key that does not belong to the certificate is among the cases.
            Some((certificate, key)) => {
                let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
                let pair = rustls::sign::CertifiedKey::new(vec![certificate], key);
                builder
                    .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)))
            }
            None => builder.with_no_client_auth(),
        };
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (ours, theirs) = tokio::io::duplex(16 << 10);
            let accept = async {
                let Ok(mut stream) = identity.acceptor().accept(ours).await else {
                    return false;
                };
                stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok()
            };
            let connect = async {
                let name = ServerName::try_from(NAME).unwrap();
                let Ok(mut stream) = connector.connect(name, theirs).await else {
                    return false;
                };
                stream.read_u8().await.is_ok()
            };
            let (accepted, connected) = tokio::join!(accept, connect);
            accepted && connected
        })
    }

    /// What the host checks of us is the host's affair.
    #[derive(Debug)]
    struct AnyServer(WebPkiSupportedAlgorithms);

    impl rustls::client::danger::ServerCertVerifier for AnyServer {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            Ok(rustls::client::danger::ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls12_signature(message, certificate, signature, &self.0)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls13_signature(message, certificate, signature, &self.0)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.supported_schemes()
        }
    }

    #[test]
    fn only_the_announced_client_is_let_in() {
        let host = client();
        let identity = Identity::for_client(&host.pem).unwrap();
        assert!(connect(
            &identity,
            Some((host.certificate.clone(), host.key.clone_key()))
        ));
        let stranger = client();
        assert!(!connect(
            &identity,
            Some((stranger.certificate, stranger.key.clone_key()))
        ));
        assert!(!connect(&identity, None));
        // The right certificate in the hands of somebody without its key.
        assert!(!connect(&identity, Some((host.certificate, stranger.key))));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        for pem in [
            "",
            "x",
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
        ] {
            assert!(Identity::for_client(pem).is_err(), "{pem}");
        }
    }
}
