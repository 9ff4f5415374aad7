//! Branches of chats and their pull requests: told by git in the workspace, looked up at the host
//! of the repository in the name of the chat's owner, and looked up again from time to time.

use std::sync::Arc;

use api_types::{Chat, ChatDiffContents, ChatDiffStatus};
use authz::{Subject, System};
use chrono::{TimeDelta, Utc};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use store::Conn;
use store::chats::{ChatDiffRow, DiffFacts, StaleDiff};
use uuid::Uuid;

use crate::agents::{AgentSession, agent_subject};
use crate::{Control, Error, Result};

/// Longest branch and address, in bytes: what git itself can handle is less.
const MAX_TEXT: usize = 2048;
/// Most that are looked up at one time; the rest comes ten seconds later.
const BATCH: i64 = 50;
/// Most that are looked up at once.
const AT_ONCE: usize = 10;
/// Who takes one to look it up has so long before another may.
const HOLD_SECONDS: f64 = 300.0;
/// How long an answer is good, and how long after a failure it is tried again.
const GOOD_SECONDS: f64 = 120.0;
/// When an owner has no account at the host, that seldom changes.
const NO_TOKEN_SECONDS: f64 = 600.0;
/// A branch was just pushed: its pull request often follows at once.
const NO_PULL_REQUEST_SECONDS: f64 = 15.0;
/// For how long a branch counts as just pushed.
const NEW_BRANCH: TimeDelta = TimeDelta::minutes(2);

/// A branch at a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitBranch {
    /// Address of the repository, as git has it.
    pub origin: String,
    /// The branch.
    pub name: String,
}

/// Why a host says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitHostError {
    /// The owner has no account there that this server knows of.
    #[error("the chat's owner has not signed in to the repository's host here")]
    NoToken,
    /// It wants to be left alone for so many seconds.
    #[error("the repository's host asks to wait {0} seconds")]
    Busy(u32),
    /// Anything else, for people.
    #[error("{0}")]
    Failed(String),
}

/// Hosts of repositories, asked in the name of a user.
pub trait GitHosts: Send + Sync {
    /// The kind of host that an address leads to, such as `github`; none if it is not known.
    fn kind(&self, origin: &str) -> Option<String>;
    /// The pull request of a branch.
    fn pull_request<'a>(
        &'a self,
        owner: Uuid,
        branch: &'a GitBranch,
    ) -> BoxFuture<'a, std::result::Result<Option<DiffFacts>, GitHostError>>;
    /// What a branch changes, as a unified diff; of its pull request if there is one.
    fn diff<'a>(
        &'a self,
        owner: Uuid,
        branch: &'a GitBranch,
        pull_request: Option<i32>,
    ) -> BoxFuture<'a, std::result::Result<String, GitHostError>>;
}

/// Adds to chats, and to those below them, what is known of their pull requests.
pub(super) async fn add(conn: &Conn, chats: &mut [Chat]) -> Result<()> {
    let ids: Vec<Uuid> = chats
        .iter()
        .flat_map(|chat| std::iter::once(chat.id).chain(chat.children.iter().map(|c| c.id)))
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let known = conn.chat_diffs(&ids).await?;
    if known.is_empty() {
        return Ok(());
    }
    let of = |id: Uuid| known.iter().find(|row| row.chat_id == id).map(shown);
    for chat in chats {
        chat.diff_status = of(chat.id);
        for child in &mut chat.children {
            child.diff_status = of(child.id);
        }
    }
    Ok(())
}

