//! The receiving half: puts segments in order and tells what arrived and how much more may come.
//!
//! Positions count from the peer's SYN, which is 0; its first byte is 1. They never wrap.

use super::ring::Ring;

/// Ranges that arrived out of order and wait for what is before them. A segment that would make
/// more is dropped: its sender repeats it.
const MAX_RANGES: usize = 256;
/// Blocks of which the last reports are remembered.
const RECENT: usize = 3;
/// Buffers above this are given back when the connection is quiet and everything was read.
pub(super) const KEEP: usize = 4 << 10;

/// What a segment did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It continued what was there.
    InOrder,
    /// There is a gap before it.
    Early,
    /// Nothing of it was new, or it did not fit.
    Useless,
}

/// The receiving half.
#[derive(Debug)]
pub(super) struct Receiver {
    first: u32,
    nxt: u64,
    read: u64,
    ring: Ring,
    ranges: Vec<(u64, u64)>,
    fin: Option<u64>,
    /// The right edge of the window that the peer was told.
    told: u64,
    limit: u64,
    scale: u8,
    /// Starts of the ranges that changed last, the latest first.
    recent: [Option<u64>; RECENT],
    duplicate: Option<(u64, u64)>,
}

impl Receiver {
    /// The peer's SYN had the sequence number `first`. `limit` bytes may wait to be read; windows
    /// are told shifted by `scale`.
    pub(super) fn new(first: u32, limit: usize, scale: u8) -> Self {
        Self {
            first,
            nxt: 1,
            read: 1,
            ring: Ring::default(),
            ranges: Vec::new(),
            fin: None,
            // A SYN told at most so much: its windows are not scaled.
            told: 1 + limit.min(usize::from(u16::MAX)) as u64,
            limit: limit as u64,
            scale,
            recent: [None; RECENT],
            duplicate: None,
        }
    }

    /// The position of a sequence number near the window; `None` before the SYN.
    pub(super) fn position(&self, sequence: u32) -> Option<u64> {
        let near = self.first.wrapping_add(self.nxt as u32);
        let delta = sequence.wrapping_sub(near).cast_signed();
        self.nxt.checked_add_signed(i64::from(delta))
    }

    fn sequence(&self, position: u64) -> u32 {
        self.first.wrapping_add(position as u32)
    }

    /// The next expected position.
    pub(super) fn nxt(&self) -> u64 {
        self.nxt
    }

    /// The acknowledgement to send.
    pub(super) fn acknowledgement(&self) -> u32 {
        self.sequence(self.nxt)
    }

    /// The right edge of the window that the peer may use.
    pub(super) fn edge(&self) -> u64 {
        self.told.max(self.nxt)
    }

    /// Bytes that can be read.
    pub(super) fn unread(&self) -> usize {
        let end = self.fin.map_or(self.nxt, |fin| self.nxt.min(fin));
        (end - self.read) as usize
    }

    /// The peer's FIN and everything before it arrived.
    pub(super) fn is_ended(&self) -> bool {
        self.fin.is_some_and(|fin| self.nxt > fin)
    }

    /// Something is missing before what arrived.
    pub(super) fn has_gap(&self) -> bool {
        !self.ranges.is_empty()
    }

    /// Takes a segment that overlaps the window or is older.
    pub(super) fn accept(&mut self, start: u64, payload: &[u8], fin: bool) -> Arrival {
        let end = start + payload.len() as u64;
        let edge = self.edge();
        let fits = self.nxt <= end && end <= edge;
        if fin && fits && self.fin.is_none() && !self.ranges.iter().any(|r| r.1 > end) {
            self.fin = Some(end);
        }
        let last = self.fin.unwrap_or(edge).min(edge);
        let (from, until) = (start.max(self.nxt), end.min(last));
        if start < self.nxt && end > start {
            // Told to a sender that repeats what had arrived (RFC 2883).
            self.repeat(start, end.min(self.nxt));
        }
        if from > until || (from == until && from != self.nxt) {
            return Arrival::Useless;
        }
        let before = self.nxt;
        if from < until {
            let early = from > self.nxt;
            if early && !self.insert(from, until) {
                return Arrival::Useless;
            }
            let (skip, len) = ((from - start) as usize, (until - from) as usize);
            self.ring
                .write((from - self.read) as usize, &payload[skip..skip + len]);
            if early {
                return Arrival::Early;
            }
            self.nxt = until;
            self.join();
        }
        if self.fin == Some(self.nxt) {
            self.nxt += 1;
            self.ranges.clear();
        }
        if self.nxt > before {
            Arrival::InOrder
        } else {
            Arrival::Useless
        }
    }

