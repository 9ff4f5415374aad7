//! Who sends: the deployment's key, and the tokens that it signs for push services (RFC 8292).

use authz::{Subject, System};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use control::{Control, Error};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;
use url::Url;

/// Where the key is kept: the id of the key that seals it, and what it sealed.
const SETTING: &str = "webpush_vapid_key";
/// How long a token counts, in seconds; push services take no more than a day.
const LIFE: i64 = 12 * 3600;

/// The deployment's key.
pub struct Vapid {
    pair: EcdsaKeyPair,
    public: String,
    /// Whom push services may turn to.
    contact: String,
}

impl Vapid {
    /// The key of this deployment, made at the first start.
    ///
    /// # Errors
    /// When it cannot be read: without the key that seals it, say.
    pub async fn load(control: &Control) -> Result<Self, Error> {
        let core = Subject::system(System::Core);
        let conn = control.store().conn().await?;
        let kept = match conn.site_config_read(&core, SETTING).await? {
            Some(kept) => kept,
            None => {
                let random = SystemRandom::new();
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                    .map_err(|_| Error::internal("the system has no randomness"))?;
                let text = STANDARD.encode(made.as_ref());
                let (sealed, by) = control.settings().seal.seal(&text)?;
                let kept = format!("{} {sealed}", by.unwrap_or_default());
                // Replicas that start together agree on one.
                conn.site_config_ensure(&core, SETTING, &kept).await?
            }
        };
        let (by, sealed) = kept
            .split_once(' ')
            .ok_or_else(|| Error::internal("the key for push services is damaged"))?;
        let by = Some(by).filter(|by| !by.is_empty());
        let text = control.settings().seal.open(sealed, by)?;
        let contact = control.settings().access_url.to_string();
        Self::new(text.expose(), contact)
    }

    fn new(pkcs8: &str, contact: String) -> Result<Self, Error> {
        let damaged = || Error::internal("the key for push services is damaged");
        let pkcs8 = STANDARD.decode(pkcs8).map_err(|_| damaged())?;
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &pkcs8,
            &SystemRandom::new(),
        )
        .map_err(|_| damaged())?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        Ok(Vapid {
            pair,
            public,
            contact,
        })
    }

    /// The public half, as browsers want it: uncompressed, in base64url.
    pub fn public_key(&self) -> &str {
        &self.public
    }

    /// The header `Authorization` for a message to this address.
    pub(super) fn authorization(&self, endpoint: &Url) -> Result<String, String> {
        let claims = json!({
            "aud": endpoint.origin().ascii_serialization(),
            "exp": Utc::now().timestamp() + LIFE,
            "sub": self.contact,
        });
        let head = URL_SAFE_NO_PAD.encode(br#"{"typ":"JWT","alg":"ES256"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| "the system has no randomness".to_owned())?;
        Ok(format!(
            "vapid t={signed}.{}, k={}",
            URL_SAFE_NO_PAD.encode(signature),
            self.public
        ))
    }
}

#[cfg(test)]
impl Vapid {
    /// A key of nobody.
    pub(super) fn some() -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let contact = "https://coder.example.com/".to_owned();
        Vapid::new(&STANDARD.encode(made.as_ref()), contact).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    #[test]
    fn tokens_name_the_push_service_and_are_signed() {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let contact = "https://coder.example.com/".to_owned();
        let vapid = Vapid::new(&STANDARD.encode(made.as_ref()), contact).unwrap();
        let endpoint = Url::parse("https://push.example.com:8443/send/abc?x=y").unwrap();
        let header = vapid.authorization(&endpoint).unwrap();
        let rest = header.strip_prefix("vapid t=").unwrap();
        let (token, key) = rest.split_once(", k=").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key))
            .verify(signed.as_bytes(), &decode(signature))
            .unwrap();
        let (_, claims) = signed.split_once('.').unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&decode(claims)).unwrap();
        assert_eq!(claims["aud"], "https://push.example.com:8443");
        assert_eq!(claims["sub"], "https://coder.example.com/");
        assert!(Vapid::new("AAAA", String::new()).is_err());
    }
}
