//! The state of the way to one peer: what was asked of which address, and what to ask next.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::RngCore;

use super::candidates::Candidates;
use super::choice::is_better;
use super::probe::{Answered, Probe};
use super::switch::Switch;
use super::{
    GOOD_LATENCY, HEARTBEAT, IDLE, LOOK_AGAIN, MAX_CANDIDATES, PING_TIMEOUT, Route, TRUST, Via,
};
use crate::disco::TransactionId;

/// Waits between rounds of pings while no direct path is proven. The first are short, because a
/// round may be lost, or come before the peer's own has opened its side; the last repeats.
const ROUND_WAITS: [Duration; 6] = [
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(10),
];
/// One address is not pinged again sooner, whatever the peer asks for.
const MIN_PING_GAP: Duration = Duration::from_millis(200);
/// While packets are sent and none comes back directly for so long, the path is asked at once.
const SILENCE: Duration = Duration::from_secs(1);
/// A ping of the best address unanswered for so long (and four times its latency) casts doubt on
/// it: packets go both ways until it answers.
const DOUBT: Duration = Duration::from_millis(500);
/// Most pings without an answer at a time.
const MAX_PINGS: usize = 4 * MAX_CANDIDATES;
#[derive(Debug, Clone, Copy)]
struct Best {
    address: SocketAddr,
    latency: Duration,
    trusted_until: Instant,
    /// The last authentic packet from there.
    heard: Instant,
    heartbeat: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Ping {
    transaction: TransactionId,
    via: Via,
    sent: Instant,
}

/// The choice of a path to one peer.
#[derive(Debug, Default)]
pub struct Path {
    pub(super) home: Option<u16>,
    pub(super) heard_on: Option<u16>,
    pub(super) relay_latency: Option<Duration>,
    pub(super) blocked: bool,
    pub(super) candidates: Candidates,
    best: Option<Best>,
    pings: Vec<Ping>,
    sent: Option<Instant>,
    /// Rounds without success.
    pub(super) rounds: usize,
    next_round: Option<Instant>,
    last_round: Option<Instant>,
    switch: Switch,
    deadline: Option<Instant>,
    probes: Vec<Probe>,
}

impl Path {
    /// The peer published `home` as its region. A change outdates what was heard before.
    pub fn set_home(&mut self, home: u16) {
        if self.home != Some(home) {
            self.home = Some(home);
            self.heard_on = None;
        }
    }

    /// Uses only relays (`true`), or direct paths too.
    pub fn set_blocked(&mut self, blocked: bool) {
        self.blocked = blocked;
        if blocked {
            self.best = None;
            self.pings.retain(|ping| matches!(ping.via, Via::Relay(_)));
            self.switch.cancel();
        }
    }

    /// The peer published these addresses.
    pub fn set_endpoints(&mut self, endpoints: &[SocketAddr], now: Instant) {
        if self.candidates.publish(endpoints, now) {
            self.look_now(now);
        }
    }

    /// An authentic packet of the peer came by `region`: it is connected there, answer there.
    pub fn heard_on_relay(&mut self, region: u16) {
        self.heard_on = Some(region);
    }

    /// The relay said that the peer is not connected to `region` (any more).
    pub fn gone_from_relay(&mut self, region: u16) {
        if self.heard_on == Some(region) {
            self.heard_on = None;
        }
    }

    /// An authentic packet of the peer, that was not an answer to a ping, came from `address`.
    /// A peer that moved is asked at its new place at once.
    pub fn heard_directly(&mut self, address: SocketAddr, now: Instant, rng: &mut dyn RngCore) {
        if let Some(best) = &mut self.best
            && best.address == address
        {
            best.heard = now;
            return;
        }
        if self.blocked {
            return;
        }
        self.candidates.see(address, now);
        self.ping_candidate(address, now, rng);
    }

    /// The peer pinged us from `address`. Where it comes from, there it may be reached.
    pub fn pinged_from(&mut self, address: SocketAddr, now: Instant, rng: &mut dyn RngCore) {
        if self.blocked {
            return;
        }
        self.candidates.see(address, now);
        if !self.trusts(address, now) {
            self.ping_candidate(address, now, rng);
        }
    }

