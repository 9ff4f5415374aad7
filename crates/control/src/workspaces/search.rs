//! The query that lists of workspaces are asked with.

use authz::Subject;
use chrono::{DateTime, Utc};
use store::workspaces::WorkspaceFilter;
use uuid::Uuid;

use crate::search::Query;
use crate::{Error, Result};

const STATUSES: &[&str] = &[
    "pending",
    "starting",
    "running",
    "stopping",
    "stopped",
    "failed",
    "canceling",
    "canceled",
    "deleting",
    "deleted",
];
const AGENT_STATUSES: &[&str] = &["connecting", "connected", "disconnected", "timeout"];

/// Reads a query; `me` is whoever asks.
pub(super) fn parse(who: &Subject, query: &str) -> Result<WorkspaceFilter> {
    let mut q = Query::parse(query, "name");
    let mut by = WorkspaceFilter {
        owner: q.one("owner"),
        template: q.one("template"),
        organization: q.one("organization"),
        name: q.one("name"),
        status: q.parsed("status", "a workspace status", one_of(STATUSES)),
        has_agent: q.parsed("has-agent", "an agent status", one_of(AGENT_STATUSES)),
        healthy: q.flag("healthy"),
        dormant: q.flag("dormant"),
        outdated: q.flag("outdated"),
        has_external_agent: q.flag("has_external_agent"),
        shared: q.flag("shared"),
        shared_with_user: q.parsed("shared_with_user", "a user id", id_or_me(who)),
        shared_with_group: q.parsed("shared_with_group", "a group id", |t| t.parse().ok()),
        last_used_before: q.parsed("last_used_before", "a time (RFC 3339)", time),
        last_used_after: q.parsed("last_used_after", "a time (RFC 3339)", time),
        params: q.all("param").iter().map(|p| param(p)).collect(),
        ..WorkspaceFilter::default()
    };
    for id in q.list("id") {
        match id.parse() {
            Ok(id) => by.ids.push(id),
            Err(_) => q.error(
                "id",
                format!("Query param \"id\" must be UUIDs, not {id:?}."),
            ),
        }
    }
    // Tasks are no more: none of the workspaces has one.
    if q.flag("has-ai-task") == Some(true) {
        by.ids = vec![Uuid::nil()];
    }
    // Asks for more to be shown, not for fewer workspaces.
    let _ = q.list("include_agent_metadata");
    split_owner(&mut by, &mut q);
    if by.owner.as_deref() == Some("me") {
        by.owner = None;
        by.owner_id = who.user_id();
    }
    q.finish().map_err(|validations| Error {
        validations,
        ..Error::invalid("Invalid workspace search query.")
    })?;
    Ok(by)
}

/// A bare word is a name, or `owner/name`.
fn split_owner(by: &mut WorkspaceFilter, q: &mut Query) {
    let Some(name) = by.name.clone() else { return };
    match name.split('/').collect::<Vec<_>>()[..] {
        [_] => {}
        [owner, name] if !owner.is_empty() => {
            by.owner = Some(owner.to_owned());
            by.name = Some(name.to_owned()).filter(|n| !n.is_empty());
        }
        _ => q.error(
            "name",
            format!("{name:?} is neither a name nor owner/name."),
        ),
    }
}

fn one_of(known: &'static [&'static str]) -> impl FnOnce(&str) -> Option<String> {
    move |text| known.contains(&text).then(|| text.to_owned())
}

fn id_or_me(who: &Subject) -> impl FnOnce(&str) -> Option<Uuid> {
    let me = who.user_id();
    move |text| if text == "me" { me } else { text.parse().ok() }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    // Queries are lower-cased; the letters of RFC 3339 are not.
    text.to_uppercase().parse().ok()
}

fn param(text: &str) -> (String, Option<String>) {
    match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use authz::System;

    fn get(query: &str) -> Result<WorkspaceFilter> {
        parse(&Subject::system(System::Core), query)
    }

    #[test]
    fn keys_and_bare_words() {
        let by = get("template:docker status:running dev").unwrap();
        assert_eq!(by.template.as_deref(), Some("docker"));
        assert_eq!(
            (by.status.as_deref(), by.name.as_deref()),
            (Some("running"), Some("dev"))
        );
        let by = get("ann/dev").unwrap();
        assert_eq!(
            (by.owner.as_deref(), by.name.as_deref()),
            (Some("ann"), Some("dev"))
        );
    }

    #[test]
    fn parameters_and_times() {
        let by = get("param:region=eu param:gpu last_used_after:\"2026-11-25T10:00:00Z\"").unwrap();
        assert_eq!(
            by.params,
            [("region".into(), Some("eu".into())), ("gpu".into(), None)]
        );
        assert!(by.last_used_after.is_some());
    }

    #[test]
    fn nonsense_is_named() {
        for bad in [
            "status:nice",
            "a/b/c",
            "id:1",
            "nope:x",
            "dormant:perhaps",
            "/x",
        ] {
            let error = get(bad).unwrap_err();
            assert_eq!(error.status(), 400);
            assert!(!error.validations.is_empty(), "{bad}");
        }
    }
}
