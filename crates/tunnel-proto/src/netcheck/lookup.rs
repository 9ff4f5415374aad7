//! One round of questions to STUN servers.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::RngCore;

use super::Report;
use crate::stun::{self, TransactionId};

/// A request without an answer is repeated after so long, each time counted from the start.
const REPEAT_AT: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(450)];
/// A round takes at most this.
const TIMEOUT: Duration = Duration::from_millis(1500);
/// After the first answer of a family, the others of that family get so long.
const GRACE: Duration = Duration::from_millis(120);
/// Most servers asked of each family: two tell whether the translation depends on the server, more
/// are for those that do not answer.
const MAX_SERVERS: usize = 5;
/// Most requests to one server.
const MAX_TRIES: usize = 1 + REPEAT_AT.len();

/// A server to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StunServer {
    /// Its region.
    pub region: u16,
    /// Its address.
    pub address: SocketAddr,
}

/// What a server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The server.
    pub server: StunServer,
    /// Our address as it saw it.
    pub seen: SocketAddr,
    /// Time there and back.
    pub latency: Duration,
}

#[derive(Debug)]
struct Question {
    server: StunServer,
    /// Each try with its time.
    tries: Vec<(TransactionId, Instant)>,
    answered: bool,
}

/// A round in progress, or over.
#[derive(Debug)]
pub struct Lookup {
    started: Instant,
    questions: Vec<Question>,
    answers: Vec<Answer>,
    /// When the first answer of IPv4 and of IPv6 came.
    first: [Option<Instant>; 2],
    hairpin: Hairpin,
    outbox: Vec<(SocketAddr, Vec<u8>)>,
    /// When it was last looked whether the round is over.
    settled: Instant,
    finished: bool,
}

/// The question whether our own address, as seen from outside, leads back to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hairpin {
    NotAsked,
    Wanted,
    Asked(TransactionId),
    Answered,
}

impl Lookup {
    /// Begins to ask `servers`; with `hairpin` also whether the translation leads back, which takes
    /// the whole time if it does not.
    pub fn new(
        servers: impl IntoIterator<Item = StunServer>,
        hairpin: bool,
        now: Instant,
        rng: &mut dyn RngCore,
    ) -> Self {
        let mut lookup = Self {
            started: now,
            questions: Vec::new(),
            answers: Vec::new(),
            first: [None; 2],
            hairpin: if hairpin {
                Hairpin::Wanted
            } else {
                Hairpin::NotAsked
            },
            outbox: Vec::new(),
            settled: now,
            finished: false,
        };
        for server in servers {
            let family = server.address.is_ipv6();
            let same = lookup
                .questions
                .iter()
                .filter(|asked| asked.server.address.is_ipv6() == family);
            if same.count() < MAX_SERVERS {
                lookup.questions.push(Question {
                    server,
                    tries: Vec::new(),
                    answered: false,
                });
            }
        }
        lookup.handle_timeout(now, rng);
        lookup
    }

