//! Sealed packets for one address, back to back, as one system call may take them.

use std::net::SocketAddr;

use tunnel_proto::packet::MTU;
use tunnel_proto::tcp::MAX_BURST;
use tunnel_proto::wireguard::OVERHEAD;

/// A bundle takes no packet beyond this: a full burst of a connection, which is about the most that
/// one segmented send carries.
pub(crate) const MAX_BUNDLE: usize = MAX_BURST * (MTU + OVERHEAD);
/// Bundles kept for reuse.
const MAX_POOL: usize = 8;

/// Packets for one address.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) to: SocketAddr,
    /// The packets.
    pub(crate) data: Vec<u8>,
    /// Where each ends in `data`.
    pub(crate) ends: Vec<usize>,
    /// How many were sent already.
    pub(crate) sent: usize,
}

impl Bundle {
    /// A bundle without packets.
    pub(crate) fn empty(to: SocketAddr) -> Self {
        Self {
            to,
            data: Vec::new(),
            ends: Vec::new(),
            sent: 0,
        }
    }

    /// True if a packet of `len` bytes has room.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.sent == 0 && (self.data.len() + len <= MAX_BUNDLE || self.data.is_empty())
    }

    /// Ends the packet that was written to `data`.
    pub(crate) fn finish_packet(&mut self) {
        self.ends.push(self.data.len());
    }

    /// Where the packets that are finished end.
    pub(crate) fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The packets from `index` on that one call may carry, at most `most`: all of one size, but the
    /// last, which may be shorter. `None` behind the last packet.
    pub(crate) fn run(&self, index: usize, most: usize) -> Option<Run<'_>> {
        let start = match index {
            0 => 0,
            after => *self.ends.get(after - 1)?,
        };
        let segment = self.ends.get(index)? - start;
        let (mut end, mut count) = (start, 0);
        for &next in self.ends[index..].iter().take(most.max(1)) {
            if next - end > segment {
                break;
            }
            let shorter = next - end < segment;
            end = next;
            count += 1;
            if shorter {
                break;
            }
        }
        Some(Run {
            bytes: self.data.get(start..end)?,
            segment,
            count,
        })
    }
}

/// Packets for one call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run<'a> {
    /// The packets, back to back.
    pub(crate) bytes: &'a [u8],
    /// The size of each but the last.
    pub(crate) segment: usize,
    /// How many.
    pub(crate) count: usize,
}

/// Bundles that were sent, for reuse: their buffers are as large as they will ever be.
#[derive(Debug, Default)]
pub(crate) struct BundlePool(Vec<Bundle>);

impl BundlePool {
    /// An empty bundle.
    pub(crate) fn take(&mut self, to: SocketAddr) -> Bundle {
        let mut bundle = self.0.pop().unwrap_or_else(|| Bundle::empty(to));
        bundle.to = to;
        bundle
    }

    /// Takes a bundle back.
    pub(crate) fn give(&mut self, mut bundle: Bundle) {
        if self.0.len() < MAX_POOL {
            bundle.data.clear();
            bundle.ends.clear();
            bundle.sent = 0;
            self.0.push(bundle);
        }
    }
}
