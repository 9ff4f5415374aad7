//! A message sealed for one browser: RFC 8291 over the coding `aes128gcm` of RFC 8188.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Size of the one record: push services take no more.
const RECORD: u32 = 4096;
/// Bytes of a salt.
const SALT: usize = 16;
/// Bytes of a public key, uncompressed; as the body says it.
const POINT_BYTE: u8 = 65;
const POINT: usize = POINT_BYTE as usize;
/// Ends the last record.
const LAST: u8 = 2;
/// Most bytes of a message: what is left of a record.
pub(super) const MAX_TEXT: usize = RECORD as usize - 17;

/// Seals `text` for the browser with these keys, which are base64url with or without padding.
pub(super) fn seal(p256dh: &str, auth: &str, text: &[u8]) -> Result<Vec<u8>, String> {
    let browser = decode(p256dh).filter(|key| key.len() == POINT && key[0] == 4);
    let browser = browser.ok_or("the browser's key is no P-256 key")?;
    let auth = decode(auth).filter(|secret| secret.len() == SALT);
    let auth = auth.ok_or("the browser's secret does not have 16 bytes")?;
    let random = SystemRandom::new();
    let failed = |_| "the system has no randomness".to_owned();
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &random).map_err(failed)?;
    let public = own.compute_public_key().map_err(failed)?;
    let mut salt = [0; SALT];
    random.fill(&mut salt).map_err(failed)?;
    let other = UnparsedPublicKey::new(&ECDH_P256, &browser);
    agree_ephemeral(own, &other, |shared| {
        sealed(shared, public.as_ref(), &browser, &auth, salt, text)
    })
    .map_err(|_| "the browser's key is no P-256 key".to_owned())?
}

/// The body, made of what both sides know.
fn sealed(
    shared: &[u8],
    own: &[u8],
    browser: &[u8],
    auth: &[u8],
    salt: [u8; SALT],
    text: &[u8],
) -> Result<Vec<u8>, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("the message has more than {MAX_TEXT} bytes"));
    }
    let info = [b"WebPush: info\0".as_slice(), browser, own].concat();
    let secret: [u8; 32] = derive(auth, shared, &info)?;
    let key: [u8; 16] = derive(&salt, &secret, b"Content-Encoding: aes128gcm\0")?;
    let nonce: [u8; NONCE_LEN] = derive(&salt, &secret, b"Content-Encoding: nonce\0")?;
    let failed = |_| "the message cannot be sealed".to_owned();
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).map_err(failed)?);
    let mut record = text.to_vec();
    record.push(LAST);
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut record)
        .map_err(failed)?;
    let mut body = salt.to_vec();
    body.extend_from_slice(&RECORD.to_be_bytes());
    body.push(POINT_BYTE);
    body.extend_from_slice(own);
    body.extend_from_slice(&record);
    Ok(body)
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF with SHA-256.
fn derive<const N: usize>(salt: &[u8], secret: &[u8], info: &[u8]) -> Result<[u8; N], String> {
    let mut out = [0; N];
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], Length(N))
        .and_then(|derived| derived.fill(&mut out))
        .map_err(|_| "keys cannot be derived".to_owned())?;
    Ok(out)
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// What a browser does: opens a body with its keys.
#[cfg(test)]
pub(super) fn open(
    body: &[u8],
    private: EphemeralPrivateKey,
    public: &[u8],
    auth: &[u8],
) -> Option<Vec<u8>> {
    let (salt, rest) = body.split_at_checked(SALT)?;
    let (head, rest) = rest.split_at_checked(5)?;
    let (other, record) = rest.split_at_checked(POINT)?;
    if head != [0, 0, 16, 0, POINT_BYTE] {
        return None;
    }
    let key = UnparsedPublicKey::new(&ECDH_P256, other);
    let (key, nonce): ([u8; 16], [u8; NONCE_LEN]) = agree_ephemeral(private, &key, |shared| {
        let info = [b"WebPush: info\0".as_slice(), public, other].concat();
        let secret: [u8; 32] = derive(auth, shared, &info).ok()?;
        let key = derive(salt, &secret, b"Content-Encoding: aes128gcm\0").ok()?;
        Some((
            key,
            derive(salt, &secret, b"Content-Encoding: nonce\0").ok()?,
        ))
    })
    .ok()??;
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?);
    let mut record = record.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    let text = key.open_in_place(nonce, Aad::empty(), &mut record).ok()?;
    text.strip_suffix(&[LAST]).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 5 of RFC 8291, its keys agreed upon.
    #[test]
    fn the_example_of_the_standard() {
        let bytes = |text: &str| decode(text).unwrap();
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let body = sealed(
            &bytes("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs"),
            &bytes(
                "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
            ),
            &bytes(
                "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            ),
            &bytes("BTBZMqHH6r4Tts7J_aSIgg"),
            salt,
            b"When I grow up, I want to be a watermelon",
        )
        .unwrap();
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(URL_SAFE_NO_PAD.encode(body), expected);
    }

    #[test]
    fn bad_keys_are_told() {
        let auth = URL_SAFE_NO_PAD.encode([1; 16]);
        let point = URL_SAFE_NO_PAD.encode([4; POINT]);
        for (key, auth) in [
            ("", &*auth),
            ("AAAA", &auth),
            (&point, "AAAA"),
            (&point, &auth),
        ] {
            assert!(seal(key, auth, b"x").is_err(), "{key} {auth}");
        }
    }
}