    /// True when nothing more is worth waiting for.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Takes the requests that are to be sent.
    pub fn take_transmits(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.outbox)
    }

    /// Takes a STUN message from the socket. True if it belongs to this round.
    pub fn receive(&mut self, datagram: &[u8], now: Instant, rng: &mut dyn RngCore) -> bool {
        if let Some(transaction) = stun::parse_request(datagram) {
            // Our own request, back by the translation.
            let ours = self.hairpin == Hairpin::Asked(transaction);
            if ours {
                self.hairpin = Hairpin::Answered;
                self.settle(now);
            }
            return ours;
        }
        let Some((transaction, seen)) = stun::parse_response(datagram) else {
            return false;
        };
        let found = self.questions.iter_mut().find_map(|question| {
            let try_ = question.tries.iter().find(|(id, _)| *id == transaction)?;
            let sent = try_.1;
            Some((question, sent))
        });
        let Some((question, sent)) = found else {
            return false;
        };
        if question.answered {
            return true;
        }
        question.answered = true;
        let answer = Answer {
            server: question.server,
            seen,
            latency: now.saturating_duration_since(sent),
        };
        self.answers.push(answer);
        self.first[usize::from(seen.is_ipv6())].get_or_insert(now);
        if self.hairpin == Hairpin::Wanted && seen.is_ipv4() {
            let mut transaction = TransactionId::default();
            rng.fill_bytes(&mut transaction);
            self.outbox.push((seen, stun::request(transaction)));
            self.hairpin = Hairpin::Asked(transaction);
        }
        self.settle(now);
        true
    }

    /// Repeats requests, and ends the round in time.
    pub fn handle_timeout(&mut self, now: Instant, rng: &mut dyn RngCore) {
        let age = now.saturating_duration_since(self.started);
        let due = 1 + REPEAT_AT.iter().filter(|at| **at <= age).count();
        for question in &mut self.questions {
            if !question.answered && question.tries.len() < due.min(MAX_TRIES) {
                let mut transaction = TransactionId::default();
                rng.fill_bytes(&mut transaction);
                question.tries.push((transaction, now));
                let packet = stun::request(transaction);
                self.outbox.push((question.server.address, packet));
            }
        }
        self.settle(now);
    }

    /// The round is over when all answered, when each family that answers at all had its grace, or
    /// when time is up.
    fn settle(&mut self, now: Instant) {
        self.settled = now;
        let waits_for_hairpin = matches!(self.hairpin, Hairpin::Wanted | Hairpin::Asked(_));
        let all = self.questions.iter().all(|question| question.answered);
        let graced = |v6: bool| {
            let asked = self
                .questions
                .iter()
                .any(|question| question.server.address.is_ipv6() == v6);
            !asked || self.first[usize::from(v6)].is_some_and(|first| first + GRACE <= now)
        };
        let enough = all || (graced(false) && graced(true));
        let over = self.started + TIMEOUT <= now;
        self.finished |= over || self.questions.is_empty() || (enough && !waits_for_hairpin);
    }

    /// When [`Lookup::handle_timeout`] is due; `None` when the round is over.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.finished {
            return None;
        }
        let tries = self
            .questions
            .iter()
            .filter(|question| !question.answered)
            .filter_map(|question| REPEAT_AT.get(question.tries.len().checked_sub(1)?))
            .map(|at| self.started + *at);
        let first_answers = self.first.iter().flatten().map(|first| *first + GRACE);
        // A grace that has passed already decides nothing any more.
        let graces = first_answers.filter(|at| *at > self.settled);
        tries.chain(graces).chain([self.started + TIMEOUT]).min()
    }

    /// What was answered so far.
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// Addresses at which others may reach our socket, whose port for IPv4 is `local_port`.
    pub fn endpoints(&self, local_port: Option<u16>) -> Vec<SocketAddr> {
        let mut endpoints: Vec<SocketAddr> = Vec::new();
        for answer in &self.answers {
            if !endpoints.contains(&answer.seen) {
                endpoints.push(answer.seen);
            }
        }
        // Each destination sees another port: maybe somebody forwards ours as it is.
        if self.report().mapping_varies_by_destination == Some(true)
            && let (Some(port), Some(IpAddr::V4(ip))) = (
                local_port,
                endpoints.iter().map(SocketAddr::ip).find(IpAddr::is_ipv4),
            )
        {
            let guess = SocketAddr::from((ip, port));
            if !endpoints.contains(&guess) {
                endpoints.push(guess);
            }
        }
        endpoints
    }

    /// What this round says of the network.
    pub fn report(&self) -> Report {
        let asked = match self.hairpin {
            Hairpin::Answered => Some(true),
            Hairpin::Asked(_) if self.finished => Some(false),
            _ => None,
        };
        Report::of(&self.answers, asked)
    }
}
