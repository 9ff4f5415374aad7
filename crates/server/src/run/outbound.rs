//! TLS towards the servers that the options name: relays, their map, the Git host of chats.
//!
//! Who users or browsers name (MCP servers, push services) is a stranger and sees no certificate.

use client::{TlsError, TlsFiles};
use rustls::ClientConfig;

use super::RunError;
use crate::options::Options;

const CERT: &str = "tls-client-cert-file";
const KEY: &str = "tls-client-key-file";

/// The system's roots, and the certificate that the options name.
pub(super) fn tls(options: &Options) -> Result<ClientConfig, RunError> {
    let file = |flag| Some(options.text(flag)).filter(|text| !text.is_empty());
    let (cert, key) = (file(CERT), file(KEY));
    let bad = |flag, problem: String| Err(RunError::Option { flag, problem });
    match (cert, key) {
        (Some(_), None) => return bad(KEY, format!("is missing: --{CERT} needs its key")),
        (None, Some(_)) => return bad(CERT, format!("is missing: --{KEY} needs its certificate")),
        _ => {}
    }
    let files = TlsFiles {
        cert: cert.map(Into::into),
        key: key.map(Into::into),
        ca: None,
    };
    client::tls_with(&files).or_else(|error| {
        let of_key =
            matches!(&error, TlsError::File { path, .. } if files.key.as_ref() == Some(path));
        bad(if of_key { KEY } else { CERT }, error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(cert: &str, key: &str) -> Result<ClientConfig, String> {
        let mut options = Options::defaults();
        options.set(CERT, cert.to_owned());
        options.set(KEY, key.to_owned());
        tls(&options).map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["us".to_owned()]).unwrap();
        let path = |name: &str, text: String| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let cert = path("cert.pem", made.cert.pem());
        let key = path("key.pem", made.signing_key.serialize_pem());
        assert!(!with("", "").unwrap().client_auth_cert_resolver.has_certs());
        assert!(
            with(&cert, &key)
                .unwrap()
                .client_auth_cert_resolver
                .has_certs()
        );
        for (cert, key, flag) in [
            (cert.as_str(), "", "--tls-client-key-file"),
            ("", key.as_str(), "--tls-client-cert-file"),
            (&cert, "/no/key.pem", "--tls-client-key-file"),
            ("/no/cert.pem", &key, "--tls-client-cert-file"),
            // Each is there, but holds what the other should.
            (&key, &cert, "--tls-client-cert-file"),
            (&cert, &cert, "--tls-client-key-file"),
        ] {
            let error = with(cert, key).unwrap_err();
            assert!(error.starts_with(flag), "{flag}: {error}");
        }
    }
}
