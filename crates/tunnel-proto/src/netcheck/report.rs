//! The outcome of a round of questions.

use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use super::Answer;

/// What is known of the network around this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// UDP comes through: some server answered.
    pub udp: bool,
    /// A server answered by IPv4.
    pub ipv4: bool,
    /// A server answered by IPv6.
    pub ipv6: bool,
    /// Different servers saw different addresses: a symmetric translation, behind which nobody can
    /// tell an address for others. `None` if fewer than two servers answered by IPv4.
    pub mapping_varies_by_destination: Option<bool>,
    /// Our address as seen from outside leads back to us. `None` if that was not found out.
    pub hairpin: Option<bool>,
    /// Our IPv4 address as seen from outside.
    pub global_v4: Option<SocketAddrV4>,
    /// Our IPv6 address as seen from outside.
    pub global_v6: Option<SocketAddrV6>,
    /// Time to the STUN servers of each region by IPv4.
    pub region_v4_latency: BTreeMap<u16, Duration>,
    /// … by IPv6.
    pub region_v6_latency: BTreeMap<u16, Duration>,
}

impl Report {
    pub(super) fn of(answers: &[Answer], hairpin: Option<bool>) -> Self {
        let mut report = Self {
            udp: !answers.is_empty(),
            hairpin,
            ..Self::default()
        };
        for answer in answers {
            let latencies = match answer.seen {
                SocketAddr::V4(seen) => {
                    report.ipv4 = true;
                    if let Some(first) = report.global_v4 {
                        let varies = first != seen;
                        let known = report.mapping_varies_by_destination.get_or_insert(varies);
                        *known |= varies;
                    } else {
                        report.global_v4 = Some(seen);
                    }
                    &mut report.region_v4_latency
                }
                SocketAddr::V6(seen) => {
                    report.ipv6 = true;
                    report.global_v6.get_or_insert(seen);
                    &mut report.region_v6_latency
                }
            };
            latencies
                .entry(answer.server.region)
                .and_modify(|best| *best = answer.latency.min(*best))
                .or_insert(answer.latency);
        }
        report
    }
}
