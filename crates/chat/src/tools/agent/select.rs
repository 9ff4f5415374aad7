//! Which agent of a build a chat works with.

use super::AgentFacts;

/// Ending of the name of the agent that is meant for chats.
const SUFFIX: &str = "-coderd-chat";

/// Why no agent can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// There is none.
    #[error("{}", super::NO_AGENT)]
    NoAgent,
    /// It is not clear which; or it could not be found out.
    #[error("{0}")]
    Other(String),
}

/// Chooses: the one whose name says that it is for chats, else the first by display order, name
/// without regard to case, name and id. Parts of other agents do not count.
///
/// # Errors
/// [`SelectError`].
pub fn select(agents: &[AgentFacts]) -> Result<&AgentFacts, SelectError> {
    if agents.is_empty() {
        return Err(SelectError::NoAgent);
    }
    let mut own: Vec<&AgentFacts> = agents.iter().filter(|agent| !agent.is_child).collect();
    own.sort_by_cached_key(|agent| {
        (
            agent.display_order,
            agent.name.to_lowercase(),
            agent.name.clone(),
            agent.id,
        )
    });
    let mut meant = own
        .iter()
        .filter(|agent| agent.name.to_lowercase().ends_with(SUFFIX));
    match (meant.next(), meant.next()) {
        (Some(one), None) => return Ok(one),
        (Some(_), Some(_)) => {
            return Err(SelectError::Other(format!(
                "Several agents of the workspace have names that end in {SUFFIX}: the template \
                 must have one of them at most."
            )));
        }
        _ => {}
    }
    own.first().copied().ok_or_else(|| {
        SelectError::Other("The workspace has agents within other agents only.".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::super::AgentStatus;
    use super::*;

    fn agent(name: &str, order: i32, is_child: bool) -> AgentFacts {
        AgentFacts {
            id: uuid::Uuid::new_v4(),
            build: uuid::Uuid::nil(),
            name: name.to_owned(),
            is_child,
            display_order: order,
            status: AgentStatus::Connected,
            was_connected: true,
            disconnected_at: None,
        }
    }

    #[test]
    fn the_one_for_chats_else_the_first() {
        let named = |agents: &[AgentFacts]| select(agents).map(|agent| agent.name.clone());
        assert_eq!(named(&[]), Err(SelectError::NoAgent));
        let two = [agent("b", 0, false), agent("A", 0, false)];
        assert_eq!(named(&two).unwrap(), "A");
        let ordered = [agent("b", 0, false), agent("A", 1, false)];
        assert_eq!(named(&ordered).unwrap(), "b");
        let meant = [agent("a", 0, false), agent("x-CODERD-chat", 9, false)];
        assert_eq!(named(&meant).unwrap(), "x-CODERD-chat");
        let several = [
            agent("a-coderd-chat", 0, false),
            agent("b-coderd-chat", 0, false),
        ];
        assert!(matches!(named(&several), Err(SelectError::Other(_))));
        let inner = [agent("a-coderd-chat", 0, true)];
        assert!(matches!(named(&inner), Err(SelectError::Other(_))));
    }
}
