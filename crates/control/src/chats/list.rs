//! Lists of chats, and what they are asked with.

use std::collections::HashMap;

use api_types::Chat;
use authz::Subject;
use store::chats::{ChatFilter, ChatSearch};
use uuid::Uuid;

use super::shown;
use crate::search::Query;
use crate::{Control, Error, Result};

/// Most workspaces to ask for at once.
const MAX_WORKSPACES: usize = 25;

/// What a list is asked with.
#[derive(Debug, Clone, Default)]
pub struct ChatListQuery {
    /// The search.
    pub q: String,
    /// Labels, `key:value` each.
    pub labels: Vec<String>,
    /// So many root chats at most; 0 means all.
    pub limit: i64,
    /// Leaving out so many.
    pub offset: i64,
    /// Only those behind this one.
    pub after: Option<Uuid>,
}

impl Control {
    /// Root chats with what is below them.
    pub async fn chat_list(&self, who: &Subject, query: &ChatListQuery) -> Result<Vec<Chat>> {
        let mut search = search(&query.q)?;
        for label in &query.labels {
            let pair = label.split_once(':');
            let Some((key, value)) = pair.filter(|(k, v)| !k.is_empty() && !v.is_empty()) else {
                return Err(Error::invalid(format!(
                    "Invalid label filter: {label:?} (expected format key:value, both must be \
                     non-empty)"
                )));
            };
            search.labels.push((key.to_owned(), value.to_owned()));
        }
        let filter = ChatFilter {
            search,
            after: query.after,
            limit: query.limit,
            offset: query.offset,
        };
        let conn = self.store().conn().await?;
        let page = conn.chat_list(who, &filter).await?;
        let mut children: HashMap<Uuid, Vec<Chat>> = HashMap::new();
        for child in &page.children {
            children.entry(child.root()).or_default().push(shown(child));
        }
        let me = who.user_id();
        let mut chats: Vec<Chat> = page
            .roots
            .iter()
            .map(|row| {
                let mut chat = shown(row);
                chat.children = children.remove(&row.id).unwrap_or_default();
                // A pin is its owner's own mark.
                if me != Some(row.owner_id) {
                    chat.pin_order = 0;
                }
                chat
            })
            .collect();
        super::diffs::add(&conn, &mut chats).await?;
        Ok(chats)
    }

    /// Per workspace, the latest chat that is not archived.
    pub async fn chats_by_workspace(
        &self,
        who: &Subject,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Uuid>> {
        if ids.len() > MAX_WORKSPACES {
            return Err(Error::invalid(format!(
                "Too many workspace IDs, maximum is {MAX_WORKSPACES}."
            )));
        }
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self
            .store()
            .conn()
            .await?
            .chats_by_workspace(who, ids)
            .await?;
        Ok(found.into_iter().collect())
    }
}

const STATUSES: &[&str] = &[
    "waiting",
    "running",
    "error",
    "requires_action",
    "interrupting",
];
const PR_STATUSES: &[&str] = &["draft", "open", "merged", "closed", "none"];

fn search(text: &str) -> Result<ChatSearch> {
    // A word without a key says nothing here: it is an unknown key like any other.
    let mut q = Query::parse(text, "");
    let bare = q.one("");
    let mut by = ChatSearch {
        title: q.one("title"),
        archived: q.flag("archived").unwrap_or(false),
        has_unread: q.flag("has_unread"),
        diff_url: q.parsed("diff_url", "an http or https URL", |text| {
            let url = url::Url::parse(text).ok()?;
            matches!(url.scheme(), "http" | "https").then(|| text.to_owned())
        }),
        pr: q.parsed("pr", "a positive number", |text| {
            text.parse().ok().filter(|n| *n > 0)
        }),
        repo: q.one("repo"),
        pr_title: q.one("pr_title"),
        search: q.one("search"),
        ..ChatSearch::default()
    };
    by.pr_status = known(&mut q, "pr_status", PR_STATUSES);
    by.status = known(&mut q, "status", STATUSES);
    for source in q.list("source") {
        match source.as_str() {
            "created_by_me" => by.mine = true,
            "shared_with_me" => by.shared_with_me = true,
            _ => q.error(
                "source",
                "Query param \"source\" must be created_by_me or shared_with_me.",
            ),
        }
    }
    if let Some(word) = bare {
        q.error(
            "q",
            format!("{word:?} has no key: write title:{word:?} or search:{word:?}."),
        );
    }
    if by.search.is_some() && (by.title.is_some() || by.pr_title.is_some() || by.pr.is_some()) {
        q.error(
            "search",
            "Query param \"search\" cannot be combined with title, pr_title or pr.",
        );
    }
    q.finish().map_err(|validations| Error {
        validations,
        ..Error::invalid("Invalid chat search query.")
    })?;
    Ok(by)
}

fn known(q: &mut Query, key: &str, names: &[&str]) -> Vec<String> {
    let values = q.list(key);
    if let Some(other) = values.iter().find(|v| !names.contains(&v.as_str())) {
        q.error(
            key,
            format!(
                "Query param {key:?} must be one of {}, not {other:?}.",
                names.join(", ")
            ),
        );
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        let by =
            search("title:\"my project\" archived:true pr_status:draft,open source:shared_with_me")
                .unwrap();
        assert_eq!(by.title.as_deref(), Some("my project"));
        assert!(by.archived && by.shared_with_me && !by.mine);
        assert_eq!(by.pr_status, ["draft", "open"]);
        assert!(!search("").unwrap().archived);
    }

    #[test]
    fn nonsense_is_named() {
        for bad in [
            "word",
            "nope:1",
            "a:b:c",
            "pr:0",
            "pr:x",
            "diff_url:ftp://x",
            "source:all",
            "status:nice",
            "search:x title:y",
        ] {
            assert_eq!(search(bad).unwrap_err().status(), 400, "{bad}");
        }
    }
}