    /// The peer asks to be pinged at these addresses.
    pub fn called(&mut self, addresses: &[SocketAddr], now: Instant, rng: &mut dyn RngCore) {
        if self.blocked {
            return;
        }
        let addresses = &addresses[..addresses.len().min(MAX_CANDIDATES)];
        self.candidates.call(addresses, now);
        for &address in addresses {
            if !self.trusts(address, now) {
                self.ping_candidate(address, now, rng);
            }
        }
        // No round of our own: two ends that answer calls with calls would never stop.
    }

    /// Packets of the tunnel (`count`) go to the peer now. True if [`Path::handle_timeout`] should
    /// be called.
    pub fn sent(&mut self, count: u32, now: Instant) -> bool {
        self.sent = Some(now);
        if self.blocked {
            return false;
        }
        if self.best.is_none() {
            self.switch.count(count, now);
        }
        self.deadline.is_none_or(|due| due <= now)
    }

    /// True while bulk data should wait: the path changes, and what is on the relay would be
    /// overtaken. Ends by a pong or at [`Path::next_deadline`].
    pub fn is_switching(&self) -> bool {
        self.switch.is_pending()
    }

    /// Asks for a pong on the way in use or, while no direct path is proven, on all.
    pub fn probe(&mut self, now: Instant, rng: &mut dyn RngCore) {
        let route = self.route(now);
        if let Some(region) = route.relay {
            self.ping(Via::Relay(region), now, rng);
        }
        match route.direct {
            Some(address) if route.relay.is_none() => {
                self.ping(Via::Direct(address), now, rng);
            }
            _ if !self.blocked => self.round(now, rng),
            _ => {}
        }
    }

    /// A pong came. Gives what it answers, or `None` if that was never asked or long ago.
    pub fn pong(
        &mut self,
        transaction: &TransactionId,
        now: Instant,
        rng: &mut dyn RngCore,
    ) -> Option<Answered> {
        let at = self
            .pings
            .iter()
            .position(|ping| ping.transaction == *transaction)?;
        let ping = self.pings.swap_remove(at);
        let latency = now.saturating_duration_since(ping.sent);
        match ping.via {
            Via::Relay(region) => {
                self.heard_on = Some(region);
                self.relay_latency = Some(latency);
            }
            Via::Direct(address) => self.proven(address, latency, now, rng),
        }
        self.switch.answered(transaction);
        Some(Answered {
            via: ping.via,
            sent: ping.sent,
            latency,
        })
    }

    fn proven(
        &mut self,
        address: SocketAddr,
        latency: Duration,
        now: Instant,
        rng: &mut dyn RngCore,
    ) {
        if self.blocked {
            return;
        }
        self.candidates.see(address, now);
        if let Some(candidate) = self.candidates.get_mut(address) {
            candidate.latency = Some(latency);
        }
        let keep = self.best.is_some_and(|best| {
            best.address != address
                && now < best.trusted_until
                && !is_better((address, latency), (best.address, best.latency))
        });
        if keep {
            return;
        }
        if self.best.is_none() {
            self.begin_switch(now, rng);
        }
        self.best = Some(Best {
            address,
            latency,
            trusted_until: now + TRUST,
            heard: now,
            heartbeat: now + HEARTBEAT,
        });
        self.rounds = 0;
        self.next_round = None;
        self.schedule(now);
    }

    /// The relay carries much: asks, behind all of it, whether it is through.
    fn begin_switch(&mut self, now: Instant, rng: &mut dyn RngCore) {
        let Some(region) = self.heard_on.or(self.home) else {
            return;
        };
        if self.switch.must_wait(now)
            && let Some(transaction) = self.ping(Via::Relay(region), now, rng)
        {
            self.switch.begin(transaction, now);
        }
    }

