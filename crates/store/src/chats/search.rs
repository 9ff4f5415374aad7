//! What chats are looked for with, as SQL conditions.

use crate::conn::SqlParam;

/// What is asked for. All conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct ChatSearch {
    /// Part of the title; `%` and `_` stand for anything.
    pub title: Option<String>,
    /// Put away, or not.
    pub archived: bool,
    /// With something unseen, or without.
    pub has_unread: Option<bool>,
    /// Any of these states of its pull request: `draft`, `open`, `merged`, `closed`, `none`.
    pub pr_status: Vec<String>,
    /// Any of these statuses.
    pub status: Vec<String>,
    /// The exact address of the pull request, of the chat or one below it.
    pub diff_url: Option<String>,
    /// The number of the pull request.
    pub pr: Option<i32>,
    /// Part of the repository's address.
    pub repo: Option<String>,
    /// Part of the pull request's title.
    pub pr_title: Option<String>,
    /// Words of titles and messages.
    pub search: Option<String>,
    /// One's own.
    pub mine: bool,
    /// Those that others shared.
    pub shared_with_me: bool,
    /// Labels that it must have.
    pub labels: Vec<(String, String)>,
}

/// Conditions on `chats c`, with the parameters from `$first` on.
pub(super) fn conditions<'a>(
    by: &'a ChatSearch,
    me: SqlParam<'a>,
    first: usize,
) -> (String, Vec<SqlParam<'a>>) {
    let mut out = Conditions {
        sql: String::new(),
        params: Vec::new(),
        first,
    };
    out.and("c.archived = $?", &by.archived);
    match (by.mine, by.shared_with_me) {
        (true | false, false) => out.and("c.owner_id = $?", me),
        (false, true) => out.and("c.owner_id <> $?", me),
        (true, true) => {}
    }
    if let Some(title) = &by.title {
        out.and("c.title ILIKE '%' || $? || '%'", title);
    }
    if let Some(unread) = &by.has_unread {
        out.and(&format!("{} = $?", super::read::UNREAD), unread);
    }
    if !by.status.is_empty() {
        out.and("c.status = ANY ($?)", &by.status);
    }
    if !by.pr_status.is_empty() {
        out.and(
            "coalesce((SELECT CASE WHEN d.pull_request_draft AND d.pull_request_state = 'open' \
             THEN 'draft' ELSE d.pull_request_state END FROM chat_diff_statuses d \
             WHERE d.chat_id = c.id), 'none') = ANY ($?)",
            &by.pr_status,
        );
    }
    if let Some(url) = &by.diff_url {
        out.and(
            "EXISTS (SELECT 1 FROM chat_diff_statuses d JOIN chats dc ON dc.id = d.chat_id \
             WHERE (dc.id = c.id OR dc.root_chat_id = c.id) AND d.url = $?)",
            url,
        );
    }
    if let Some(pr) = &by.pr {
        out.and(&format!("{DIFF} AND d.pr_number = $?)"), pr);
    }
    if let Some(repo) = &by.repo {
        let condition = format!(
            "{DIFF} AND (d.git_remote_origin ILIKE '%' || $? || '%' OR d.url ILIKE '%' || $? || '%'))"
        );
        out.and(&condition, repo);
    }
    if let Some(title) = &by.pr_title {
        let condition = format!("{DIFF} AND d.pull_request_title ILIKE '%' || $? || '%')");
        out.and(&condition, title);
    }
    if let Some(words) = &by.search {
        out.and(
            "numnode(websearch_to_tsquery('simple', $?)) > 0 AND ( \
             to_tsvector('simple', c.title) @@ websearch_to_tsquery('simple', $?) OR EXISTS ( \
             SELECT 1 FROM chat_diff_statuses d WHERE d.chat_id = c.id AND to_tsvector('simple', \
             d.pull_request_title || ' ' || coalesce(d.pr_number::text, '')) \
             @@ websearch_to_tsquery('simple', $?)) OR EXISTS ( \
             SELECT 1 FROM chat_messages sm WHERE sm.chat_id = c.id AND NOT sm.deleted \
             AND sm.visibility <> 'model' AND sm.role <> 'system' AND to_tsvector('simple', \
             left(jsonb_path_query_array(sm.content, '$[*].text')::text, 200000)) \
             @@ websearch_to_tsquery('simple', $?)))",
            words,
        );
    }
    for (key, value) in &by.labels {
        out.params.push(key);
        let key = out.place();
        out.params.push(value);
        let value = out.place();
        out.sql
            .push_str(&format!(" AND c.labels ->> {key} = {value}"));
    }
    (out.sql, out.params)
}

const DIFF: &str = "EXISTS (SELECT 1 FROM chat_diff_statuses d WHERE d.chat_id = c.id";

struct Conditions<'a> {
    sql: String,
    params: Vec<SqlParam<'a>>,
    first: usize,
}

impl<'a> Conditions<'a> {
    /// Place of the parameter added last.
    fn place(&self) -> String {
        format!("${}", self.first + self.params.len() - 1)
    }

    /// Adds a condition; every `$?` in it becomes the parameter.
    fn and(&mut self, condition: &str, value: SqlParam<'a>) {
        self.params.push(value);
        let place = self.place();
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition.replace("$?", &place));
    }
}
