//! What both sides offer and what is chosen from it: `SSH_MSG_KEXINIT`
//! (RFC 4253 section 7.1).

use super::cipher::Cipher;
use super::numbers::KEXINIT;
use super::wire::{Malformed, Reader, Write};

/// Tells a client that we count packets strictly during key exchanges, which
/// closes the Terrapin attack (OpenSSH's PROTOCOL section 1.10).
const STRICT_SERVER: &str = "kex-strict-s-v00@openssh.com";
const STRICT_CLIENT: &str = "kex-strict-c-v00@openssh.com";

/// The only host key algorithm: its key is small and made from a seed.
pub const HOST_KEY: &str = "ssh-ed25519";

/// Ways to agree on a secret, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KexMethod {
    /// `mlkem768x25519-sha256`: safe against recorded traffic being opened by
    /// a quantum computer; OpenSSH warns about connections without one.
    MlKem768X25519,
    /// `curve25519-sha256` (RFC 8731).
    Curve25519,
    /// The same under the name from before it was standardised.
    Curve25519LibSsh,
}

impl KexMethod {
    const ALL: [Self; 3] = [
        Self::MlKem768X25519,
        Self::Curve25519,
        Self::Curve25519LibSsh,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::MlKem768X25519 => "mlkem768x25519-sha256",
            Self::Curve25519 => "curve25519-sha256",
            Self::Curve25519LibSsh => "curve25519-sha256@libssh.org",
        }
    }
}

/// What the two offers lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// How the secret is agreed on.
    pub kex: KexMethod,
    /// Cipher from the client to us.
    pub inbound: Cipher,
    /// Cipher from us to the client.
    pub outbound: Cipher,
    /// Both sides count packets strictly.
    pub strict: bool,
    /// The client has already sent a key exchange packet for a method that was
    /// not chosen: the next packet is to be dropped.
    pub skip_guess: bool,
}

/// Why no choice could be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    /// The offer could not be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nothing in common.
    #[error("the client offers no {what} that this server knows (it offers {offered})")]
    NothingInCommon {
        /// Which part of the offer.
        what: &'static str,
        /// What the client listed.
        offered: String,
    },
}

/// Our own offer, with the given 16 random bytes. `first` marks the first
/// exchange of a connection.
pub fn offer(cookie: [u8; 16], first: bool) -> Vec<u8> {
    let mut kex = KexMethod::ALL.map(KexMethod::name).to_vec();
    if first {
        kex.push(STRICT_SERVER);
    }
    let ciphers = Cipher::ALL.map(Cipher::name).join(",");
    // Every cipher above brings its own integrity check; this list is only for
    // clients that insist on a match in it.
    let macs = "hmac-sha2-256-etm@openssh.com,hmac-sha2-256";
    let mut out = vec![KEXINIT];
    out.put_raw(&cookie);
    for list in [
        &kex.join(","),
        HOST_KEY,
        &ciphers,
        &ciphers,
        macs,
        macs,
        "none",
        "none",
        "",
        "",
    ] {
        out.put_string(list.as_bytes());
    }
    out.put_bool(false);
    out.put_number(0);
    out
}

/// Reads a client's offer and chooses: the first of the client's list that we know.
pub fn choose(offer: &[u8], first: bool) -> Result<Choice, NoChoice> {
    let mut reader = Reader::new(offer);
    reader.bytes(1 + 16)?;
    let kex_names = reader.names()?;
    let host_keys = reader.names()?;
    let inbound = reader.names()?;
    let outbound = reader.names()?;
    for _ in 0..6 {
        reader.names()?;
    }
    let guessed = reader.boolean()?;

    let kex = pick("key exchange", &kex_names, &KexMethod::ALL, KexMethod::name)?;
    pick("host key type", &host_keys, &[HOST_KEY], |name| name)?;
    let right_guess =
        kex_names.first() == Some(&kex.name()) && host_keys.first() == Some(&HOST_KEY);
    Ok(Choice {
        kex,
        inbound: pick("cipher", &inbound, &Cipher::ALL, Cipher::name)?,
        outbound: pick("cipher", &outbound, &Cipher::ALL, Cipher::name)?,
        strict: first && kex_names.contains(&STRICT_CLIENT),
        skip_guess: guessed && !right_guess,
    })
}

fn pick<T: Copy>(
    what: &'static str,
    offered: &[&str],
    ours: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, NoChoice> {
    offered
        .iter()
        .find_map(|offered| ours.iter().copied().find(|ours| name(*ours) == *offered))
        .ok_or_else(|| NoChoice::NothingInCommon {
            what,
            offered: offered.join(","),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_offer(kex: &str, host: &str, cipher: &str, guessed: bool) -> Vec<u8> {
        let mut out = vec![KEXINIT];
        out.put_raw(&[0; 16]);
        for list in [kex, host, cipher, cipher, "", "", "none", "none", "", ""] {
            out.put_string(list.as_bytes());
        }
        out.put_bool(guessed);
        out.put_number(0);
        out
    }

    #[test]
    fn the_clients_order_decides() {
        let offer = client_offer(
            "x,curve25519-sha256,mlkem768x25519-sha256,kex-strict-c-v00@openssh.com",
            "ssh-rsa,ssh-ed25519",
            "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com",
            true,
        );
        let choice = choose(&offer, true).unwrap();
        assert_eq!(choice.kex, KexMethod::Curve25519);
        assert_eq!(choice.inbound, Cipher::ChaCha20Poly1305);
        assert!(choice.strict && choice.skip_guess);
        assert!(
            !choose(&offer, false).unwrap().strict,
            "only the first exchange can say so"
        );
    }

    #[test]
    fn a_right_guess_is_not_skipped() {
        let offer = client_offer(
            "curve25519-sha256",
            "ssh-ed25519",
            "aes256-gcm@openssh.com",
            true,
        );
        assert!(!choose(&offer, true).unwrap().skip_guess);
    }

    #[test]
    fn our_own_offer_is_acceptable_to_us() {
        assert_eq!(
            choose(&offer([1; 16], true), true).unwrap().kex,
            KexMethod::MlKem768X25519
        );
    }

    #[test]
    fn nothing_in_common_names_what_was_offered() {
        let offer = client_offer(
            "curve25519-sha256",
            "ssh-dss",
            "aes128-gcm@openssh.com",
            false,
        );
        let error = choose(&offer, true).unwrap_err().to_string();
        assert!(
            error.contains("host key type") && error.contains("ssh-dss"),
            "{error}"
        );
        assert!(choose(&offer[..30], true).is_err());
    }
}
