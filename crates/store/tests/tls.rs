//! `sslmode=verify-full` against a certificate authority of the test's own. A listener that
//! speaks TLS, as PostgreSQL does, stands before the real one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use store::{Store, StoreError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_postgres::config::Host;
use tokio_rustls::TlsAcceptor;

/// What a client sends to ask for TLS: its length, and a number of the protocol.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// An authority that signs certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// TLS as a server of these names.
    fn server(&self, names: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Listens as PostgreSQL with TLS, and passes on to the real one; its port.
async fn listen(tls: TlsAcceptor, real: tokio_postgres::Config) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, tls.clone(), real.clone()));
        }
    });
    port
}

async fn serve(
    mut stream: TcpStream,
    tls: TlsAcceptor,
    real: tokio_postgres::Config,
) -> std::io::Result<()> {
    let mut asked = [0; 8];
    stream.read_exact(&mut asked).await?;
    assert_eq!(asked, SSL_REQUEST, "the client must ask for TLS");
    stream.write_all(b"S").await?;
    let mut inside = tls.accept(stream).await?;
    let port = real.get_ports().first().copied().unwrap_or(5432);
    match &real.get_hosts()[0] {
        Host::Unix(dir) => {
            let path = dir.join(format!(".s.PGSQL.{port}"));
            let mut behind = UnixStream::connect(path).await?;
            copy_bidirectional(&mut inside, &mut behind).await?;
        }
        Host::Tcp(host) => {
            let mut behind = TcpStream::connect((host.as_str(), port)).await?;
            copy_bidirectional(&mut inside, &mut behind).await?;
        }
    }
    Ok(())
}

/// Asks the database through the listener.
async fn ask(
    real: &tokio_postgres::Config,
    host: &str,
    port: u16,
    query: &str,
) -> Result<(), StoreError> {
    let user = real.get_user().unwrap_or("postgres");
    let password = real
        .get_password()
        .map(|password| format!(":{}", String::from_utf8_lossy(password)))
        .unwrap_or_default();
    let database = real.get_dbname().unwrap_or("postgres");
    let url = format!("postgres://{user}{password}@{host}:{port}/{database}?{query}");
    Store::connect(&url, 2)?.ping().await.map(drop)
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_server_is_who_its_authority_says_or_nobody() {
    let real: tokio_postgres::Config = testkit::server_url().parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (ours, foreign) = (Authority::new(), Authority::new());
    let root = write(dir.path(), "ours.pem", &ours.pem);
    let other = write(dir.path(), "foreign.pem", &foreign.pem);
    let junk = write(dir.path(), "junk.pem", "no certificate");

    let good = listen(ours.server(&["localhost"]), real.clone()).await;
    let full = |root: &str| format!("sslmode=verify-full&sslrootcert={root}");
    ask(&real, "localhost", good, &full(&root)).await.unwrap();
    // Encrypted, whoever answers: what `require` means.
    ask(&real, "localhost", good, "sslmode=require")
        .await
        .unwrap();

    // Another authority, and a name that is not in the certificate.
    let told = ask(&real, "localhost", good, &full(&other)).await;
    let told = told.unwrap_err().to_string();
    assert!(
        told.contains("UnknownIssuer") || told.contains("BadSignature"),
        "{told}"
    );
    let misnamed = listen(ours.server(&["db.example.com"]), real.clone()).await;
    let told = ask(&real, "localhost", misnamed, &full(&root)).await;
    let told = told.unwrap_err().to_string();
    assert!(told.contains("not valid for name"), "{told}");

    for bad in [junk, dir.path().join("absent").display().to_string()] {
        let told = ask(&real, "localhost", good, &full(&bad))
            .await
            .unwrap_err();
        assert!(matches!(told, StoreError::Invalid(_)), "{told}");
        assert!(told.to_string().contains("root"), "{told}");
    }
}
