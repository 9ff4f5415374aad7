//! What a connection has to say.

use std::time::Instant;

use super::super::segment::flag;
use super::super::transmit::Transmit;
use super::{Connection, Opening, WINDOW_SCALE};

impl Connection {
    /// The next segment to send, if there is one. Write it by [`Connection::cut`] and ask again.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        if self.reset {
            self.reset = false;
            let sequence = self.sender.sequence(self.sender.nxt());
            let ack = self.receiver.acknowledgement();
            return Some(Transmit::bare(sequence, ack, flag::RST | flag::ACK, 0));
        }
        if self.end.is_some() {
            return None;
        }
        match self.opening {
            Opening::SynSent | Opening::SynReceived => self.poll_syn(now),
            Opening::Open => self.poll_open(now),
        }
    }

    fn poll_syn(&mut self, now: Instant) -> Option<Transmit> {
        if self.syn.due > now {
            return None;
        }
        self.syn.repeated = self.syn.sent.is_some();
        self.syn.sent = Some(now);
        self.syn.due = now + self.syn.wait;
        self.syn.wait = (self.syn.wait * 2).min(super::clock::MAX_SYN_WAIT);
        self.owed = 0;
        let window = u16::try_from(self.limits.receive_window).unwrap_or(u16::MAX);
        let syn = if self.opening == Opening::SynSent {
            let mut syn = Transmit::bare(self.first, 0, flag::SYN, window);
            syn.put_syn(true, Some(WINDOW_SCALE));
            syn
        } else {
            let ack = self.receiver.acknowledgement();
            let mut syn = Transmit::bare(self.first, ack, flag::SYN | flag::ACK, window);
            syn.put_syn(self.sack, self.peer_scale.map(|_| WINDOW_SCALE));
            syn
        };
        Some(syn)
    }

    fn poll_open(&mut self, now: Instant) -> Option<Transmit> {
        // A gap is told before data: a segment with data is no duplicate acknowledgement.
        if self.owed > 0 && self.receiver.has_gap() {
            return Some(self.acknowledgement());
        }
        if let Some(chunk) = self.sender.next(now) {
            self.waiting_since.get_or_insert(now);
            self.tighten_at.get_or_insert(now + super::clock::QUIET);
            let mut flags = flag::ACK;
            if chunk.fin {
                flags |= flag::FIN;
            }
            if chunk.push {
                flags |= flag::PSH;
            }
            let mut transmit = self.acknowledgement();
            self.owed = 0;
            transmit.flags = flags;
            transmit.sequence = self.sender.sequence(chunk.start);
            transmit.start = chunk.start;
            transmit.len = chunk.len;
            return Some(transmit);
        }
        if self.owed > 0 {
            return Some(self.acknowledgement());
        }
        if self.ask {
            self.ask = false;
            let mut ask = self.acknowledgement();
            ask.sequence = self
                .sender
                .sequence(self.sender.una().min(self.sender.nxt()) - 1);
            return Some(ask);
        }
        None
    }

    /// An acknowledgement of everything that came.
    fn acknowledgement(&mut self) -> Transmit {
        self.owed = self.owed.saturating_sub(1);
        self.delayed = None;
        let window = self.receiver.tell_window(self.sender.mss());
        let sequence = self.sender.sequence(self.sender.nxt());
        let ack = self.receiver.acknowledgement();
        let mut transmit = Transmit::bare(sequence, ack, flag::ACK, window);
        if self.sack && self.receiver.has_blocks() {
            transmit.put_sack(|put| self.receiver.blocks(put));
        }
        transmit
    }
}
