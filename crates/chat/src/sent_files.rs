//! Files that people send to a chat's workspace.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use api_types::{LsRelativity, LsRequest};
use bytes::Bytes;
use client::agent_api::AgentApi;
use futures::{Stream, TryStreamExt as _};
use uuid::Uuid;

/// Why a file was not sent to a workspace.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It cannot be called so; for people.
    #[error("{0}")]
    Name(String),
    /// The agent cannot be reached, or cannot write it.
    #[error(transparent)]
    Agent(#[from] client::Error),
}

/// Longest name of a file that is sent, in bytes: file systems end there.
const MAX_SENT_NAME: usize = 200;
/// Files of one name that stand beside each other.
const MAX_SAME: usize = 1000;

/// Sends a file to a chat's workspace: below `~/.coder/chats`, beside those of before. Answers where
/// it is, and how many bytes it has.
///
/// # Errors
/// [`SendError`].
pub async fn send(
    api: &AgentApi,
    chat: Uuid,
    name: &str,
    body: impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static,
) -> Result<(String, i64), SendError> {
    let odd = |c: char| c == '/' || c == '\\' || c.is_control();
    if name.is_empty() || name.starts_with('.') || name.len() > MAX_SENT_NAME || name.contains(odd)
    {
        return Err(SendError::Name(format!(
            "A name has 1 to {MAX_SENT_NAME} bytes, begins with no dot and holds no slashes. Give it in \
             the Content-Disposition header: attachment; filename=\"…\"."
        )));
    }
    let here = LsRequest {
        relativity: LsRelativity::Home,
        ..LsRequest::default()
    };
    let home = api.list_directory("", &here).await?.absolute_path_string;
    let dir = format!("{}/.coder/chats/{chat}/files", home.trim_end_matches('/'));
    // Without any file yet, the directory is not there.
    let there = api.list_directory(&dir, &LsRequest::default()).await;
    let taken: Vec<String> = there
        .map(|list| list.contents.into_iter().map(|file| file.name).collect())
        .unwrap_or_default();
    let path = format!("{dir}/{}", free_name(name, &taken));
    let size = Arc::new(AtomicI64::new(0));
    let counted = {
        let size = size.clone();
        body.inspect_ok(move |part| {
            size.fetch_add(part.len().try_into().unwrap_or(i64::MAX), Relaxed);
        })
    };
    api.relay_file(&path, counted).await?;
    Ok((path, size.load(Relaxed)))
}

/// A name that is not taken: with a number before its ending, if need be.
fn free_name(name: &str, taken: &[String]) -> String {
    let (stem, ending) = match name.rfind('.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, ""),
    };
    (1..MAX_SAME)
        .map(|n| match n {
            1 => name.to_owned(),
            n => format!("{stem}-{n}{ending}"),
        })
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| format!("{stem}-{}{ending}", Uuid::new_v4().simple()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_beside_each_other() {
        let taken = ["a.md".to_owned(), "a-2.md".to_owned(), "b".to_owned()];
        for (name, free) in [("a.md", "a-3.md"), ("b", "b-2"), ("c.tar.gz", "c.tar.gz")] {
            assert_eq!(free_name(name, &taken), free);
        }
        let all: Vec<String> = (1..=MAX_SAME)
            .map(|n| if n == 1 { "x".into() } else { format!("x-{n}") })
            .collect();
        assert!(!all.contains(&free_name("x", &all)));
    }

    #[tokio::test]
    async fn strange_names_are_refused() {
        let api = AgentApi::new(|| async {
            Err::<tokio::net::TcpStream, _>(std::io::Error::other("nobody there"))
        });
        let send = |name: &'static str| {
            let nothing = futures::stream::empty::<std::io::Result<Bytes>>();
            send(&api, Uuid::nil(), name, nothing)
        };
        for name in ["", ".ssh", "../x", "a/b", "a\\b", "a\0", "a\nb"] {
            let refused = send(name).await;
            assert!(matches!(refused, Err(SendError::Name(_))), "{name:?}");
        }
        assert!(matches!(send("a").await, Err(SendError::Agent(_))));
    }
}