fn shown(row: &ChatDiffRow) -> ChatDiffStatus {
    let bare = ChatDiffStatus {
        chat_id: row.chat_id,
        head_branch: Some(row.git_branch.clone()).filter(|name| !name.is_empty()),
        refreshed_at: row.refreshed_at,
        stale_at: row.stale_at,
        ..ChatDiffStatus::default()
    };
    let Some(facts) = &row.facts else {
        return bare;
    };
    let told = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    ChatDiffStatus {
        url: Some(facts.url.clone()),
        pull_request_state: told(&facts.state),
        pull_request_title: facts.title.clone(),
        pull_request_draft: facts.draft,
        changes_requested: facts.changes_requested,
        additions: facts.additions,
        deletions: facts.deletions,
        changed_files: facts.changed_files,
        head_branch: told(&facts.head_branch).or(bare.head_branch.clone()),
        pr_number: Some(facts.number).filter(|number| *number > 0),
        author_login: told(&facts.author_login),
        author_avatar_url: told(&facts.author_avatar_url),
        base_branch: told(&facts.base_branch),
        commits: Some(facts.commits),
        approved: Some(facts.approved),
        reviewer_count: Some(facts.reviewer_count),
        ..bare
    }
}

impl Control {
    /// From now on pull requests can be looked up. Only the first call counts.
    pub fn chat_git_hosts_set(&self, hosts: Arc<dyn GitHosts>) {
        let _ = self.chats().git_hosts.set(hosts);
    }

    fn git_hosts(&self) -> Option<&Arc<dyn GitHosts>> {
        self.chats().git_hosts.get()
    }

    /// Git in a workspace asks for credentials for a branch: the chat that it works for, or all
    /// chats of the workspace if that is not known, work on it. Nonsense is not noted.
    pub async fn agent_git_told(
        &self,
        agent: &AgentSession,
        chat: Option<Uuid>,
        branch: &str,
        origin: &str,
    ) -> Result<()> {
        let (branch, origin) = (branch.trim(), without_secrets(origin.trim()));
        let fine = |text: &str| !text.is_empty() && text.len() <= MAX_TEXT && !text.contains('\0');
        if !fine(branch) || !fine(&origin) {
            return Ok(());
        }
        let who = agent_subject();
        let tx = self.store().begin(&who).await?;
        let touched = tx
            .chat_diffs_told(&who, agent.workspace_id, chat, branch, &origin)
            .await?;
        for chat in touched {
            tx.chat_announce(&chat.change("diff_status_change")).await?;
        }
        Ok(tx.commit().await?)
    }

    /// What a chat's branch changes, as its host has it; what is known of the branch if the host
    /// cannot be asked.
    pub async fn chat_diff(&self, who: &Subject, id: Uuid) -> Result<ChatDiffContents> {
        let conn = self.store().conn().await?;
        let chat = conn.chat_read(who, id).await?;
        let known = conn.chat_diffs(&[id]).await?.pop();
        drop(conn);
        let mut contents = ChatDiffContents {
            chat_id: id,
            ..ChatDiffContents::default()
        };
        let Some(row) = known else {
            return Ok(contents);
        };
        contents.remote_origin = Some(row.git_remote_origin.clone());
        contents.branch = Some(row.git_branch.clone());
        contents.pull_request_url = row.facts.as_ref().map(|facts| facts.url.clone());
        let Some(hosts) = self.git_hosts() else {
            return Ok(contents);
        };
        contents.provider = hosts.kind(&row.git_remote_origin);
        if contents.provider.is_none() {
            return Ok(contents);
        }
        let number = row.facts.as_ref().map(|facts| facts.number);
        match hosts.diff(chat.owner_id, &branch(&row), number).await {
            Ok(diff) => contents.diff = diff,
            Err(GitHostError::NoToken) => {}
            Err(error) => {
                return Err(
                    Error::new(crate::Kind::BadGateway, "Failed to get chat diff.")
                        .with_detail(error.to_string()),
                );
            }
        }
        Ok(contents)
    }

