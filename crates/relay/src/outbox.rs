//! What waits to be written to one client.
//!
//! Three classes: control frames, path-discovery packets and other packets. Within a class of
//! packets the sources take turns, and when the class is full the longest source loses its oldest
//! packet: one busy sender cannot starve the others.

use std::collections::{HashMap, VecDeque};

use tunnel_proto::key::NodePublic;

/// Packets of one class that may wait; as the original's relay.
const MAX_PACKETS: usize = 512;
/// Control frames that may wait; those beyond are of no use to a client that does not read.
const MAX_CONTROL: usize = 256;

/// Packets of one class.
#[derive(Default)]
struct Packets {
    by_source: HashMap<NodePublic, VecDeque<Vec<u8>>>,
    /// Sources that have packets, in the order of their turns.
    turns: VecDeque<NodePublic>,
    count: usize,
}

impl Packets {
    /// Queues a packet; false if another was dropped for it.
    fn push(&mut self, source: NodePublic, frame: Vec<u8>) -> bool {
        let full = self.count >= MAX_PACKETS;
        if full {
            self.drop_one();
        }
        let queue = self.by_source.entry(source).or_default();
        if queue.is_empty() {
            self.turns.push_back(source);
        }
        queue.push_back(frame);
        self.count += 1;
        !full
    }

    fn drop_one(&mut self) {
        let longest = self.by_source.iter().max_by_key(|(_, queue)| queue.len());
        let Some(source) = longest.map(|(source, _)| *source) else {
            return;
        };
        if let Some(queue) = self.by_source.get_mut(&source) {
            queue.pop_front();
            self.count -= 1;
            if queue.is_empty() {
                self.by_source.remove(&source);
                self.turns.retain(|turn| *turn != source);
            }
        }
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let source = self.turns.pop_front()?;
        let queue = self.by_source.get_mut(&source)?;
        let frame = queue.pop_front()?;
        self.count -= 1;
        if queue.is_empty() {
            self.by_source.remove(&source);
        } else {
            self.turns.push_back(source);
        }
        Some(frame)
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

    /// Queues a packet; false if another was dropped for it.
    pub(crate) fn push_packet(&mut self, source: NodePublic, disco: bool, frame: Vec<u8>) -> bool {
        let class = if disco {
            &mut self.disco
        } else {
            &mut self.data
        };
        class.push(source, frame)
    }

    /// Takes frames into `batch` until it holds `size` bytes or nothing waits.
    pub(crate) fn take(&mut self, batch: &mut Vec<u8>, size: usize) {
        while batch.len() < size {
            let Some(frame) = self.next() else {
                return;
            };
            batch.extend_from_slice(&frame);
        }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(frame) = self.control.pop_front() {
            return Some(frame);
        }
        self.disco_next = !self.disco_next;
        let (first, second) = if self.disco_next {
            (&mut self.disco, &mut self.data)
        } else {
            (&mut self.data, &mut self.disco)
        };
        first.pop().or_else(|| second.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> NodePublic {
        NodePublic([n; 32])
    }

    fn drain(outbox: &mut Outbox) -> Vec<u8> {
        let mut batch = Vec::new();
        outbox.take(&mut batch, usize::MAX);
        batch
    }

    #[test]
    fn sources_take_turns_and_keep_their_order() {
        let mut outbox = Outbox::default();
        for n in 0..4 {
            outbox.push_packet(key(1), false, vec![10 + n]);
        }
        outbox.push_packet(key(2), false, vec![20]);
        outbox.push_packet(key(2), false, vec![21]);
        assert_eq!(drain(&mut outbox), [10, 20, 11, 21, 12, 13]);
    }

    #[test]
    fn a_full_class_drops_the_oldest_of_the_busiest_source() {
        let mut outbox = Outbox::default();
        outbox.push_packet(key(2), false, vec![99]);
        for n in 0..MAX_PACKETS - 1 {
            assert!(outbox.push_packet(key(1), false, vec![n as u8]));
        }
        assert!(!outbox.push_packet(key(1), false, vec![7]));
        let all = drain(&mut outbox);
        assert_eq!(all.len(), MAX_PACKETS);
        // The lone packet of the quiet source is there; the busy one lost its first.
        assert_eq!(all[..3], [99, 1, 2]);
    }

    #[test]
    fn control_goes_first_and_is_bounded_and_classes_alternate() {
        let mut outbox = Outbox::default();
        for _ in 0..3 {
            outbox.push_packet(key(1), true, vec![1]);
            outbox.push_packet(key(1), false, vec![2]);
        }
        for _ in 0..MAX_CONTROL * 2 {
            outbox.push_control(vec![0]);
        }
        let all = drain(&mut outbox);
        assert!(all[..MAX_CONTROL].iter().all(|n| *n == 0));
        assert_eq!(all[MAX_CONTROL..], [1, 2, 1, 2, 1, 2]);
    }
}
