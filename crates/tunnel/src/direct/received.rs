//! A batch of datagrams as the system delivers them: each buffer may hold dozens of one sender.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::ops::Range;

use quinn_udp::RecvMeta;

/// Bytes of all buffers. Pages are taken from the system only when they are used.
const BYTES: usize = 256 << 10;
/// Buffers for datagrams that the system has joined: the most that it joins is 64 KiB.
const JOINED: usize = 4;
/// Buffers for single datagrams.
const SINGLE: usize = 32;
/// Room of each for one datagram: more than any peer sends.
const MAX_DATAGRAM: usize = 2048;

/// A batch of datagrams that arrived.
pub(crate) struct Received {
    data: Box<[u8]>,
    about: [RecvMeta; SINGLE],
    datagrams: Vec<(SocketAddr, Range<usize>)>,
}

impl Default for Received {
    fn default() -> Self {
        Self {
            data: vec![0; BYTES].into_boxed_slice(),
            about: [RecvMeta::default(); SINGLE],
            datagrams: Vec::new(),
        }
    }
}

impl Received {
    pub(super) fn clear(&mut self) {
        self.datagrams.clear();
    }

    /// Takes a batch from `receive`, which fills buffers and tells about them. `joined`: each may
    /// hold many datagrams. True if buffers were left over.
    pub(super) fn fill(
        &mut self,
        joined: bool,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        let (count, size) = if joined {
            (JOINED, BYTES / JOINED)
        } else {
            (SINGLE, MAX_DATAGRAM)
        };
        let mut chunks = self.data.chunks_exact_mut(size);
        let mut buffers: [IoSliceMut<'_>; SINGLE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let filled = receive(&mut buffers[..count], &mut self.about[..count])?;
        for (index, about) in self.about.iter().take(filled).enumerate() {
            let base = index * size;
            let mut start = 0;
            while start < about.len {
                let end = (start + about.stride.max(1)).min(about.len);
                self.datagrams.push((about.addr, base + start..base + end));
                start = end;
            }
        }
        // Where the system takes one at a time, it does not tell that there is no more.
        Ok(cfg!(target_os = "linux") && filled < count)
    }

    /// Takes datagrams one by one from `receive`, until it fails or no more fit. An error only
    /// without any. True if it had no more.
    pub(super) fn fill_singly(
        &mut self,
        mut receive: impl FnMut(&mut [u8]) -> io::Result<(usize, SocketAddr)>,
    ) -> io::Result<bool> {
        for (index, room) in self
            .data
            .chunks_exact_mut(MAX_DATAGRAM)
            .take(SINGLE)
            .enumerate()
        {
            match receive(room) {
                Ok((len, from)) => {
                    let start = index * MAX_DATAGRAM;
                    self.datagrams.push((from, start..start + len));
                }
                Err(error) if self.datagrams.is_empty() => return Err(error),
                Err(error) => return Ok(error.kind() == io::ErrorKind::WouldBlock),
            }
        }
        Ok(false)
    }

    /// Each datagram with its sender, in the order of arrival.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.datagrams
            .iter()
            .filter_map(|(from, range)| Some((*from, self.data.get(range.clone())?)))
    }
}
