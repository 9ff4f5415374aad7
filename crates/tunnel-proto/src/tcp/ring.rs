//! A byte ring that grows when it must and gives memory back when it is empty.

/// First size. Grown by doubling.
const MIN_CAPACITY: usize = 1 << 10;

/// Bytes at offsets from a moving front. Which offsets hold data is the owner's knowledge.
#[derive(Default)]
pub(super) struct Ring {
    /// Its length is a power of two, or 0.
    bytes: Vec<u8>,
    front: usize,
}

impl std::fmt::Debug for Ring {
    /// What people sent is nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ring({})", self.bytes.len())
    }
}

impl Ring {
    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Copies `data` to `offset`, growing the ring if needed.
    pub(super) fn write(&mut self, offset: usize, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let needed = offset + data.len();
        if needed > self.bytes.len() {
            self.grow(needed);
        }
        let start = (self.front + offset) & (self.bytes.len() - 1);
        let first = data.len().min(self.bytes.len() - start);
        self.bytes[start..start + first].copy_from_slice(&data[..first]);
        self.bytes[..data.len() - first].copy_from_slice(&data[first..]);
    }

    /// The `len` bytes at `offset`, in two parts. They must lie within what was written.
    pub(super) fn slices(&self, offset: usize, len: usize) -> (&[u8], &[u8]) {
        if len == 0 {
            return (&[], &[]);
        }
        let start = (self.front + offset) & (self.bytes.len() - 1);
        let first = len.min(self.bytes.len() - start);
        (
            &self.bytes[start..start + first],
            &self.bytes[..len - first],
        )
    }

    /// Moves the front by `len`: what was before it is gone.
    pub(super) fn advance(&mut self, len: usize) {
        if let Some(mask) = self.bytes.len().checked_sub(1) {
            self.front = (self.front + len) & mask;
        }
    }

    /// Gives the memory back. Only for a ring without data.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }

    fn grow(&mut self, needed: usize) {
        let mut bytes = vec![0; needed.next_power_of_two().max(MIN_CAPACITY)];
        let (late, early) = (&self.bytes[self.front..], &self.bytes[..self.front]);
        bytes[..late.len()].copy_from_slice(late);
        bytes[late.len()..self.bytes.len()].copy_from_slice(early);
        self.bytes = bytes;
        self.front = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(ring: &Ring, offset: usize, len: usize) -> Vec<u8> {
        let (a, b) = ring.slices(offset, len);
        [a, b].concat()
    }

    #[test]
    fn keeps_bytes_through_wrapping_and_growth() {
        let mut ring = Ring::default();
        let (mut written, mut taken, mut model) = (0u32, 0usize, Vec::new());
        for step in 0..2000usize {
            let data: Vec<u8> = (0..step * 7 % 900).map(|n| (n + step) as u8).collect();
            ring.write(written as usize - taken, &data);
            written += data.len() as u32;
            model.extend_from_slice(&data);
            let held = written as usize - taken;
            let take = (step * 13 % 850).min(held);
            assert_eq!(read(&ring, 0, take), model[taken..taken + take]);
            ring.advance(take);
            taken += take;
        }
        assert!(taken > 500_000 && ring.capacity() < 1 << 20);
    }

    #[test]
    fn data_beyond_a_gap_stays_while_the_gap_is_filled() {
        let mut ring = Ring::default();
        ring.write(10, b"later");
        ring.write(20_000, b"much later");
        ring.write(0, b"0123456789");
        assert_eq!(read(&ring, 0, 15), b"0123456789later");
        ring.advance(15);
        assert_eq!(read(&ring, 20_000 - 15, 10), b"much later");
        ring.release();
        assert_eq!(ring.capacity(), 0);
    }
}
