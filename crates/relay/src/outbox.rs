//! What waits to be written to one client.
//!
//! Three classes: control frames, path-discovery packets and other packets. Within a class of
//! packets the sources take turns, and when the class is full the longest source loses its oldest
//! packets: one busy sender cannot starve the others. A source's frames lie back to back, as they
//! will be written: nothing is allocated for a packet.

use std::collections::{HashMap, VecDeque};

use tunnel_proto::derp;
use tunnel_proto::key::NodePublic;

/// Packets of one class that may wait; as the original's relay.
const MAX_PACKETS: usize = 512;
/// Bytes of one class that may wait: as many packets of the tunnel. Larger packets are possible,
/// and shall not cost more memory.
const MAX_BYTES: usize = MAX_PACKETS * 1400;
/// Control frames that may wait; those beyond are of no use to a client that does not read.
const MAX_CONTROL: usize = 256;
/// Bytes of one source before the next has its turn: a few packets, so that a short message does
/// not wait for long behind a bundle.
const TURN: usize = 8 << 10;
/// An emptied source's buffer is kept for the next one, if it is not larger.
const MAX_SPARE: usize = 256 << 10;

/// Frames of one source.
#[derive(Default)]
struct Source {
    bytes: VecDeque<u8>,
    lens: VecDeque<usize>,
}

impl Source {
    fn push(&mut self, source: &NodePublic, packet: &[u8]) -> usize {
        let head = derp::recv_packet_head(source, packet.len());
        self.bytes.extend(&head);
        self.bytes.extend(packet);
        let len = head.len() + packet.len();
        self.lens.push_back(len);
        len
    }

    /// Drops the oldest frame; its length.
    fn drop_one(&mut self) -> usize {
        let len = self.lens.pop_front().unwrap_or(0);
        self.bytes.drain(..len);
        len
    }

    /// Moves frames to `batch` until `limit` bytes are reached; how many frames and bytes.
    fn take(&mut self, batch: &mut Vec<u8>, limit: usize) -> (usize, usize) {
        let (mut count, mut len) = (0, 0);
        while len < limit
            && let Some(next) = self.lens.pop_front()
        {
            len += next;
            count += 1;
        }
        let (a, b) = self.bytes.as_slices();
        let first = len.min(a.len());
        batch.extend_from_slice(&a[..first]);
        batch.extend_from_slice(&b[..len - first]);
        self.bytes.drain(..len);
        (count, len)
    }
}

/// Packets of one class.
#[derive(Default)]
struct Packets {
    by_source: HashMap<NodePublic, Source>,
    /// Sources that have packets, in the order of their turns.
    turns: VecDeque<NodePublic>,
    count: usize,
    bytes: usize,
    spare: Option<Source>,
}

impl Packets {
    /// Queues packets; how many others were dropped for them.
    fn push<'p>(&mut self, source: NodePublic, packets: impl Iterator<Item = &'p [u8]>) -> usize {
        let mut dropped = 0;
        let mut queue = self.by_source.remove(&source);
        for packet in packets {
            while self.count >= MAX_PACKETS || self.bytes + packet.len() > MAX_BYTES {
                // The busiest loses, which may be this one.
                let ours = queue.as_ref().map_or(0, |queue| queue.lens.len());
                if !self.drop_one(ours) {
                    let Some(queue) = &mut queue else { break };
                    self.bytes -= queue.drop_one();
                    self.count -= 1;
                }
                dropped += 1;
            }
            let queue = queue.get_or_insert_with(|| {
                self.turns.push_back(source);
                self.spare.take().unwrap_or_default()
            });
            self.bytes += queue.push(&source, packet);
            self.count += 1;
        }
        if let Some(queue) = queue {
            self.by_source.insert(source, queue);
        }
        dropped
    }

    /// Drops the oldest packet of the longest source with more than `least`; false without one.
    fn drop_one(&mut self, least: usize) -> bool {
        let longest = self
            .by_source
            .iter_mut()
            .max_by_key(|(_, queue)| queue.lens.len())
            .filter(|(_, queue)| queue.lens.len() > least);
        let Some((&source, queue)) = longest else {
            return false;
        };
        self.bytes -= queue.drop_one();
        self.count -= 1;
        if queue.lens.is_empty() {
            self.by_source.remove(&source);
            self.turns.retain(|turn| *turn != source);
        }
        true
    }

    /// Takes one source's turn; false without any.
    fn take(&mut self, batch: &mut Vec<u8>, limit: usize) -> bool {
        let Some(source) = self.turns.pop_front() else {
            return false;
        };
        let Some(queue) = self.by_source.get_mut(&source) else {
            return true;
        };
        let (count, len) = queue.take(batch, limit.min(TURN));
        self.count -= count;
        self.bytes -= len;
        if !queue.lens.is_empty() {
            self.turns.push_back(source);
        } else if let Some(queue) = self.by_source.remove(&source)
            && queue.bytes.capacity() <= MAX_SPARE
        {
            self.spare = Some(queue);
        }
        true
    }
}

/// The queues of one client.
#[derive(Default)]
pub(crate) struct Outbox {
    control: VecDeque<Vec<u8>>,
    disco: Packets,
    data: Packets,
    disco_next: bool,
}

impl Outbox {
    /// Queues a control frame, unless too many wait.
    pub(crate) fn push_control(&mut self, frame: Vec<u8>) {
        if self.control.len() < MAX_CONTROL {
            self.control.push_back(frame);
        }
    }

