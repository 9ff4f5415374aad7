//! What is known of the branches and pull requests of chats.

use authz::{Action, Object, ResourceType, Subject, authorize};
use uuid::Uuid;

use super::ChatTouch;
use crate::cols::Cols;
use crate::conn::Conn;
use crate::{Result, Time, Tx, workspace_agents::may_report};

/// What is known of a chat's branch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatDiffRow {
    /// The chat.
    pub chat_id: Uuid,
    /// The branch.
    pub git_branch: String,
    /// Where it is pushed to.
    pub git_remote_origin: String,
    /// Its pull request.
    pub facts: Option<DiffFacts>,
    /// When it was last asked for successfully.
    pub refreshed_at: Option<Time>,
    /// From when on it is asked for again.
    pub stale_at: Option<Time>,
}

/// A pull request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiffFacts {
    /// Its page.
    pub url: String,
    /// `open`, `closed` or `merged`.
    pub state: String,
    /// Its title.
    pub title: String,
    /// It is a draft.
    pub draft: bool,
    /// A reviewer wants changes.
    pub changes_requested: bool,
    /// A reviewer approves, and none wants changes.
    pub approved: bool,
    /// How many people have decided on it, one way or the other.
    pub reviewer_count: i32,
    /// Who made it.
    pub author_login: String,
    /// A picture of them.
    pub author_avatar_url: String,
    /// The branch that it changes.
    pub base_branch: String,
    /// How many commits it has.
    pub commits: i32,
    /// Its number.
    pub number: i32,
    /// Lines added.
    pub additions: i32,
    /// Lines removed.
    pub deletions: i32,
    /// Files changed.
    pub changed_files: i32,
    /// The branch as the pull request names it.
    pub head_branch: String,
}

/// One that is to be asked for.
#[derive(Debug, Clone)]
pub struct StaleDiff {
    /// What is known.
    pub row: ChatDiffRow,
    /// The chat.
    pub touch: ChatTouch,
    /// When branch and origin were told last.
    pub told_at: Time,
}

const COLUMNS: &str = "d.chat_id, d.git_branch, d.git_remote_origin, d.url, \
    coalesce(d.pull_request_state, ''), d.pull_request_title, d.pull_request_draft, \
    d.changes_requested, coalesce(d.pr_number, 0), d.additions, d.deletions, d.changed_files, \
    coalesce(d.head_branch, ''), d.approved, d.reviewer_count, d.author_login, \
    d.author_avatar_url, d.base_branch, d.commits, d.refreshed_at, d.stale_at";

fn read(cols: &mut Cols<'_>) -> Result<ChatDiffRow> {
    let (chat_id, git_branch, git_remote_origin) = (cols.next()?, cols.next()?, cols.next()?);
    let url: Option<String> = cols.next()?;
    let facts = DiffFacts {
        url: String::new(),
        state: cols.next()?,
        title: cols.next()?,
        draft: cols.next()?,
        changes_requested: cols.next()?,
        number: cols.next()?,
        additions: cols.next()?,
        deletions: cols.next()?,
        changed_files: cols.next()?,
        head_branch: cols.next()?,
        approved: cols.next()?,
        reviewer_count: cols.next()?,
        author_login: cols.next()?,
        author_avatar_url: cols.next()?,
        base_branch: cols.next()?,
        commits: cols.next()?,
    };
    Ok(ChatDiffRow {
        chat_id,
        git_branch,
        git_remote_origin,
        facts: url.map(|url| DiffFacts { url, ..facts }),
        refreshed_at: cols.next()?,
        stale_at: cols.next()?,
    })
}

/// The refresher may change any chat.
fn may_refresh(who: &Subject) -> Result<()> {
    Ok(authorize(
        who,
        Action::Update,
        &Object::new(ResourceType::Chat),
    )?)
}

impl Conn {
    /// What is known of chats that `who` was allowed to read.
    pub async fn chat_diffs(&self, chats: &[Uuid]) -> Result<Vec<ChatDiffRow>> {
        let sql = format!("SELECT {COLUMNS} FROM chat_diff_statuses d WHERE d.chat_id = ANY ($1)");
        let rows = self.query(&sql, &[&chats]).await?;
        rows.iter().map(|row| read(&mut Cols::new(row))).collect()
    }

