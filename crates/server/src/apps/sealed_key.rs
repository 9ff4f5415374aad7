//! A key for apps on its way through the browser from the dashboard's host to an app's: encrypted
//! (JWE, A256GCMKW with A256GCM, deflated), good for a minute.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use chrono::{DateTime, TimeDelta, Utc};
use control::CryptoKey;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::jwt::{Keys, decode, encode};

/// What the keys are for.
pub(super) const FEATURE: &str = "workspace_apps_api_key";
/// The parameter that carries it.
pub(super) const PARAM: &str = "coder_application_connect_api_key_35e783";

const LIFETIME: TimeDelta = TimeDelta::minutes(1);
const ISSUER: &str = "coderd";
const AUDIENCE: &str = "wsproxy";
/// Longest text that is looked at, and longest after inflation.
const MAX: usize = 8 << 10;
/// Length of the authentication tag.
const TAG: usize = 16;

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    enc: String,
    zip: String,
    kid: String,
    iv: String,
    tag: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: i64,
    nbf: i64,
    api_key: String,
}

/// Encrypts a key.
pub(super) async fn seal(
    keys: &Keys,
    api_key: &str,
    now: DateTime<Utc>,
) -> control::Result<String> {
    let key = keys.signing(now).await?;
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        exp: (now + LIFETIME).timestamp(),
        nbf: (now - LIFETIME).timestamp(),
        api_key: api_key.to_owned(),
    };
    encrypt(&key, &claims)
        .ok_or_else(|| control::Error::internal("a key for apps could not be encrypted"))
}

/// The key in a text, if it was encrypted here within the minute.
pub(super) async fn open(
    keys: &Keys,
    text: &str,
    now: DateTime<Utc>,
) -> control::Result<Option<String>> {
    let header = text.split('.').next().and_then(decode::<Header>);
    let Some(header) = header.filter(|_| text.len() <= MAX) else {
        return Ok(None);
    };
    let Some(key) = (match header.kid.parse() {
        Ok(sequence) => keys.verifying(sequence, now).await?,
        Err(_) => None,
    }) else {
        return Ok(None);
    };
    let now = now.timestamp();
    Ok(decrypt(&key, &header, text)
        .filter(|claims| claims.iss == ISSUER && claims.aud == AUDIENCE)
        .filter(|claims| claims.nbf <= now && now < claims.exp)
        .map(|claims| claims.api_key))
}

fn cipher(key: &[u8]) -> Option<LessSafeKey> {
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?))
}

/// The key that wraps: of the length that the cipher needs.
fn wrapping(key: &CryptoKey) -> Option<LessSafeKey> {
    cipher(&Sha256::digest(key.secret.expose()))
}

fn encrypt(key: &CryptoKey, claims: &Claims) -> Option<String> {
    let content_key: [u8; 32] = rand::random();
    let (wrap_nonce, nonce): ([u8; NONCE_LEN], [u8; NONCE_LEN]) = (rand::random(), rand::random());
    let mut wrapped = content_key;
    let wrap_tag = wrapping(key)?
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(wrap_nonce),
            Aad::empty(),
            &mut wrapped,
        )
        .ok()?;
    let header = encode(&Header {
        alg: "A256GCMKW".to_owned(),
        enc: "A256GCM".to_owned(),
        zip: "DEF".to_owned(),
        kid: key.sequence.to_string(),
        iv: B64.encode(wrap_nonce),
        tag: B64.encode(wrap_tag.as_ref()),
    });
    let mut deflate =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflate.write_all(&serde_json::to_vec(claims).ok()?).ok()?;
    let mut content = deflate.finish().ok()?;
    let tag = cipher(&content_key)?
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(header.as_bytes()),
            &mut content,
        )
        .ok()?;
    Some(format!(
        "{header}.{}.{}.{}.{}",
        B64.encode(wrapped),
        B64.encode(nonce),
        B64.encode(content),
        B64.encode(tag.as_ref())
    ))
}

fn decrypt(key: &CryptoKey, header: &Header, text: &str) -> Option<Claims> {
    if header.alg != "A256GCMKW" || header.enc != "A256GCM" || header.zip != "DEF" {
        return None;
    }
    let parts: Vec<&str> = text.split('.').collect();
    let [protected, wrapped, nonce, content, tag] = parts.as_slice() else {
        return None;
    };
    let bytes = |part: &str| B64.decode(part).ok();
    let unseal = |key: LessSafeKey, nonce: Vec<u8>, aad: &[u8], content: Vec<u8>, tag: Vec<u8>| {
        let nonce = Nonce::try_assume_unique_for_key(&nonce).ok()?;
        (tag.len() == TAG).then_some(())?;
        let mut sealed = [content, tag].concat();
        let plain = key.open_in_place(nonce, Aad::from(aad), &mut sealed).ok()?;
        Some(plain.to_vec())
    };
    let content_key = unseal(
        wrapping(key)?,
        bytes(&header.iv)?,
        &[],
        bytes(wrapped)?,
        bytes(&header.tag)?,
    )?;
    let deflated = unseal(
        cipher(&content_key)?,
        bytes(nonce)?,
        protected.as_bytes(),
        bytes(content)?,
        bytes(tag)?,
    )?;
    let mut json = Vec::new();
    flate2::read::DeflateDecoder::new(deflated.as_slice())
        .take(MAX as u64)
        .read_to_end(&mut json)
        .ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sequence: i32, secret: &[u8]) -> CryptoKey {
        CryptoKey {
            sequence,
            secret: api_types::Secret::new(secret.to_vec()),
        }
    }

    #[test]
    fn only_what_was_sealed_here_opens() {
        let (ours, theirs) = (key(1, b"one"), key(1, b"two"));
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            exp: 0,
            nbf: 0,
            api_key: "abc-def".to_owned(),
        };
        let text = encrypt(&ours, &claims).unwrap();
        let header: Header = decode(text.split('.').next().unwrap()).unwrap();
        assert_eq!(decrypt(&ours, &header, &text).unwrap().api_key, "abc-def");
        assert!(decrypt(&theirs, &header, &text).is_none());
        for at in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            let header = forged.split('.').next().and_then(decode::<Header>);
            let opened = header.and_then(|header| decrypt(&ours, &header, &forged));
            // The last bits of some parts are padding; what opens must be the same.
            assert!(
                opened.is_none_or(|claims| claims.api_key == "abc-def"),
                "{at}"
            );
        }
    }
}
