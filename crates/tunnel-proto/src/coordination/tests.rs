//! The coordinator's promises, each as a small story.

use uuid::Uuid;

use super::{Change, ConnectionId, Coordinator, Output, Request, Role, Update, Verdict};

type Net = Coordinator<&'static str>;

const AGENT: Uuid = Uuid::from_u128(0xa);
const CLIENT: Uuid = Uuid::from_u128(0xc);
const OTHER: Uuid = Uuid::from_u128(0xd);

fn node(node: &'static str) -> Request<&'static str> {
    Request {
        update_self: Some(node),
        ..Request::default()
    }
}

fn tunnel(destination: Uuid) -> Request<&'static str> {
    Request {
        add_tunnel: Some(destination),
        ..Request::default()
    }
}

fn ready(source: Uuid) -> Request<&'static str> {
    Request {
        ready_for_handshake: vec![source],
        ..Request::default()
    }
}

fn leave() -> Request<&'static str> {
    Request {
        disconnect: true,
        ..Request::default()
    }
}

fn updates(net: &mut Net, connection: ConnectionId) -> Vec<(Uuid, Change<&'static str>)> {
    let mut all = Vec::new();
    while let Some(output) = net.take(connection) {
        match output {
            Output::Updates(list) => {
                all.extend(list.into_iter().map(|Update { id, change }| (id, change)));
            }
            other => panic!("{other:?}"),
        }
    }
    all
}

/// Agent and client, connected by a tunnel, all news taken.
fn joined() -> (Net, ConnectionId, ConnectionId) {
    let mut net = Net::default();
    let agent = net.connect(AGENT, Role::Agent);
    let client = net.connect(CLIENT, Role::Client);
    net.handle(agent, node("agent"));
    net.handle(client, node("client"));
    net.handle(client, tunnel(AGENT));
    updates(&mut net, agent);
    updates(&mut net, client);
    net.take_woken();
    (net, agent, client)
}

#[test]
fn both_ends_of_a_tunnel_learn_each_other_in_any_order() {
    for order in 0..6 {
        let mut net = Net::default();
        let client = net.connect(CLIENT, Role::Client);
        let mut agent = None;
        let steps = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ][order];
        for step in steps {
            match step {
                0 => {
                    let connection = net.connect(AGENT, Role::Agent);
                    net.handle(connection, node("agent"));
                    agent = Some(connection);
                }
                1 => assert_eq!(net.handle(client, node("client")), Verdict::Continue),
                _ => assert_eq!(net.handle(client, tunnel(AGENT)), Verdict::Continue),
            }
        }
        let agent = agent.unwrap();
        assert_eq!(
            updates(&mut net, agent),
            [(CLIENT, Change::Node("client"))],
            "{steps:?}"
        );
        assert_eq!(
            updates(&mut net, client),
            [(AGENT, Change::Node("agent"))],
            "{steps:?}"
        );
    }
}

#[test]
fn peers_without_a_tunnel_learn_nothing() {
    let (mut net, agent, client) = joined();
    let other = net.connect(OTHER, Role::Client);
    net.handle(other, node("other"));
    net.handle(agent, node("agent 2"));
    assert_eq!(updates(&mut net, other), []);
    assert_eq!(
        updates(&mut net, client),
        [(AGENT, Change::Node("agent 2"))]
    );
}

#[test]
fn an_equal_node_is_not_told_twice_and_a_newer_one_replaces_it() {
    let (mut net, agent, client) = joined();
    net.handle(agent, node("agent"));
    assert_eq!(net.take_woken(), []);
    net.handle(agent, node("2"));
    net.handle(agent, node("3"));
    assert_eq!(net.take_woken(), [client]);
    assert_eq!(updates(&mut net, client), [(AGENT, Change::Node("3"))]);
}

#[test]
fn readiness_travels_from_destination_to_source() {
    let (mut net, agent, client) = joined();
    assert_eq!(net.handle(agent, ready(CLIENT)), Verdict::Continue);
    assert_eq!(
        updates(&mut net, client),
        [(AGENT, Change::ReadyForHandshake)]
    );
}

#[test]
fn readiness_for_a_stranger_is_an_error_that_does_not_end_the_connection() {
    let (mut net, agent, _) = joined();
    assert_eq!(net.handle(agent, ready(OTHER)), Verdict::Continue);
    let Some(Output::Error(text)) = net.take(agent) else {
        panic!("no error");
    };
    assert!(
        text.starts_with("ready for handshake error: you do not share a tunnel with"),
        "{text}"
    );
    assert_eq!(net.handle(agent, node("agent 2")), Verdict::Continue);
}

#[test]
fn roles_are_enforced() {
    let (mut net, agent, client) = joined();
    for (connection, request) in [(agent, tunnel(CLIENT)), (client, ready(AGENT))] {
        let Verdict::Refused(text) = net.handle(connection, request) else {
            panic!("allowed");
        };
        assert!(text.starts_with("authorization: "), "{text}");
    }
}

