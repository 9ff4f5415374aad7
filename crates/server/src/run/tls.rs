//! TLS of the listener: certificates, chosen by the name that a client asks for and read again when
//! their files change, and certificates of clients.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::RunError;
use crate::options::Options;

/// How often the files are looked at for changes.
const LOOK: Duration = Duration::from_mins(1);

/// Certificates in use.
pub(super) struct Certificates {
    provider: Arc<CryptoProvider>,
    files: Vec<(PathBuf, PathBuf)>,
    loaded: RwLock<Loaded>,
}

struct Loaded {
    /// The first is for clients that ask for no name, or an unknown one.
    keys: Vec<Arc<CertifiedKey>>,
    changed: Vec<Option<SystemTime>>,
}

fn bad(flag: &'static str, problem: impl ToString) -> RunError {
    RunError::Option {
        flag,
        problem: problem.to_string(),
    }
}

/// What the options say about TLS; none if it is off.
pub(super) fn acceptor(
    options: &Options,
    host: Option<&str>,
) -> Result<Option<(TlsAcceptor, Arc<Certificates>)>, RunError> {
    if !options.on("tls-enable") {
        return Ok(None);
    }
    let provider = Arc::new(super::ciphers::provider(options)?);
    let versions: &[&rustls::SupportedProtocolVersion] = match options.text("tls-min-version") {
        "tls13" => &[&rustls::version::TLS13],
        _ => &[&rustls::version::TLS12, &rustls::version::TLS13],
    };
    let certificates = Arc::new(Certificates::new(options, provider.clone(), host)?);
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|error| bad("tls-min-version", error))?;
    let builder = match client_verifier(options, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(certificates.clone());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some((TlsAcceptor::from(Arc::new(config)), certificates)))
}

impl Certificates {
    fn new(
        options: &Options,
        provider: Arc<CryptoProvider>,
        host: Option<&str>,
    ) -> Result<Self, RunError> {
        let (certs, keys) = (options.list("tls-cert-file"), options.list("tls-key-file"));
        if certs.len() != keys.len() {
            return Err(bad(
                "tls-key-file",
                format!(
                    "there are {} certificates and {} keys: give one key for each certificate",
                    certs.len(),
                    keys.len()
                ),
            ));
        }
        let files: Vec<(PathBuf, PathBuf)> = certs
            .into_iter()
            .zip(keys)
            .map(|(cert, key)| (cert.into(), key.into()))
            .collect();
        let loaded = if files.is_empty() {
            tracing::warn!("no --tls-cert-file: a self-signed certificate is used");
            Loaded {
                keys: vec![self_signed(&provider, host)?],
                changed: Vec::new(),
            }
        } else {
            load(&provider, &files)?
        };
        Ok(Self {
            provider,
            files,
            loaded: RwLock::new(loaded),
        })
    }

    /// Reads certificates again when their files change, until `cancel`.
    pub(super) async fn watch(self: Arc<Self>, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let certificates = Arc::clone(&self);
            // Reads files.
            let _ = tokio::task::spawn_blocking(move || certificates.reload()).await;
        }
    }

    /// Reads the files if they changed; whether it took new ones.
    fn reload(&self) -> bool {
        if changed(&self.files) == self.loaded.read().changed {
            return false;
        }
        match load(&self.provider, &self.files) {
            Ok(loaded) => {
                tracing::info!("TLS certificates were read again");
                *self.loaded.write() = loaded;
                true
            }
            // Half-written files are complete at the next look.
            Err(error) => {
                tracing::warn!(%error, "the old TLS certificates stay in use");
                false
            }
        }
    }
}

fn changed(files: &[(PathBuf, PathBuf)]) -> Vec<Option<SystemTime>> {
    let at = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    files
        .iter()
        .flat_map(|(cert, key)| [at(cert), at(key)])
        .collect()
}

fn load(provider: &CryptoProvider, files: &[(PathBuf, PathBuf)]) -> Result<Loaded, RunError> {
    let changed = changed(files);
    let mut keys = Vec::new();
    for (cert_path, key_path) in files {
        let chain = certificates("tls-cert-file", cert_path)?;
        let key = PrivateKeyDer::from_pem_file(key_path)
            .map_err(|error| bad("tls-key-file", format!("{}: {error}", key_path.display())))?;
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            let text = format!(
                "{} does not fit {}: {error}",
                key_path.display(),
                cert_path.display()
            );
            bad("tls-key-file", text)
        })?;
        keys.push(Arc::new(certified));
    }
    Ok(Loaded { keys, changed })
}

