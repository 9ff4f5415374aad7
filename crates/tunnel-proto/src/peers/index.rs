//! Places in the table of peers, and a hash for them that costs one multiplication.
//!
//! Every packet looks its peer up by place. The numbers are our own, so nobody can choose them to
//! collide.

use std::hash::{BuildHasherDefault, Hasher};

/// A peer's place in the table. Not reused while the peer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerIndex(pub(super) u32);

/// A map by place.
pub(super) type IndexMap<T> =
    std::collections::HashMap<PeerIndex, T, BuildHasherDefault<IndexHasher>>;

#[derive(Debug, Default)]
pub(super) struct IndexHasher(u64);

impl Hasher for IndexHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // Knuth's multiplicative hash: spreads consecutive numbers over all bits.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
