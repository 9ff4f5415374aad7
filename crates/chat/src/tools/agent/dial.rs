//! Dialling an agent that may not be the right one any more: most are, so that is only looked
//! into when the dial fails or takes long.

use std::time::Duration;

use futures::future::BoxFuture;
use uuid::Uuid;

use super::{AgentFacts, SelectError};

/// After so long it is looked whether the agent still is the right one.
const VALIDATE_AFTER: Duration = Duration::from_secs(5);

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The workspace has no agent.
    #[error("{}", super::NO_AGENT)]
    NoAgent,
    /// The dial failed, or the right agent could not be found out.
    #[error("dial with lazy validation: {0}")]
    Failed(String),
}

/// Dials `bound`; dials the latest agent instead when that turns out to be another one. A
/// connection of an abandoned dial is dropped, whenever it comes. Answers whether it switched.
///
/// # Errors
/// [`DialError`].
pub async fn dial_with_lazy_validation<C: Send + 'static>(
    bound: Uuid,
    dial: impl Fn(Uuid) -> BoxFuture<'static, Result<C, String>>,
    latest: impl Fn() -> BoxFuture<'static, Result<AgentFacts, SelectError>>,
) -> Result<(C, Option<AgentFacts>), DialError> {
    // In a task: a dial that does not heed its end must not hold up the switch.
    let mut first = Dialing::start(dial(bound));
    let early = tokio::time::timeout(VALIDATE_AFTER, first.result()).await;
    match early {
        Ok(Ok(conn)) => return Ok((conn, None)),
        Ok(Err(error)) => {
            let agent = match latest().await {
                Ok(agent) => agent,
                Err(SelectError::NoAgent) => return Err(DialError::NoAgent),
                Err(SelectError::Other(why)) => {
                    return Err(DialError::Failed(format!("{error}; and {why}")));
                }
            };
            let again = agent.id;
            let conn = dial(again).await.map_err(DialError::Failed)?;
            return Ok((conn, (again != bound).then_some(agent)));
        }
        Err(_) => {}
    }
    // It takes long: its own success still counts while it is looked.
    let found = {
        let mut look = latest();
        tokio::select! {
            biased;
            done = first.result() => {
                return match done {
                    Ok(conn) => Ok((conn, None)),
                    Err(error) => Err(DialError::Failed(error)),
                };
            }
            found = &mut look => found,
        }
    };
    match found {
        Err(SelectError::NoAgent) => Err(DialError::NoAgent),
        Ok(agent) if agent.id != bound => {
            drop(first);
            let conn = dial(agent.id).await.map_err(DialError::Failed)?;
            Ok((conn, Some(agent)))
        }
        Ok(_) | Err(SelectError::Other(_)) => match first.result().await {
            Ok(conn) => Ok((conn, None)),
            Err(error) => Err(DialError::Failed(error)),
        },
    }
}

/// A dial under way. Dropped, it is cancelled and not waited for.
struct Dialing<C>(tokio::task::JoinHandle<Result<C, String>>);

impl<C: Send + 'static> Dialing<C> {
    fn start(dial: BoxFuture<'static, Result<C, String>>) -> Self {
        Dialing(tokio::spawn(dial))
    }

    async fn result(&mut self) -> Result<C, String> {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(error) => Err(format!("the dial broke off: {error}")),
        }
    }
}

impl<C> Drop for Dialing<C> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