fn certificates(flag: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, RunError> {
    let named = |error: &dyn std::fmt::Display| bad(flag, format!("{}: {error}", path.display()));
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| named(&error))?
        .collect::<Result<_, _>>()
        .map_err(|error| named(&error))?;
    if chain.is_empty() {
        return Err(named(&"holds no certificate"));
    }
    Ok(chain)
}

/// A certificate for trying things out.
fn self_signed(
    provider: &CryptoProvider,
    host: Option<&str>,
) -> Result<Arc<CertifiedKey>, RunError> {
    let failed = |error: &dyn std::fmt::Display| bad("tls-enable", error);
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    names.extend(host.map(str::to_owned));
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .map_err(|error| failed(&error))?;
    let certified = CertifiedKey::from_der(vec![made.cert.der().clone()], key, provider)
        .map_err(|error| failed(&error))?;
    Ok(Arc::new(certified))
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.loaded.read();
        let fits = |key: &&Arc<CertifiedKey>, name: &str| {
            let name = rustls::pki_types::ServerName::try_from(name.to_owned()).ok();
            let cert = key.end_entity_cert().ok();
            let parsed =
                cert.and_then(|cert| rustls::server::ParsedCertificate::try_from(cert).ok());
            name.zip(parsed).is_some_and(|(name, cert)| {
                rustls::client::verify_server_name(&cert, &name).is_ok()
            })
        };
        let named = hello
            .server_name()
            .filter(|_| loaded.keys.len() > 1)
            .and_then(|name| loaded.keys.iter().find(|key| fits(key, name)));
        named.or_else(|| loaded.keys.first()).cloned()
    }
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// What clients have to show; nothing if there is none.
fn client_verifier(
    options: &Options,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, RunError> {
    let mode = options.text("tls-client-auth");
    let verified = match mode {
        "" | "none" => return Ok(None),
        "request" | "require-any" => {
            let mandatory = mode == "require-any";
            return Ok(Some(Arc::new(AnyClient {
                provider,
                mandatory,
            })));
        }
        "verify-if-given" => false,
        "require-and-verify" => true,
        other => {
            return Err(bad(
                "tls-client-auth",
                format!(
                    "{other:?} is none of none, request, require-any, verify-if-given, \
                     require-and-verify"
                ),
            ));
        }
    };
    let path = options.text("tls-client-ca-file");
    if path.is_empty() {
        return Err(bad(
            "tls-client-ca-file",
            "must name the authorities of client certificates when these are verified",
        ));
    }
    let mut roots = RootCertStore::empty();
    for cert in certificates("tls-client-ca-file", Path::new(path))? {
        roots
            .add(cert)
            .map_err(|error| bad("tls-client-ca-file", error))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if verified {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    let verifier = builder
        .build()
        .map_err(|error| bad("tls-client-ca-file", error))?;
    Ok(Some(verifier))
}

/// Takes any certificate of a client, as long as the client has its key.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
    mandatory: bool,
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&'static str, String)]) -> Options {
        let mut options = Options::defaults();
        options.set("tls-enable", "true".to_owned());
        for (name, value) in pairs {
            options.set(name, value.clone());
        }
        options
    }

    fn write_pair(dir: &Path, host: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (cert.display().to_string(), key.display().to_string())
    }

    /// An authority, and a certificate of it with its key, in PEM.
    fn signed(dir: &Path, name: &str) -> (String, rustls::ClientConfig) {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca = dir.join("ca.pem");
        std::fs::write(&ca, params.self_signed(&key).unwrap().pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let cert = params.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let client = trusting(dir)
            .with_client_auth_cert(vec![cert.der().clone()], key)
            .unwrap();
        (ca.display().to_string(), client)
    }

    /// A client that trusts `cert.pem` of `dir`, and speaks TLS 1.2.
    fn trusting(
        dir: &Path,
    ) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        for cert in certificates("tls-cert-file", &dir.join("cert.pem")).unwrap() {
            roots.add(cert).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
    }

    /// A whole handshake; gives the suite that both chose.
    async fn shake(options: &Options, client: rustls::ClientConfig) -> Option<rustls::CipherSuite> {
        let (acceptor, _) = acceptor(options, None).unwrap().unwrap();
        let (near, far) = tokio::io::duplex(1 << 16);
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let name = "localhost".try_into().unwrap();
        let (client, server) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
        let suite = server.ok()?.get_ref().1.negotiated_cipher_suite()?.suite();
        client.ok().map(|_| suite)
    }

    #[tokio::test]
    async fn handshakes_keep_to_the_options() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = write_pair(dir.path(), "localhost");
        let (ca, known) = signed(dir.path(), "client");
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::copy(&cert, elsewhere.path().join("cert.pem")).unwrap();
        let (_, unknown) = signed(elsewhere.path(), "client");
        let bare = trusting(dir.path()).with_no_client_auth();
        let with = |mode: &str| {
            options(&[
                ("tls-cert-file", cert.clone()),
                ("tls-key-file", key.clone()),
                ("tls-client-ca-file", ca.clone()),
                ("tls-client-auth", mode.to_owned()),
            ])
        };
        // Without a certificate, with that of a stranger, with one of the authority's.
        for (mode, expected) in [
            ("none", [true, true, true]),
            ("request", [true, true, true]),
            ("require-any", [false, true, true]),
            ("verify-if-given", [true, false, true]),
            ("require-and-verify", [false, false, true]),
        ] {
            for (client, enters) in [&bare, &unknown, &known].into_iter().zip(expected) {
                let entered = shake(&with(mode), client.clone()).await.is_some();
                assert_eq!(entered, enters, "{mode}");
            }
        }
        for name in ["AES_128_GCM_SHA256", "CHACHA20_POLY1305_SHA256"] {
            let mut options = with("none");
            let name = format!("TLS_ECDHE_ECDSA_WITH_{name}");
            options.set("tls-ciphers", name.clone());
            let suite = shake(&options, bare.clone()).await.unwrap();
            assert_eq!(format!("{suite:?}"), name);
            options.set("tls-ciphers", name.replace("ECDSA", "RSA"));
            assert_eq!(
                shake(&options, bare.clone()).await,
                None,
                "the key is ECDSA"
            );
        }
    }

    #[test]
    fn changed_files_are_taken_and_broken_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = write_pair(dir.path(), "a.example.com");
        let options = options(&[("tls-cert-file", cert.clone()), ("tls-key-file", key)]);
        let (_, certificates) = acceptor(&options, None).unwrap().unwrap();
        let now = || certificates.loaded.read().keys[0].clone();
        let first = now();
        assert!(!certificates.reload());
        let touch = |seconds| {
            let at = SystemTime::now() + Duration::from_secs(seconds);
            let file = std::fs::File::options().write(true).open(&cert).unwrap();
            file.set_modified(at).unwrap();
        };
        write_pair(dir.path(), "b.example.com");
        touch(10);
        assert!(certificates.reload());
        assert_ne!(now().cert, first.cert);
        std::fs::write(&cert, "half").unwrap();
        touch(20);
        let kept = now();
        assert!(!certificates.reload());
        assert_eq!(now().cert, kept.cert);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = write_pair(dir.path(), "a.example.com");
        let other = tempfile::tempdir().unwrap();
        let (_, other_key) = write_pair(other.path(), "a.example.com");
        let set = |name: &'static str, value: &str| (name, value.to_owned());
        for (pairs, flag) in [
            (vec![set("tls-cert-file", &cert)], "tls-key-file"),
            (
                vec![set("tls-cert-file", "/nowhere"), set("tls-key-file", &key)],
                "tls-cert-file",
            ),
            (
                vec![set("tls-cert-file", &key), set("tls-key-file", &key)],
                "tls-cert-file",
            ),
            (
                vec![set("tls-cert-file", &cert), set("tls-key-file", &other_key)],
                "tls-key-file",
            ),
            (vec![set("tls-client-auth", "often")], "tls-client-auth"),
            (
                vec![set("tls-client-auth", "require-and-verify")],
                "tls-client-ca-file",
            ),
        ] {
            let error = acceptor(&options(&pairs), None).err().unwrap().to_string();
            assert!(error.starts_with(&format!("--{flag}")), "{error}");
        }
        assert!(acceptor(&Options::defaults(), None).unwrap().is_none());
        assert!(acceptor(&options(&[]), Some("coder.example.com")).is_ok());
    }
}