#[test]
fn leaving_and_breaking_are_told_apart() {
    let (mut net, agent, client) = joined();
    assert_eq!(net.handle(client, leave()), Verdict::Left);
    let told = updates(&mut net, agent);
    assert!(
        matches!(told[..], [(CLIENT, Change::Disconnected(_))]),
        "{told:?}"
    );
    assert_eq!(net.peer_count(), 1);

    let (mut net, agent, client) = joined();
    net.lost(client);
    let told = updates(&mut net, agent);
    assert!(matches!(told[..], [(CLIENT, Change::Lost(_))]), "{told:?}");
}

#[test]
fn a_tunnel_to_a_lost_agent_revives_with_it() {
    let (mut net, agent, client) = joined();
    net.lost(agent);
    assert!(matches!(
        updates(&mut net, client)[..],
        [(AGENT, Change::Lost(_))]
    ));
    revive(&mut net, client);
}

#[test]
fn a_tunnel_to_an_agent_that_left_in_good_order_revives_with_it() {
    let (mut net, agent, client) = joined();
    assert_eq!(net.handle(agent, leave()), Verdict::Left);
    assert!(matches!(
        updates(&mut net, client)[..],
        [(AGENT, Change::Disconnected(_))]
    ));
    revive(&mut net, client);
    // Nothing is kept for those who are gone on both sides.
    let (mut net, agent, client) = joined();
    net.handle(agent, leave());
    net.handle(client, leave());
    assert_eq!(net.peer_count(), 0);
}

/// The agent comes again, and both ends learn each other without asking.
fn revive(net: &mut Net, client: ConnectionId) {
    let agent = net.connect(AGENT, Role::Agent);
    assert_eq!(updates(net, agent), [(CLIENT, Change::Node("client"))]);
    net.handle(agent, node("reborn"));
    assert_eq!(updates(net, client), [(AGENT, Change::Node("reborn"))]);
    assert_eq!(net.handle(agent, ready(CLIENT)), Verdict::Continue);
    assert_eq!(updates(net, client), [(AGENT, Change::ReadyForHandshake)]);
}

#[test]
fn removing_a_tunnel_disconnects_both_ends() {
    let (mut net, agent, client) = joined();
    let remove = Request {
        remove_tunnel: Some(AGENT),
        ..Request::default()
    };
    net.handle(client, remove);
    assert!(matches!(
        updates(&mut net, client)[..],
        [(AGENT, Change::Disconnected(_))]
    ));
    assert!(matches!(
        updates(&mut net, agent)[..],
        [(CLIENT, Change::Disconnected(_))]
    ));
    net.handle(agent, node("agent 2"));
    assert_eq!(updates(&mut net, client), []);
}

#[test]
fn the_same_peer_again_replaces_its_connection() {
    let (mut net, agent, client) = joined();
    let again = net.connect(CLIENT, Role::Client);
    assert_eq!(
        net.take(client),
        Some(Output::Closed("peer ID overwritten by new connection"))
    );
    assert_eq!(net.take(client), None);
    // The old connection's end must not take the new one with it.
    net.lost(client);
    assert_eq!(updates(&mut net, agent), []);
    assert_eq!(updates(&mut net, again), [(AGENT, Change::Node("agent"))]);
    net.handle(client, node("ghost"));
    assert_eq!(net.node(CLIENT), Some(&"client"));
}

#[test]
fn closing_ends_all_and_lets_none_in() {
    let (mut net, agent, client) = joined();
    net.close();
    assert_eq!(net.take(agent), Some(Output::Closed("coordinator closed")));
    assert_eq!(net.take(client), Some(Output::Closed("coordinator closed")));
    let late = net.connect(OTHER, Role::Client);
    assert_eq!(net.take(late), Some(Output::Closed("coordinator closed")));
}

#[test]
fn many_updates_come_in_bounded_messages() {
    let mut net = Net::default();
    let client = net.connect(CLIENT, Role::Client);
    for n in 0..3000 {
        let id = Uuid::from_u128(0x1_0000 + n);
        let agent = net.connect(id, Role::Agent);
        net.handle(agent, node("agent"));
        net.handle(client, tunnel(id));
    }
    let mut total = 0;
    while let Some(Output::Updates(list)) = net.take(client) {
        assert!(list.len() <= super::MAX_UPDATES_PER_MESSAGE);
        total += list.len();
    }
    assert_eq!(total, 3000);
}

#[test]
fn a_slow_connection_holds_one_update_for_each_peer() {
    let (mut net, agent, client) = joined();
    for _ in 0..10_000 {
        net.handle(agent, node("x"));
        net.handle(agent, node("y"));
    }
    assert_eq!(updates(&mut net, client), [(AGENT, Change::Node("y"))]);
}
