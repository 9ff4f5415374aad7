//! Which tunnels the coordinator was asked for, and what is to be asked next.

use std::collections::BTreeMap;

use rpc::proto::tailnet::CoordinateRequest;
use rpc::proto::tailnet::coordinate_request::Tunnel;
use uuid::Uuid;

use crate::shared::Destinations;

/// The tunnels of one connection to the coordinator.
#[derive(Default)]
pub(super) struct Asked(BTreeMap<Uuid, u64>);

impl Asked {
    /// What is to be asked, in order, so that the tunnels are those of `wanted`; it counts as asked.
    pub(super) fn bring_to(&mut self, wanted: &Destinations) -> Vec<CoordinateRequest> {
        let wanted = wanted.generations();
        let mut requests = Vec::new();
        // First, as they make room. One that was given up and is wanted again was forgotten here:
        // its news come only if the tunnel is a new one to the coordinator too.
        self.0.retain(|id, generation| {
            let keep = wanted.get(id) == Some(generation);
            if !keep {
                requests.push(CoordinateRequest {
                    remove_tunnel: Some(tunnel(id)),
                    ..CoordinateRequest::default()
                });
            }
            keep
        });
        for (id, generation) in wanted {
            if self.0.insert(*id, *generation).is_none() {
                requests.push(CoordinateRequest {
                    add_tunnel: Some(tunnel(id)),
                    ..CoordinateRequest::default()
                });
            }
        }
        requests
    }
}

fn tunnel(id: &Uuid) -> Tunnel {
    Tunnel {
        id: id.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_that_was_given_up_meanwhile_is_asked_for_anew() {
        let mut asked = Asked::default();
        let mut wanted = Destinations::default();
        let [one, two] = [1, 2].map(Uuid::from_u128);
        let mut next = |wanted: &Destinations| {
            let requests = asked.bring_to(wanted).into_iter();
            let told = requests.map(|request| (request.remove_tunnel, request.add_tunnel));
            told.collect::<Vec<_>>()
        };
        assert!(wanted.add(one) && wanted.add(two) && !wanted.add(one));
        assert_eq!(
            next(&wanted),
            [(None, Some(tunnel(&one))), (None, Some(tunnel(&two)))]
        );
        assert_eq!(next(&wanted), []);
        assert!(wanted.remove(&one) && !wanted.remove(&one) && wanted.add(one));
        assert_eq!(
            next(&wanted),
            [(Some(tunnel(&one)), None), (None, Some(tunnel(&one)))]
        );
        wanted.remove(&two);
        assert_eq!(next(&wanted), [(Some(tunnel(&two)), None)]);
    }
}
