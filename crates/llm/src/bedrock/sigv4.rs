//! AWS Signature Version 4. Source: the AWS general reference, "Signing AWS API requests".

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::endpoint::AwsKeys;
use crate::wire::Outgoing;
use crate::{Error, ErrorKind};

/// `text` with all but unreserved characters escaped, as AWS demands for a path segment.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        // HMAC takes keys of any length.
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Signs `outgoing` with `keys`: adds `x-amz-date`, the session token and `Authorization`.
pub(super) fn sign(
    outgoing: &mut Outgoing,
    keys: &AwsKeys,
    region: &str,
    service: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let bad = |_| {
        Error::new(
            ErrorKind::Auth,
            "The AWS credentials hold characters that cannot be sent. Enter them again.",
        )
    };
    let stamp = now.format("%Y%m%dT%H%M%SZ").to_string();
    let day = now.format("%Y%m%d").to_string();
    let headers = &mut outgoing.headers;
    headers.insert(
        HeaderName::from_static("x-amz-date"),
        HeaderValue::from_str(&stamp).map_err(bad)?,
    );
    if let Some(token) = &keys.session_token {
        let mut value = HeaderValue::from_str(token.expose()).map_err(bad)?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static("x-amz-security-token"), value);
    }
    let host = match (outgoing.url.host_str(), outgoing.url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    };
    // Only what no proxy changes is signed.
    let mut signed: Vec<(String, String)> = vec![("host".to_owned(), host)];
    for name in ["content-type", "x-amz-date", "x-amz-security-token"] {
        if let Some(Ok(value)) = headers.get(name).map(HeaderValue::to_str) {
            signed.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    signed.sort();
    let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let mut canonical = String::from("POST\n");
    // Each segment of the path is escaped once more, the query is empty.
    let path: Vec<String> = outgoing.url.path().split('/').map(escape).collect();
    canonical.push_str(&path.join("/"));
    canonical.push_str("\n\n");
    for (name, value) in &signed {
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let body = hex::encode(Sha256::digest(&outgoing.body));
    let _ = write!(canonical, "\n{names}\n{body}");
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
        hex::encode(Sha256::digest(canonical.as_bytes()))
    );
    let mut key = mac(format!("AWS4{}", keys.secret_key.expose()).as_bytes(), &day);
    for step in [region, service, "aws4_request"] {
        key = mac(&key, step);
    }
    let signature = hex::encode(mac(&key, &to_sign));
    let mut value = HeaderValue::from_str(&format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        keys.access_key.expose()
    ))
    .map_err(bad)?;
    value.set_sensitive(true);
    headers.insert(http::header::AUTHORIZATION, value);
    Ok(())
}
