//! Word of changes of workspaces: what waits for a build or a script looks when something happened, and
//! now and then beside, since word can get lost.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use uuid::Uuid;

/// How often it is looked without word.
pub(super) const LOOK: Duration = Duration::from_secs(2);
/// Changes that come within this time are one: a build writes many rows at once.
const SETTLE: Duration = Duration::from_millis(20);

/// Workspaces that changed; none where something may have been missed. It may end.
pub type Changes = BoxStream<'static, Option<Uuid>>;

/// No word of anything.
pub fn silence() -> Changes {
    stream::pending().boxed()
}

/// Returns when the workspace may have changed.
pub(super) async fn wait(changes: &mut Changes, workspace: Uuid) {
    let changed = async {
        while let Some(id) = changes.next().await {
            if id.is_none_or(|id| id == workspace) {
                tokio::time::sleep(SETTLE).await;
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    // Without word the next look comes by itself.
    let _ = tokio::time::timeout(LOOK, changed).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn own_changes_and_lost_ones_wake_and_others_do_not() {
        let (own, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for (word, waited) in [
            (vec![Some(other), Some(own)], SETTLE),
            (vec![None], SETTLE),
            (vec![Some(other)], LOOK),
            (vec![], LOOK),
        ] {
            let begun = Instant::now();
            let mut changes = stream::iter(word.clone()).boxed();
            wait(&mut changes, own).await;
            assert_eq!(begun.elapsed(), waited, "{word:?}");
        }
        let begun = Instant::now();
        wait(&mut silence(), own).await;
        assert_eq!(begun.elapsed(), LOOK);
    }
}