    /// A datagram to `address` could not be sent at all.
    pub fn unreachable(&mut self, address: SocketAddr, now: Instant) {
        if self.best.is_some_and(|best| best.address == address) {
            self.best = None;
            self.switch.cancel();
            self.look_now(now);
        }
    }

    /// The network of this end changed: nothing that was measured holds, all is asked again.
    pub fn network_changed(&mut self, now: Instant) {
        self.candidates.forget_measurements();
        self.pings.retain(|ping| matches!(ping.via, Via::Relay(_)));
        if let Some(best) = &mut self.best {
            best.trusted_until = best.trusted_until.min(now);
        }
        self.look_now(now);
    }

    /// There is something new to try: the next round is now, if packets are sent.
    fn look_now(&mut self, now: Instant) {
        self.rounds = 0;
        self.next_round = Some(now);
        if self.deadline.is_some() {
            self.deadline = Some(now);
        }
    }

    fn trusts(&self, address: SocketAddr, now: Instant) -> bool {
        self.best
            .is_some_and(|best| best.address == address && now < best.trusted_until)
    }

    fn is_trusted(&self, now: Instant) -> bool {
        self.best.is_some_and(|best| now < best.trusted_until)
    }

    /// Pings a known address unless that happened just now.
    fn ping_candidate(&mut self, address: SocketAddr, now: Instant, rng: &mut dyn RngCore) {
        if let Some(candidate) = self.candidates.get_mut(address)
            && candidate
                .pinged
                .is_none_or(|at| now.saturating_duration_since(at) >= MIN_PING_GAP)
        {
            self.ping(Via::Direct(address), now, rng);
        }
    }

    fn ping(&mut self, via: Via, now: Instant, rng: &mut dyn RngCore) -> Option<TransactionId> {
        if self.pings.len() >= MAX_PINGS {
            self.expire_pings(now);
        }
        if self.pings.len() >= MAX_PINGS {
            return None;
        }
        let mut transaction = TransactionId::default();
        rng.fill_bytes(&mut transaction);
        self.pings.push(Ping {
            transaction,
            via,
            sent: now,
        });
        if let Via::Direct(address) = via
            && let Some(candidate) = self.candidates.get_mut(address)
        {
            candidate.pinged = Some(now);
        }
        self.probes.push(Probe::Ping { via, transaction });
        Some(transaction)
    }

    /// Pings every address, and asks the peer to do the same.
    fn round(&mut self, now: Instant, rng: &mut dyn RngCore) {
        self.candidates.prune(now);
        let all: Vec<SocketAddr> = self.candidates.iter().map(|known| known.address).collect();
        for address in all {
            self.ping_candidate(address, now, rng);
        }
        self.probes.push(Probe::CallMeMaybe);
        let wait = ROUND_WAITS
            .get(self.rounds)
            .or(ROUND_WAITS.last())
            .copied()
            .unwrap_or(PING_TIMEOUT);
        self.rounds += 1;
        self.last_round = Some(now);
        self.next_round = Some(now + wait);
    }

    fn expire_pings(&mut self, now: Instant) {
        self.pings
            .retain(|ping| now.saturating_duration_since(ping.sent) < PING_TIMEOUT);
    }

    /// When a ping of the best address without an answer begins to cast doubt on it.
    fn doubt_at(&self) -> Option<Instant> {
        let best = self.best?;
        let patience = DOUBT.max(best.latency * 4);
        self.pings
            .iter()
            .filter(|ping| ping.via == Via::Direct(best.address))
            .map(|ping| ping.sent + patience)
            .min()
    }

    /// Does what is due, then plans the next time.
    pub fn handle_timeout(&mut self, now: Instant, rng: &mut dyn RngCore) {
        self.switch.expire(now);
        if self.is_trusted(now)
            && self.doubt_at().is_some_and(|at| at <= now)
            && let Some(best) = &mut self.best
        {
            best.trusted_until = now;
            let address = best.address;
            // It may be one lost packet: the same address first, then all.
            self.rounds = 0;
            self.next_round = Some(now + ROUND_WAITS[0]);
            self.ping_candidate(address, now, rng);
        }
        self.expire_pings(now);
        if self.blocked || !self.is_active(now) {
            self.deadline = self.switch.deadline();
            return;
        }
        if self.is_trusted(now) {
            self.keep_proven(now, rng);
        } else {
            self.give_up_best(now);
            if self.next_round.is_none_or(|at| at <= now) {
                self.round(now, rng);
            }
        }
        self.schedule(now);
    }

