//! What is on the way: when each part was sent, what arrived, and what must be lost by now
//! (RACK, RFC 8985).
//!
//! One record stands for one outgoing segment, which may be dozens of packets. It is split only
//! when its parts meet different fates.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most records before new data waits for acknowledgements: a writer of single bytes shall not
/// cost more than a window of full packets.
pub(super) const MAX_RECORDS: usize = 4096;
/// Beyond this, a peer that acknowledges in snippets is listened to for whole records only.
const MAX_SPLIT: usize = 2 * MAX_RECORDS;
/// So much arrived behind a gap is proof enough on a path that never reordered, in packets.
const DUPLICATE_THRESHOLD: u64 = 3;
/// The reordering window grows up to so many quarters of a round trip.
const MAX_STEPS: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Flying,
    /// Acknowledged selectively.
    Arrived,
    /// To be sent again.
    Lost,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    start: u64,
    end: u64,
    sent: Instant,
    state: State,
    again: bool,
    /// Bytes that had arrived when this was sent.
    delivered: u64,
}

impl Record {
    fn len(&self) -> u64 {
        self.end - self.start
    }
}

/// The delivered segment that was sent last.
#[derive(Debug, Clone, Copy)]
struct Latest {
    sent: Instant,
    end: u64,
    rtt: Duration,
}

/// What an acknowledgement told.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Delivered {
    /// Bytes that were not known to have arrived before.
    pub(super) bytes: u64,
    /// Round trip of the segment that was sent last, if it was sent only once.
    pub(super) rtt: Option<Duration>,
    /// Bytes per second that arrived since the segment that was sent last was sent.
    pub(super) rate: Option<f64>,
    /// Something counted as lost arrived without being sent again.
    pub(super) revived: bool,
}

/// The segments on the way.
#[derive(Debug, Default)]
pub(super) struct Board {
    records: VecDeque<Record>,
    flying: u64,
    arrived: u64,
    lost: u64,
    /// Bytes that ever arrived.
    delivered: u64,
    latest: Option<Latest>,
    /// The end of the furthest segment that arrived.
    furthest: u64,
    reordered: bool,
    steps: u32,
}

impl Board {
    /// Bytes that are in the network, as far as is known.
    pub(super) fn flying(&self) -> u64 {
        self.flying
    }