    /// What came early and is now in order.
    fn join(&mut self) {
        let nxt = &mut self.nxt;
        let joined = self
            .ranges
            .iter()
            .take_while(|(from, until)| {
                let touches = from <= nxt;
                if touches {
                    *nxt = (*nxt).max(*until);
                }
                touches
            })
            .count();
        self.ranges.drain(..joined);
    }

    /// Notes a range beyond a gap; false if there are too many.
    fn insert(&mut self, from: u64, until: u64) -> bool {
        // Ranges that it touches become one with it.
        let first = self.ranges.partition_point(|range| range.1 < from);
        let last = self.ranges.partition_point(|range| range.0 <= until);
        let (mut start, mut end) = (from, until);
        if first < last {
            if self.ranges[first].0 <= from && until <= self.ranges[first].1 {
                self.repeat(from, until);
            }
            start = start.min(self.ranges[first].0);
            end = end.max(self.ranges[last - 1].1);
            self.ranges.drain(first + 1..last);
            self.ranges[first] = (start, end);
        } else if self.ranges.len() >= MAX_RANGES {
            return false;
        } else {
            self.ranges.insert(first, (start, end));
        }
        self.report(start);
        true
    }

    /// Notes what came twice; what follows on the last such part makes one block with it.
    fn repeat(&mut self, from: u64, until: u64) {
        self.duplicate = match self.duplicate {
            Some((start, end)) if end == from => Some((start, until)),
            _ => Some((from, until)),
        };
    }

    fn report(&mut self, start: u64) {
        let at = self
            .recent
            .iter()
            .position(|known| *known == Some(start))
            .unwrap_or(RECENT - 1);
        self.recent[..=at].rotate_right(1);
        self.recent[0] = Some(start);
    }

    /// The blocks for the next acknowledgement: a duplicate first, then what changed last.
    pub(super) fn blocks(&mut self, mut put: impl FnMut(u32, u32)) {
        let duplicate = self.duplicate.take();
        if let Some((from, until)) = duplicate {
            put(self.sequence(from), self.sequence(until));
        }
        if self.ranges.is_empty() {
            return;
        }
        let mut told = [(0, 0); RECENT];
        let mut count = 0;
        for start in self.recent.iter().flatten() {
            let at = self.ranges.partition_point(|range| range.1 <= *start);
            let Some(&range) = self.ranges.get(at) else {
                continue;
            };
            if range.0 <= *start && !told[..count].contains(&range) {
                told[count] = range;
                count += 1;
                put(self.sequence(range.0), self.sequence(range.1));
            }
        }
    }

    /// True if the next acknowledgement must carry blocks.
    pub(super) fn has_blocks(&self) -> bool {
        self.has_gap() || self.duplicate.is_some()
    }

    /// The window to tell, and takes it as told.
    pub(super) fn tell_window(&mut self, mss: u64) -> u16 {
        let free = self.read + self.limit;
        // Small steps would make the peer send small segments.
        if free >= self.told + mss.min(self.limit / 2) {
            self.told = free;
        }
        let units = (self.edge() - self.nxt) >> self.scale;
        u16::try_from(units).unwrap_or(u16::MAX)
    }

    /// True if the peer should be told that there is room again.
    pub(super) fn owes_window(&self) -> bool {
        let left = self.edge() - self.nxt;
        let free = self.read + self.limit;
        left < self.limit / 2 && free >= self.told + self.limit / 4
    }