    /// Takes what is to be asked for, the oldest first; nobody else gets it for `hold_seconds`.
    pub async fn chat_diffs_take_stale(
        &self,
        who: &Subject,
        limit: i64,
        hold_seconds: f64,
    ) -> Result<Vec<StaleDiff>> {
        may_refresh(who)?;
        let sql = format!(
            "WITH stale AS (SELECT s.chat_id FROM chat_diff_statuses s \
                 JOIN chats sc ON sc.id = s.chat_id AND NOT sc.archived \
                 WHERE s.stale_at <= now() AND s.git_remote_origin <> '' \
                 ORDER BY s.stale_at LIMIT $1 FOR UPDATE OF s SKIP LOCKED), \
             taken AS (UPDATE chat_diff_statuses d SET stale_at = now() + make_interval(secs => $2) \
                 FROM stale WHERE d.chat_id = stale.chat_id RETURNING d.*) \
             SELECT {COLUMNS}, c.owner_id, c.snapshot_version, d.told_at \
             FROM taken d JOIN chats c ON c.id = d.chat_id"
        );
        let rows = self.query(&sql, &[&limit, &hold_seconds]).await?;
        rows.iter()
            .map(|row| {
                let mut cols = Cols::new(row);
                let row = read(&mut cols)?;
                Ok(StaleDiff {
                    touch: ChatTouch {
                        chat: row.chat_id,
                        owner: cols.next()?,
                        snapshot: cols.next()?,
                    },
                    row,
                    told_at: cols.next()?,
                })
            })
            .collect()
    }

    /// Asks for it again in so many seconds.
    pub async fn chat_diff_later(&self, who: &Subject, chat: Uuid, seconds: f64) -> Result<()> {
        may_refresh(who)?;
        let sql = "UPDATE chat_diff_statuses SET stale_at = now() + make_interval(secs => $2) \
                   WHERE chat_id = $1";
        self.execute(sql, &[&chat, &seconds]).await?;
        Ok(())
    }
}

impl Tx {
    /// Notes on which branch chats of a workspace work: the one that is named, or all that are not
    /// archived. What was known of another branch is forgotten. Answers which chats those are.
    pub async fn chat_diffs_told(
        &self,
        who: &Subject,
        workspace: Uuid,
        chat: Option<Uuid>,
        branch: &str,
        origin: &str,
    ) -> Result<Vec<ChatTouch>> {
        may_report(who)?;
        let sql = "WITH meant AS (SELECT c.id, c.owner_id, c.snapshot_version FROM chats c \
                 JOIN workspaces w ON w.id = c.workspace_id AND w.owner_id = c.owner_id \
                 WHERE c.workspace_id = $1 AND NOT c.archived AND ($2::uuid IS NULL OR c.id = $2)), \
             other AS (DELETE FROM chat_diff_statuses d USING meant m WHERE d.chat_id = m.id \
                 AND (d.git_branch, d.git_remote_origin) IS DISTINCT FROM ($3, $4)) \
             SELECT id, owner_id, snapshot_version FROM meant";
        let rows = self
            .query(sql, &[&workspace, &chat, &branch, &origin])
            .await?;
        let touched: Vec<ChatTouch> = rows.iter().map(ChatTouch::read).collect::<Result<_>>()?;
        let ids: Vec<Uuid> = touched.iter().map(|touch| touch.chat).collect();
        let sql = "INSERT INTO chat_diff_statuses (chat_id, git_branch, git_remote_origin) \
             SELECT id, $2, $3 FROM unnest($1::uuid[]) AS t (id) \
             ON CONFLICT (chat_id) DO UPDATE SET stale_at = now(), told_at = now()";
        self.execute(sql, &[&ids, &branch, &origin]).await?;
        Ok(touched)
    }

    /// Notes what a chat's pull request is, unless the chat works on another branch by now;
    /// whether it was noted. It is asked for again in so many seconds.
    pub async fn chat_diff_set(
        &self,
        who: &Subject,
        row: &ChatDiffRow,
        facts: &DiffFacts,
        seconds: f64,
    ) -> Result<bool> {
        may_refresh(who)?;
        let sql = "UPDATE chat_diff_statuses SET url = $4, pull_request_state = $5, \
                pull_request_title = $6, pull_request_draft = $7, changes_requested = $8, \
                pr_number = $9, additions = $10, deletions = $11, changed_files = $12, \
                head_branch = nullif($13, ''), refreshed_at = now(), \
                stale_at = now() + make_interval(secs => $14), approved = $15, \
                reviewer_count = $16, author_login = $17, author_avatar_url = $18, \
                base_branch = $19, commits = $20 \
             WHERE chat_id = $1 AND git_branch = $2 AND git_remote_origin = $3";
        let changed = self
            .execute(
                sql,
                &[
                    &row.chat_id,
                    &row.git_branch,
                    &row.git_remote_origin,
                    &facts.url,
                    &facts.state,
                    &facts.title,
                    &facts.draft,
                    &facts.changes_requested,
                    &facts.number,
                    &facts.additions,
                    &facts.deletions,
                    &facts.changed_files,
                    &facts.head_branch,
                    &seconds,
                    &facts.approved,
                    &facts.reviewer_count,
                    &facts.author_login,
                    &facts.author_avatar_url,
                    &facts.base_branch,
                    &facts.commits,
                ],
            )
            .await?;
        Ok(changed == 1)
    }
}
