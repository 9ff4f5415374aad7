//! The host key of the SSH server: Ed25519, made from the names of owner,
//! workspace and agent, so that it stays the same over rebuilds.

use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::{Digest, Sha256};

use super::negotiate::HOST_KEY;
use super::wire::Write;

/// A host key pair. It proves nothing beyond continuity: whoever reaches this
/// server at all came through the tunnel, which has authenticated both ends.
pub struct HostKey {
    pair: Ed25519KeyPair,
    public: Vec<u8>,
}

impl HostKey {
    /// The key of the agent with these names.
    pub fn derive(owner: &str, workspace: &str, agent: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"ssh host key of a workspace agent\0");
        for name in [owner, workspace, agent] {
            hash.update(name.as_bytes());
            hash.update([0]);
        }
        let seed = hash.finalize();
        #[expect(
            clippy::expect_used,
            reason = "the only failure is a seed that is not 32 bytes"
        )]
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed of 32 bytes");
        let mut public = Vec::with_capacity(64);
        public.put_string(HOST_KEY.as_bytes());
        public.put_string(pair.public_key().as_ref());
        Self { pair, public }
    }

    /// The public key in SSH encoding.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// A signature over `message` in SSH encoding.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        out.put_string(HOST_KEY.as_bytes());
        out.put_string(self.pair.sign(message).as_ref());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_give_the_same_key_and_others_another() {
        let key = HostKey::derive("a", "b", "c");
        assert_eq!(key.public(), HostKey::derive("a", "b", "c").public());
        assert_ne!(key.public(), HostKey::derive("ab", "", "c").public());
    }
}