    /// Queues packets of one source; how many others were dropped for them.
    pub(crate) fn push_packets<'p>(
        &mut self,
        source: NodePublic,
        disco: bool,
        packets: impl Iterator<Item = &'p [u8]>,
    ) -> usize {
        let class = if disco {
            &mut self.disco
        } else {
            &mut self.data
        };
        class.push(source, packets)
    }

    /// Takes frames into `batch` until it holds about `size` bytes or nothing waits.
    pub(crate) fn take(&mut self, batch: &mut Vec<u8>, size: usize) {
        while batch.len() < size {
            if let Some(frame) = self.control.pop_front() {
                batch.extend_from_slice(&frame);
                continue;
            }
            self.disco_next = !self.disco_next;
            let (first, second) = if self.disco_next {
                (&mut self.disco, &mut self.data)
            } else {
                (&mut self.data, &mut self.disco)
            };
            let room = size - batch.len();
            if !first.take(batch, room) && !second.take(batch, room) {
                return;
            }
        }
    }

    /// Nearly full: senders should wait.
    pub(crate) fn is_high(&self) -> bool {
        self.data.count >= MAX_PACKETS * 3 / 4 || self.data.bytes >= MAX_BYTES * 3 / 4
    }

    /// Senders may go on.
    pub(crate) fn is_low(&self) -> bool {
        self.data.count <= MAX_PACKETS / 2 && self.data.bytes <= MAX_BYTES / 2
    }

    /// Nothing was there to take: buffers of a busy moment are given back.
    pub(crate) fn tighten(&mut self) {
        self.disco.spare = None;
        self.data.spare = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: usize = derp::HEADER_LEN + 32;

    fn key(n: u8) -> NodePublic {
        NodePublic([n; 32])
    }

    fn push(outbox: &mut Outbox, source: u8, disco: bool, packet: &[u8]) -> usize {
        outbox.push_packets(key(source), disco, std::iter::once(packet))
    }

    /// Everything, as (source, packet); control frames with source 0.
    fn drain(outbox: &mut Outbox) -> Vec<(u8, Vec<u8>)> {
        let mut batch = Vec::new();
        outbox.take(&mut batch, usize::MAX);
        let (mut rest, mut all) = (batch.as_slice(), Vec::new());
        while let Some(&kind) = rest.first() {
            let len = u32::from_be_bytes([rest[1], rest[2], rest[3], rest[4]]) as usize;
            let body = &rest[derp::HEADER_LEN..derp::HEADER_LEN + len];
            all.push(if kind == derp::kind::RECV_PACKET {
                (body[0], body[32..].to_vec())
            } else {
                (0, body.to_vec())
            });
            rest = &rest[derp::HEADER_LEN + len..];
        }
        all
    }

    #[test]
    fn sources_take_turns_and_keep_their_order() {
        let mut outbox = Outbox::default();
        let large = |n| vec![n; TURN];
        for n in 0..3 {
            push(&mut outbox, 1, false, &large(n));
        }
        push(&mut outbox, 2, false, &[20]);
        push(&mut outbox, 2, false, &[21]);
        let order: Vec<(u8, u8)> = drain(&mut outbox).iter().map(|(s, p)| (*s, p[0])).collect();
        assert_eq!(order, [(1, 0), (2, 20), (2, 21), (1, 1), (1, 2)]);
        assert_eq!((outbox.data.count, outbox.data.bytes), (0, 0));
    }

    #[test]
    fn a_full_class_drops_the_oldest_of_the_busiest_source() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 2, false, &[99]);
        for n in 0..MAX_PACKETS - 1 {
            assert_eq!(push(&mut outbox, 1, false, &[n as u8]), 0);
        }
        assert_eq!(push(&mut outbox, 1, false, &[7]), 1);
        let all = drain(&mut outbox);
        assert_eq!(all.len(), MAX_PACKETS);
        // The lone packet of the quiet source is there; the busy one lost its first.
        assert_eq!(all[0], (2, vec![99]));
        assert_eq!(all[1], (1, vec![1]));
    }

    #[test]
    fn large_packets_are_bounded_by_their_bytes() {
        let mut outbox = Outbox::default();
        let large = vec![1; derp::MAX_PACKET_LEN];
        for _ in 0..100 {
            push(&mut outbox, 1, false, &large);
            push(&mut outbox, 2, false, &large);
            assert!(outbox.data.bytes <= MAX_BYTES + HEAD);
        }
        // A quiet source still gets through.
        push(&mut outbox, 3, false, &[3]);
        assert!(drain(&mut outbox).contains(&(3, vec![3])));
    }

    #[test]
    fn control_goes_first_and_is_bounded_and_classes_alternate() {
        let mut outbox = Outbox::default();
        for n in 0..3 {
            push(&mut outbox, 1, true, &vec![n; TURN]);
            push(&mut outbox, 1, false, &vec![10 + n; TURN]);
        }
        for _ in 0..MAX_CONTROL * 2 {
            let mut frame = Vec::new();
            derp::keep_alive(&mut frame);
            outbox.push_control(frame);
        }
        let all = drain(&mut outbox);
        assert!(all[..MAX_CONTROL].iter().all(|(source, _)| *source == 0));
        let order: Vec<u8> = all[MAX_CONTROL..].iter().map(|(_, p)| p[0]).collect();
        assert_eq!(order, [0, 10, 1, 11, 2, 12]);
    }
}
