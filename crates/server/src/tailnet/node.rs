//! A peer's node as the coordinator keeps it, and the checks before it is let in.

use std::sync::Arc;

use rpc::proto::tailnet::Node as Message;
use tunnel_proto::coordination::policy::{self, PolicyError};
use tunnel_proto::key::{DiscoPublic, NodePublic};
use uuid::Uuid;

/// Addresses, endpoints or regions in one node; far above any real one.
const MAX_ENTRIES: usize = 256;
/// Longest text in a node.
const MAX_TEXT: usize = 256;

/// A node, shared by all who are told it.
#[derive(Debug, Clone)]
pub(super) struct SharedNode(pub(super) Arc<Message>);

impl PartialEq for SharedNode {
    /// The time of publication is no news.
    fn eq(&self, other: &Self) -> bool {
        let strip = |node: &Message| Message {
            as_of: None,
            ..node.clone()
        };
        Arc::ptr_eq(&self.0, &other.0) || strip(&self.0) == strip(&other.0)
    }
}

/// Why a node is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("the node's key or disco key is malformed")]
    Key,
    #[error("the node is too large")]
    TooLarge,
}

/// Checks a node that `agent` (or a client) publishes.
pub(super) fn check(node: &Message, agent: Option<Uuid>) -> Result<(), NodeError> {
    let texts = node
        .addresses
        .iter()
        .chain(&node.allowed_ips)
        .chain(&node.endpoints)
        .chain(node.derp_latency.keys())
        .chain(node.derp_forced_websocket.values());
    let mut count = 0;
    for text in texts {
        count += 1;
        if count > MAX_ENTRIES || text.len() > MAX_TEXT {
            return Err(NodeError::TooLarge);
        }
    }
    NodePublic::from_binary(&node.key).map_err(|_| NodeError::Key)?;
    node.disco
        .parse::<DiscoPublic>()
        .map_err(|_| NodeError::Key)?;
    match agent {
        Some(agent) => {
            policy::check_agent(agent, node.addresses.iter().chain(&node.allowed_ips))?;
        }
        None => policy::check_client(&node.addresses)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Message {
        Message {
            key: NodePublic([1; 32]).to_binary(),
            disco: DiscoPublic([2; 32]).to_string(),
            addresses: vec!["fd7a::1/128".to_owned()],
            ..Message::default()
        }
    }

    #[test]
    fn only_whole_nodes_of_sane_size_are_let_in() {
        assert!(check(&node(), None).is_ok());
        assert!(check(&node(), Some(Uuid::from_u128(5))).is_err());
        let mut keyless = node();
        keyless.key.pop();
        let mut silent = node();
        silent.disco = "disco".to_owned();
        let mut crowded = node();
        crowded.endpoints = vec!["1.2.3.4:5".to_owned(); 1000];
        let mut long = node();
        long.endpoints = vec!["x".repeat(1000)];
        for bad in [keyless, silent, crowded, long] {
            assert!(check(&bad, None).is_err());
        }
    }

    #[test]
    fn the_time_of_publication_is_no_news() {
        let mut later = node();
        later.as_of = Some(rpc_timestamp());
        assert_eq!(SharedNode(Arc::new(node())), SharedNode(Arc::new(later)));
    }

    fn rpc_timestamp() -> prost_types::Timestamp {
        prost_types::Timestamp {
            seconds: 7,
            nanos: 0,
        }
    }
}