    /// Changes how much may wait to be read. What was told stays.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit as u64;
    }

    /// Gives what can be read to `put`, at most `most` bytes.
    pub(super) fn read(&mut self, most: usize, put: &mut dyn FnMut(&[u8])) -> usize {
        let len = self.unread().min(most);
        let (a, b) = self.ring.slices(0, len);
        for part in [a, b] {
            if !part.is_empty() {
                put(part);
            }
        }
        self.ring.advance(len);
        self.read += len as u64;
        len
    }

    /// True if memory is held for nothing.
    pub(super) fn is_loose(&self) -> bool {
        self.unread() == 0 && self.ranges.is_empty() && self.ring.capacity() > KEEP
    }

    /// Gives memory back, if nothing is in it.
    pub(super) fn tighten(&mut self) {
        if self.is_loose() {
            self.ring.release();
            self.ranges = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver() -> Receiver {
        let mut receiver = Receiver::new(u32::MAX - 5, 1000, 0);
        receiver.tell_window(10);
        receiver
    }

    fn taken(receiver: &mut Receiver, most: usize) -> Vec<u8> {
        let mut got = Vec::new();
        let len = receiver.read(most, &mut |part| got.extend_from_slice(part));
        assert_eq!(len, got.len());
        got
    }

    fn blocks(receiver: &mut Receiver) -> Vec<(u64, u64)> {
        let mut blocks = Vec::new();
        let first = receiver.first;
        receiver.blocks(|from, until| {
            blocks.push((
                u64::from(from.wrapping_sub(first)),
                u64::from(until.wrapping_sub(first)),
            ));
        });
        blocks
    }

    #[test]
    fn order_gaps_and_blocks() {
        let mut r = receiver();
        assert_eq!(r.accept(1, b"ab", false), Arrival::InOrder);
        assert_eq!(r.accept(5, b"ef", false), Arrival::Early);
        assert_eq!(r.accept(9, b"ij", false), Arrival::Early);
        assert_eq!(blocks(&mut r), [(9, 11), (5, 7)]);
        assert_eq!(r.accept(5, b"ef", false), Arrival::Early);
        assert_eq!(blocks(&mut r), [(5, 7), (5, 7), (9, 11)]);
        assert_eq!(r.accept(2, b"bcd", false), Arrival::InOrder);
        assert_eq!(blocks(&mut r), [(2, 3), (9, 11)]);
        assert_eq!(taken(&mut r, 20), b"abcdef");
        assert_eq!(r.accept(7, b"ghij", true), Arrival::InOrder);
        assert!(r.is_ended() && r.nxt() == 12);
        assert_eq!(taken(&mut r, 20), b"ghij");
    }

    #[test]
    fn sequence_numbers_wrap() {
        let r = receiver();
        assert_eq!(r.position(u32::MAX - 4), Some(1));
        assert_eq!(r.position(4), Some(10));
        assert_eq!(r.position(u32::MAX - 5), Some(0));
        assert_eq!(r.position(u32::MAX - 6), None);
        assert_eq!(r.sequence(10), 4);
    }

    #[test]
    fn nothing_beyond_the_window_and_no_shrinking() {
        let mut r = receiver();
        assert_eq!(r.accept(900, &[1; 500], true), Arrival::Early);
        assert_eq!(blocks(&mut r), [(900, 1001)]);
        assert!(r.fin.is_none());
        r.accept(1, &[2; 899], false);
        assert_eq!(r.unread(), 1000);
        r.set_limit(10);
        assert_eq!(r.tell_window(10), 0);
        assert!(!r.owes_window());
        taken(&mut r, 995);
        assert_eq!(r.tell_window(10), 5);
    }

    #[test]
    fn ranges_are_bounded() {
        let mut r = Receiver::new(0, 100_000, 0);
        r.tell_window(1);
        for n in 0..MAX_RANGES as u64 {
            assert_eq!(r.accept(10 + n * 10, b"x", false), Arrival::Early);
        }
        assert_eq!(r.accept(9000, b"x", false), Arrival::Useless);
        assert_eq!(r.accept(11, b"x", false), Arrival::Early);
    }

    #[test]
    fn a_fin_before_data_that_arrived_is_a_lie() {
        let mut r = receiver();
        r.accept(50, b"data", false);
        r.accept(20, b"", true);
        assert!(r.fin.is_none());
        let mut r = receiver();
        r.accept(1, b"data", false);
        r.accept(1, b"da", true);
        assert!(r.fin.is_none() && r.unread() == 4);
    }

    #[test]
    fn memory_is_given_back() {
        let mut r = Receiver::new(0, 100_000, 0);
        r.tell_window(1);
        r.accept(1, &[1; 20_000], false);
        assert!(!r.is_loose());
        taken(&mut r, 20_000);
        assert!(r.is_loose());
        r.tighten();
        assert_eq!(r.ring.capacity(), 0);
    }
}