    /// Looks up what is due, and tells the owners of chats; how many were looked up.
    pub async fn chat_diffs_refresh(&self) -> Result<usize> {
        let Some(hosts) = self.git_hosts() else {
            return Ok(0);
        };
        let who = Subject::system(System::Chats);
        let conn = self.store().conn().await?;
        let due = conn
            .chat_diffs_take_stale(&who, BATCH, HOLD_SECONDS)
            .await?;
        drop(conn);
        let count = due.len();
        futures::stream::iter(due)
            .for_each_concurrent(AT_ONCE, |stale| {
                let who = &who;
                async move {
                    let chat = stale.row.chat_id;
                    if let Err(error) = self.chat_diff_refresh(who, hosts.as_ref(), stale).await {
                        tracing::warn!(%error, %chat, "chats: a pull request was not noted");
                    }
                }
            })
            .await;
        Ok(count)
    }

    async fn chat_diff_refresh(
        &self,
        who: &Subject,
        hosts: &dyn GitHosts,
        stale: StaleDiff,
    ) -> Result<()> {
        let found = hosts
            .pull_request(stale.touch.owner, &branch(&stale.row))
            .await;
        let facts = match found {
            Ok(Some(facts)) => facts,
            other => {
                let is_new = Utc::now() - stale.told_at < NEW_BRANCH;
                let conn = self.store().conn().await?;
                conn.chat_diff_later(who, stale.row.chat_id, pause(&other, is_new))
                    .await?;
                if let Err(error) = other {
                    tracing::debug!(%error, chat = %stale.row.chat_id, "chats: no pull request");
                }
                return Ok(());
            }
        };
        let tx = self.store().begin(who).await?;
        let noted = tx
            .chat_diff_set(who, &stale.row, &facts, GOOD_SECONDS)
            .await?;
        if noted && stale.row.facts.as_ref() != Some(&facts) {
            tx.chat_announce(&stale.touch.change("diff_status_change"))
                .await?;
        }
        Ok(tx.commit().await?)
    }
}

/// When to look again after finding nothing.
fn pause(found: &std::result::Result<Option<DiffFacts>, GitHostError>, is_new: bool) -> f64 {
    match found {
        Ok(_) if is_new => NO_PULL_REQUEST_SECONDS,
        Ok(_) => HOLD_SECONDS,
        Err(GitHostError::NoToken) => NO_TOKEN_SECONDS,
        Err(GitHostError::Busy(seconds)) => f64::from(*seconds).max(GOOD_SECONDS),
        Err(GitHostError::Failed(_)) => GOOD_SECONDS,
    }
}

fn branch(row: &ChatDiffRow) -> GitBranch {
    GitBranch {
        origin: row.git_remote_origin.clone(),
        name: row.git_branch.clone(),
    }
}

/// An address without the password that some people put into it.
fn without_secrets(origin: &str) -> String {
    match url::Url::parse(origin) {
        Ok(mut url) if url.password().is_some() || url.scheme().starts_with("http") => {
            let _ = url.set_password(None);
            if url.scheme().starts_with("http") {
                // There, a name without a password is a token.
                let _ = url.set_username("");
            }
            url.into()
        }
        _ => origin.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_kept() {
        for (origin, kept) in [
            (
                "https://ghp_x@github.com/a/b.git",
                "https://github.com/a/b.git",
            ),
            ("https://u:p@github.com/a/b", "https://github.com/a/b"),
            ("git@github.com:a/b.git", "git@github.com:a/b.git"),
            ("ssh://git:p@h/a", "ssh://git@h/a"),
        ] {
            assert_eq!(without_secrets(origin), kept);
        }
    }

    #[test]
    fn pauses_follow_what_was_found() {
        assert!((pause(&Ok(None), true) - 15.0).abs() < 0.1);
        assert!((pause(&Ok(None), false) - 300.0).abs() < 0.1);
        assert!((pause(&Err(GitHostError::NoToken), true) - 600.0).abs() < 0.1);
        assert!((pause(&Err(GitHostError::Busy(3600)), true) - 3600.0).abs() < 0.1);
        assert!((pause(&Err(GitHostError::Failed("x".into())), true) - 120.0).abs() < 0.1);
    }
}