    fn is_active(&self, now: Instant) -> bool {
        self.sent
            .is_some_and(|sent| now.saturating_duration_since(sent) < IDLE)
    }

    /// A path is proven: keeps it so, and looks for a better one now and then.
    fn keep_proven(&mut self, now: Instant, rng: &mut dyn RngCore) {
        let Some(best) = self.best else {
            return;
        };
        if best.heartbeat <= now || self.silent_since(&best).is_some_and(|at| at <= now) {
            let asked = self
                .pings
                .iter()
                .any(|ping| ping.via == Via::Direct(best.address));
            if !asked {
                self.ping(Via::Direct(best.address), now, rng);
            }
            if let Some(best) = &mut self.best {
                best.heartbeat = now + HEARTBEAT;
                best.heard = now;
            }
        }
        if best.latency > GOOD_LATENCY
            && self
                .last_round
                .is_none_or(|at| now.saturating_duration_since(at) >= LOOK_AGAIN)
        {
            self.round(now, rng);
            self.rounds = 0;
        }
    }

    /// When the silence of the best address becomes suspicious; `None` if nothing was sent since
    /// it was heard.
    fn silent_since(&self, best: &Best) -> Option<Instant> {
        self.sent
            .filter(|sent| *sent > best.heard)
            .map(|_| best.heard + SILENCE)
    }

    /// An address that did not answer for long gets no packets any more.
    fn give_up_best(&mut self, now: Instant) {
        if self
            .best
            .is_some_and(|best| best.trusted_until + PING_TIMEOUT <= now && self.rounds > 0)
        {
            self.best = None;
        }
    }

    fn schedule(&mut self, now: Instant) {
        let switch = self.switch.deadline();
        if self.blocked || !self.is_active(now) {
            self.deadline = switch;
            return;
        }
        let next = match &self.best {
            Some(best) if now < best.trusted_until => {
                let silence = self.silent_since(best);
                [
                    Some(best.heartbeat),
                    Some(best.trusted_until),
                    silence,
                    self.doubt_at(),
                    // Whether something was sent meanwhile is looked at then.
                    self.sent
                        .filter(|sent| now.saturating_duration_since(*sent) < HEARTBEAT)
                        .map(|_| now + SILENCE),
                ]
                .into_iter()
                .flatten()
                .min()
            }
            _ => self.next_round,
        };
        self.deadline = [next, switch]
            .into_iter()
            .flatten()
            .min()
            // A deadline in the past would be asked for in a loop.
            .map(|at| at.max(now + Duration::from_millis(1)));
    }

    /// When [`Path::handle_timeout`] is due; `None` while the path is left alone.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes what is to be sent.
    pub fn take_probes(&mut self) -> Vec<Probe> {
        std::mem::take(&mut self.probes)
    }

    /// Where to send a packet now.
    pub fn route(&self, now: Instant) -> Route {
        let relay = self.heard_on.or(self.home);
        let direct = self.best.filter(|_| !self.switch.is_pending());
        Route {
            direct: direct.map(|best| best.address),
            relay: relay.filter(|_| direct.is_none_or(|best| best.trusted_until <= now)),
        }
    }

    /// The region through which the peer is reached.
    pub fn relay(&self) -> Option<u16> {
        self.heard_on.or(self.home)
    }

    /// The best address with its latency, proven or not any more.
    pub(super) fn best(&self) -> Option<(SocketAddr, Duration)> {
        self.best.map(|best| (best.address, best.latency))
    }

    /// Latency of the last pong through a relay.
    pub fn relay_latency(&self) -> Option<Duration> {
        self.relay_latency
    }
}
