//! Which addresses a peer may publish.
//!
//! An agent may only publish addresses made from its own identifier; else it could draw the
//! traffic of another. Clients choose theirs freely, but each is a single host.

use std::net::Ipv6Addr;

use uuid::Uuid;

use crate::address;

/// Length of the prefix of a single IPv6 host.
const HOST_BITS: &str = "128";

/// Why a node is refused; sent to the peer after `authorization: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not `address/128`.
    #[error("invalid address {0:?}: expected a single IPv6 host such as fd7a::1/128")]
    NotAHost(String),
    /// Made from another identifier.
    #[error("invalid node address {address}: it does not belong to agent {agent}")]
    NotOwn {
        /// What the agent published.
        address: Ipv6Addr,
        /// The agent.
        agent: Uuid,
    },
}

fn host(text: &str) -> Result<Ipv6Addr, PolicyError> {
    text.split_once('/')
        .filter(|(_, bits)| *bits == HOST_BITS)
        .and_then(|(address, _)| address.parse().ok())
        // Cut, because the text goes back to the sender.
        .ok_or_else(|| PolicyError::NotAHost(text.chars().take(64).collect()))
}

/// Checks the addresses and allowed addresses of the agent `agent`.
pub fn check_agent<'a>(
    agent: Uuid,
    addresses: impl IntoIterator<Item = &'a String>,
) -> Result<(), PolicyError> {
    let own = address::agent(agent);
    for text in addresses {
        let address = host(text)?;
        if !own.contains(&address) && address != address::LEGACY_AGENT {
            return Err(PolicyError::NotOwn { address, agent });
        }
    }
    Ok(())
}

/// Checks the addresses of a client.
pub fn check_client<'a>(
    addresses: impl IntoIterator<Item = &'a String>,
) -> Result<(), PolicyError> {
    addresses
        .into_iter()
        .try_for_each(|text| host(text).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_publish_only_their_own_addresses() {
        let agent = Uuid::from_u128(0x1234_5678_9abc_def0_1111_2222_3333_4444);
        let own: Vec<String> = address::agent(agent)
            .iter()
            .chain([&address::LEGACY_AGENT])
            .map(|address| format!("{address}/128"))
            .collect();
        assert_eq!(check_agent(agent, &own), Ok(()));
        let other = vec![format!("{}/128", address::tailnet(Uuid::from_u128(9)))];
        assert!(matches!(
            check_agent(agent, &other),
            Err(PolicyError::NotOwn { .. })
        ));
        assert_eq!(check_client(&other), Ok(()));
    }

    #[test]
    fn only_single_ipv6_hosts_are_addresses() {
        for text in [
            "",
            "fd7a::1",
            "fd7a::1/64",
            "fd7a::1/0128",
            "10.0.0.1/32",
            "::/0",
            "x/128",
            "/128",
        ] {
            let list = vec![text.to_owned()];
            assert!(check_client(&list).is_err(), "{text}");
            assert!(check_agent(Uuid::nil(), &list).is_err(), "{text}");
        }
    }
}
