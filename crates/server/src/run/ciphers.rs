//! The cipher suites that the listener offers (`--tls-ciphers`).

use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, SupportedCipherSuite};

use super::RunError;
use crate::options::Options;

const FLAG: &str = "tls-ciphers";
/// Kinds of suites that other programs know and that are not safe any more, by parts of their names:
/// no forward secrecy, or ciphers that were broken.
const UNSAFE: [&str; 4] = ["TLS_RSA_", "_CBC_", "_RC4_", "_3DES_"];

/// The cryptography of the listener with the suites that the options name.
pub(super) fn provider(options: &Options) -> Result<CryptoProvider, RunError> {
    let mut provider = ring::default_provider();
    let names = options.list(FLAG);
    if names.is_empty() {
        return Ok(provider);
    }
    let bad = |problem: String| RunError::Option {
        flag: FLAG,
        problem,
    };
    if options.text("tls-min-version") == "tls13" {
        return Err(bad(
            "has no effect with --tls-min-version tls13: the suites of TLS 1.3 are always on; \
             leave one of both out"
                .to_owned(),
        ));
    }
    let mut wanted = Vec::new();
    for name in &names {
        let found = ring::ALL_CIPHER_SUITES
            .iter()
            .find(|suite| iana(suite.suite()).eq_ignore_ascii_case(name.trim()));
        match found {
            Some(suite) => wanted.push(*suite),
            None => return Err(bad(refusal(name))),
        }
    }
    if !wanted.iter().any(|suite| suite.tls13().is_none()) {
        return Err(bad(
            "names no suite of TLS 1.2: add one, or set --tls-min-version tls13 and leave this out"
                .to_owned(),
        ));
    }
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_some() || wanted.contains(suite));
    Ok(provider)
}

fn refusal(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    let why = if UNSAFE.iter().any(|part| upper.contains(part)) {
        "is not safe and not in this server, whatever --tls-allow-insecure-ciphers says"
    } else {
        "is not known"
    };
    let offered: Vec<String> = ring::ALL_CIPHER_SUITES
        .iter()
        .filter(|suite| suite.tls13().is_none())
        .map(SupportedCipherSuite::suite)
        .map(iana)
        .collect();
    format!("{name:?} {why}; there are {}", offered.join(", "))
}

/// The name of a suite at IANA. The library's own differs for TLS 1.3.
fn iana(suite: CipherSuite) -> String {
    let name = format!("{suite:?}");
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str, min: &str) -> Result<Vec<String>, String> {
        let mut options = Options::defaults();
        options.set(FLAG, list.to_owned());
        options.set("tls-min-version", min.to_owned());
        let provider = provider(&options).map_err(|error| error.to_string())?;
        let suites = provider
            .cipher_suites
            .iter()
            .map(|suite| iana(suite.suite()));
        Ok(suites.filter(|name| name.contains("ECDHE")).collect())
    }

    #[test]
    fn only_what_is_named_is_offered() {
        assert_eq!(names("", "tls12").unwrap().len(), 6);
        let one = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
        let both = format!("{},TLS_AES_128_GCM_SHA256", one.to_ascii_lowercase());
        assert_eq!(names(&both, "tls12").unwrap(), [one]);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (list, min, part) in [
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM", "tls12", "is not known"),
            ("TLS_RSA_WITH_AES_128_GCM_SHA256", "tls12", "is not safe"),
            ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "tls12", "is not safe"),
            ("TLS_AES_128_GCM_SHA256", "tls12", "no suite of TLS 1.2"),
            (
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "tls13",
                "no effect",
            ),
        ] {
            let error = names(list, min).unwrap_err();
            assert!(
                error.contains(part) && error.starts_with("--tls-ciphers"),
                "{error}"
            );
        }
    }
}