    /// Bytes to be sent again.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Nothing is unacknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= MAX_RECORDS
    }

    /// Something arrived behind a gap.
    pub(super) fn has_gap(&self) -> bool {
        self.arrived > 0
    }

    /// New data was sent.
    pub(super) fn push(&mut self, start: u64, end: u64, now: Instant) {
        self.flying += end - start;
        // Small writes of one moment are one segment's worth.
        if let Some(last) = self.records.back_mut()
            && last.sent == now
            && last.end == start
            && last.state == State::Flying
            && !last.again
        {
            last.end = end;
            return;
        }
        self.records.push_back(Record {
            start,
            end,
            sent: now,
            state: State::Flying,
            again: false,
            delivered: self.delivered,
        });
    }

    /// The first part to send again, at most `max` bytes.
    pub(super) fn next_lost(&self, max: u64) -> Option<(u64, u64)> {
        if self.lost == 0 {
            return None;
        }
        let record = self
            .records
            .iter()
            .find(|record| record.state == State::Lost)?;
        Some((record.start, record.end.min(record.start + max)))
    }

    /// The last `max` bytes at most that are not known to have arrived.
    pub(super) fn last_open(&self, max: u64) -> Option<(u64, u64)> {
        let record = self
            .records
            .iter()
            .rev()
            .find(|record| record.state != State::Arrived)?;
        Some((record.start.max(record.end.saturating_sub(max)), record.end))
    }

    /// A part (of one record) was sent again.
    pub(super) fn resent(&mut self, start: u64, end: u64, now: Instant) {
        self.split(start);
        self.split(end);
        let at = self.records.partition_point(|record| record.end <= start);
        if let Some(record) = self.records.get_mut(at) {
            if record.state == State::Lost {
                self.lost -= record.len();
                self.flying += record.len();
            }
            record.state = State::Flying;
            record.sent = now;
            record.again = true;
            record.delivered = self.delivered;
        }
    }

    /// Splits the record around `at`, if there is one.
    fn split(&mut self, at: u64) {
        let index = self.records.partition_point(|record| record.end <= at);
        if let Some(record) = self.records.get_mut(index)
            && record.start < at
        {
            let mut first = *record;
            record.start = at;
            first.end = at;
            self.records.insert(index, first);
        }
    }

    /// Everything before `to`, and the blocks of `sack`, arrived.
    pub(super) fn acknowledge(
        &mut self,
        to: u64,
        sack: &[(u64, u64)],
        min_rtt: Option<Duration>,
        now: Instant,
    ) -> Delivered {
        let mut delivered = Delivered::default();
        let mut sampled = None;
        while let Some(record) = self.records.front_mut() {
            if record.start >= to {
                break;
            }
            let mut part = *record;
            if record.end > to {
                part.end = to;
                record.start = to;
            } else {
                self.records.pop_front();
            }
            self.note(part, min_rtt, now, &mut delivered, &mut sampled);
            match part.state {
                State::Flying => self.flying -= part.len(),
                State::Arrived => self.arrived -= part.len(),
                State::Lost => self.lost -= part.len(),
            }
        }
        for &(from, until) in sack {
            let from = from.max(to);
            if from >= until || self.records.len() >= MAX_SPLIT {
                continue;
            }
            self.split(from);
            self.split(until);
            let mut index = self.records.partition_point(|record| record.end <= from);
            while let Some(record) = self.records.get_mut(index)
                && record.end <= until
            {
                let before = *record;
                record.state = State::Arrived;
                match before.state {
                    State::Flying => self.flying -= before.len(),
                    State::Arrived => {
                        index += 1;
                        continue;
                    }
                    State::Lost => self.lost -= before.len(),
                }
                self.arrived += before.len();
                self.note(before, min_rtt, now, &mut delivered, &mut sampled);
                index += 1;
            }
        }
        self.delivered += delivered.bytes;
        delivered.rate = sampled.and_then(|(sent, before)| {
            let time = now.saturating_duration_since(sent).as_secs_f64();
            (time > 0.0).then(|| (self.delivered - before) as f64 / time)
        });
        delivered
    }

    /// Learns from a part that arrived, unless that was known.
    fn note(
        &mut self,
        part: Record,
        min_rtt: Option<Duration>,
        now: Instant,
        delivered: &mut Delivered,
        sampled: &mut Option<(Instant, u64)>,
    ) {
        if part.state == State::Arrived {
            return;
        }
        delivered.bytes += part.len();
        let rtt = now.saturating_duration_since(part.sent);
        if !part.again {
            if part.state == State::Lost {
                delivered.revived = true;
                self.reordered = true;
            }
            if part.end < self.furthest {
                self.reordered = true;
            }
            if sampled.is_none_or(|(sent, _)| part.sent >= sent) {
                *sampled = Some((part.sent, part.delivered));
                delivered.rtt = Some(rtt);
            }
        } else if min_rtt.is_some_and(|min| rtt < min) {
            // The answer to the first copy, not to the second.
            return;
        }
        self.furthest = self.furthest.max(part.end);
        let newer = self
            .latest
            .is_none_or(|latest| (part.sent, part.end) > (latest.sent, latest.end));
        if newer {
            self.latest = Some(Latest {
                sent: part.sent,
                end: part.end,
                rtt,
            });
        }
    }

    /// The peer got something twice: on this path, gaps must be given more time.
    pub(super) fn widen(&mut self) {
        self.reordered = true;
        self.steps = (self.steps + 1).min(MAX_STEPS);
    }

    /// Marks as lost what was sent long enough before something that arrived. Gives the bytes, and
    /// when to look again.
    pub(super) fn detect(
        &mut self,
        mss: u64,
        recovering: bool,
        min_rtt: Option<Duration>,
        smoothed: Option<Duration>,
        now: Instant,
    ) -> (u64, Option<Instant>) {
        let Some(latest) = self.latest else {
            return (0, None);
        };
        if !self.has_gap() && !recovering {
            return (0, None);
        }
        let sure = recovering || self.arrived >= DUPLICATE_THRESHOLD * mss;
        let window = if !self.reordered && sure {
            Duration::ZERO
        } else {
            let step = min_rtt.unwrap_or_default() / 4;
            (step * (self.steps + 1)).min(smoothed.unwrap_or_default())
        };
        let (mut lost, mut again) = (0, None);
        for record in &mut self.records {
            if record.state != State::Flying
                || (record.sent, record.end) >= (latest.sent, latest.end)
            {
                continue;
            }
            let due = record.sent + latest.rtt + window;
            if due <= now {
                record.state = State::Lost;
                lost += record.len();
            } else {
                again = again.max(Some(due));
            }
        }
        self.flying -= lost;
        self.lost += lost;
        (lost, again)
    }

    /// Nothing was heard for too long: everything that is not known to have arrived is lost.
    pub(super) fn lose_all(&mut self) {
        for record in &mut self.records {
            if record.state == State::Flying {
                record.state = State::Lost;
            }
        }
        self.lost += self.flying;
        self.flying = 0;
    }

    /// [`Board::lose_all`] was wrong: what was not sent again is still on its way.
    pub(super) fn revive(&mut self) {
        for record in &mut self.records {
            if record.state == State::Lost && !record.again {
                record.state = State::Flying;
                self.lost -= record.len();
                self.flying += record.len();
            }
        }
    }

    /// Gives memory back. Only for an empty board.
    pub(super) fn release(&mut self) {
        self.records = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn board(now: Instant) -> Board {
        let mut board = Board::default();
        board.push(0, 10_000, now);
        board.push(10_000, 20_000, now + MS);
        board
    }

    #[test]
    fn acknowledgements_split_and_count() {
        let now = Instant::now();
        let mut board = board(now);
        let got = board.acknowledge(4_000, &[(12_000, 13_000)], None, now + 11 * MS);
        assert_eq!((got.bytes, got.rtt), (5_000, Some(10 * MS)));
        assert_eq!((board.flying(), board.arrived), (15_000, 1_000));
        let again = board.acknowledge(4_000, &[(12_000, 13_000)], None, now + 12 * MS);
        assert_eq!(again, Delivered::default());
        let rest = board.acknowledge(20_000, &[], None, now + 13 * MS);
        assert_eq!(rest.bytes, 15_000);
        assert!(board.is_empty() && board.flying() == 0 && board.arrived == 0);
    }

    #[test]
    fn a_gap_is_lost_at_once_when_enough_came_behind_it() {
        let now = Instant::now();
        let mut board = board(now);
        board.acknowledge(4_000, &[(5_000, 9_000)], None, now + 10 * MS);
        let (lost, again) = board.detect(1_000, false, Some(10 * MS), Some(10 * MS), now + 10 * MS);
        assert_eq!((lost, again), (1_000, None));
        assert_eq!(board.next_lost(600), Some((4_000, 4_600)));
        board.resent(4_000, 4_600, now + 10 * MS);
        assert_eq!(board.next_lost(600), Some((4_600, 5_000)));
    }

    #[test]
    fn a_small_gap_waits_a_quarter_round_trip_and_reordering_makes_it_longer() {
        let now = Instant::now();
        let mut board = board(now);
        board.acknowledge(4_000, &[(5_000, 6_000)], None, now + 8 * MS);
        let (lost, again) = board.detect(1_000, false, Some(8 * MS), Some(8 * MS), now + 8 * MS);
        assert_eq!((lost, again), (0, Some(now + 10 * MS)));
        board.widen();
        let (_, again) = board.detect(1_000, false, Some(8 * MS), Some(8 * MS), now + 8 * MS);
        assert_eq!(again, Some(now + 12 * MS));
    }

    #[test]
    fn a_lost_repetition_is_noticed() {
        let now = Instant::now();
        let mut board = board(now);
        board.acknowledge(4_000, &[(5_000, 9_000)], None, now + 10 * MS);
        board.detect(1_000, false, Some(10 * MS), None, now + 10 * MS);
        board.resent(4_000, 5_000, now + 10 * MS);
        board.push(20_000, 21_000, now + 11 * MS);
        board.acknowledge(4_000, &[(20_000, 21_000)], Some(10 * MS), now + 21 * MS);
        let (lost, _) = board.detect(1_000, true, Some(10 * MS), None, now + 21 * MS);
        // The repetition, and everything else from before.
        assert_eq!(lost, 1_000 + 1_000 + 10_000);
    }

    #[test]
    fn a_needless_timeout_is_undone() {
        let now = Instant::now();
        let mut board = board(now);
        board.lose_all();
        assert_eq!((board.flying(), board.lost()), (0, 20_000));
        board.resent(0, 1_000, now + 100 * MS);
        let got = board.acknowledge(10_000, &[], None, now + 101 * MS);
        assert!(got.revived);
        board.revive();
        assert_eq!((board.flying(), board.lost()), (10_000, 0));
    }
}
