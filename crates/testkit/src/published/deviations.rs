//! Where answers may differ from the published document, and why: the only place that says so.
//!
//! A line names a method (`*` is any), a route of the document (`**` at the end is any rest; a route
//! that the document lacks is matched as it was requested), a part of the finding, and the reason.

use super::seen;

/// The document is older than the API that we serve.
#[rustfmt::skip]
const NEWER: &[[&str; 4]] = &[
    ["*", "**", ".reason: \"", "reasons of builds that came later"],
    ["GET", "/api/v2/auth/scopes", "none of the listed values", "scopes of chat models"],
    ["*", "/api/v2/deployment/config", "is not in the definition", "options that came later, and our own"],
    ["*", "/api/v2/chats/config/**", "is not in the document", "promoted with the chats; the document has one of them"],
    ["POST", "/api/v2/chats/{chat}/clear", "is not in the document", "came later"],
    ["POST", "/api/v2/chats/{chat}/tool-results", "is not in the document", "came later"],
    ["POST", "/api/v2/chats/{chat}/title/propose", "is not in the document", "came later"],
    ["*", "/api/v2/chats/{chat}/queue/**", "is not in the document", "came later"],
    ["POST", "/api/v2/chats/{chat}/workspace-files", "is not in the document", "came later"],
    ["GET", "/api/experimental/chats/{chat}/messages", ".queued_message_id is not in the definition", "came later"],
    ["GET", "/api/v2/chats/by-workspace", "", "came later; the document takes the word for a chat"],
    ["GET", "/api/experimental/chats/{chat}/debug/**", "is not in the document", "still experimental, and came later"],
    ["*", "/api/experimental/chats/config/**", "is not in the document", "served at both places for clients of old"],
    ["*", "/api/v2/organizations/{organization}/chats/**", "is not in the document", "models belong to organizations"],
    ["*", "/api/v2/organizations/{organization}/members/{user}/chats/model-overrides/**", "is not in the document", "models belong to organizations"],
    ["GET", "/api/v2/organizations/{organization}/mcp-servers/{server}/acl/available", "is not in the document", "new with the promotion"],
    ["*", "/api/v2/users/{user}/ai-provider-keys/**", "is not in the document", "promoted later"],
    ["*", "/api/experimental/chats/**", ".type: \"workspace-file-reference\"", "came later"],
    ["*", "/api/experimental/chats/**", ".workspace_file_", "came later"],
    ["*", "/api/experimental/chats/**", ".editing_since is not in the definition", "came later"],
    ["*", "/api/experimental/chats/**", "status: \"paused\"", "came later"],
    ["GET", "/api/experimental/chats/{chat}", ".inline_mcp_servers is not in the definition", "servers that one chat brings along"],
];

/// What we serve beside it.
#[rustfmt::skip]
const OURS: &[[&str; 4]] = &[
    ["*", "/api/experimental/chats/model-configs/**", "", "where clients of old look for models; the document takes the word for a chat"],
    ["GET", "/api/v2/audit", ".resource_type: \"chat_model_config\"", "models are audited"],
    ["POST", "/api/v2/workspaceagents/me/experimental/chat-context/refresh", "is not in the document", "the published server has it, and does not tell"],
    ["GET", "/api/v2/chats/{chat}/instructions", "is not in the document", "what a chat is told, for its owner to read"],
    ["*", "/api/experimental/mcp/http", "", "speaks the Model Context Protocol, not the API's"],
    ["*", "**", "status 502 is a failure", "another server failed whom we had to ask"],
    ["*", "**", "status 503 is a failure", "the database is away; nothing of ours has failed"],
    ["POST", "/api/v2/users/otp/request", "status 501", "without a mail server nothing could arrive: better said than promised"],
];

/// The document says something else than the published server does.
#[rustfmt::skip]
const WRONG: &[[&str; 4]] = &[
    ["GET", "/api/v2/experiments/available", "$: an array", "one object with a list"],
    ["GET", "/api/v2/organizations/{organization}/paginated-members", "$: an array", "one object with a list"],
    ["GET", "/api/v2/templates/{template}/versions/{templateversionname}", "$: an array", "one version"],
    ["GET", "/api/v2/notifications/dispatch-methods", "$: an array", "one object with a list"],
    ["PUT", "/api/v2/notifications/inbox/{id}/read-status", "$.", "the message and how many are unread"],
    ["GET", "/api/v2/templates/{template}/acl/available", "$: an array", "one object with two lists"],
    ["*", "/api/v2/users/{user}/quiet-hours", "$: an array", "one schedule"],
    ["GET", "/api/v2/workspaceproxies", "$: an array", "one object with a list"],
    ["*", "/api/v2/organizations/{organization}/members/roles", "$: an array", "one role"],
    ["GET", "/api/v2/users/{user}/roles", "$.", "roles, not the user"],
    ["GET", "/api/v2/external-auth", "$.", "links and providers, not one link"],
    ["*", "**", ".P50 is not in the definition", "capital letters"],
    ["*", "**", ".P95 is not in the definition", "capital letters"],
    ["GET", "**", ".derp_map.Regions is not in the definition", "the map has the relays' own spelling"],
    ["GET", "/api/v2/debug/health", ".node.", "the map has the relays' own spelling"],
    ["GET", "/api/v2/debug/health", ".region.", "the map has the relays' own spelling"],
    ["GET", "/api/v2/debug/health", ".netcheck.", "the report has the relays' own spelling"],
    ["GET", "/api/v2/debug/health", ".stun.", "the report has the relays' own spelling"],
    ["GET", "/api/v2/debug/health", "provisioner_daemons.healthy", "of each part, also of this"],
    ["GET", "/api/v2/templates/examples", "is no UUID", "examples have names"],
    ["GET", "/api/v2/organizations/{organization}/templates/examples", "is no UUID", "examples have names"],
    ["GET", "/api/v2/users/{user}/keys/tokens", ".username is not in the definition", "the owner's name comes with it"],
    ["*", "/api/v2/users/{user}/keys/**", ".allow_list[", "targets are text"],
    ["GET", "/api/v2/deployment/config", "url: an object is expected", "text"],
    ["GET", "/api/v2/deployment/config", "address: an object is expected", "text"],
    ["GET", "/api/v2/deployment/config", "endpoint: an object is expected", "text"],
    ["GET", "/api/v2/deployment/config", "group_regex_filter: an object is expected", "text"],
    ["*", "**", "status: \"dormant\"", "users are dormant before they first sign in"],
    ["DELETE", "/api/v2/organizations/{organization}/members/roles/{roleName}", "status 204", "nothing is left to tell"],
    ["POST", "/api/v2/organizations/{organization}/templates", "status 201", "as whatever is made"],
    ["POST", "/api/v2/templateversions/{templateversion}/archive", "$: an object is expected, not \"template version", "text"],
    ["POST", "/api/v2/templateversions/{templateversion}/unarchive", "$: an object is expected, not \"template version", "text"],
    ["POST", "/api/v2/templates/{template}/versions/archive", "is not in the definition", "what was archived, not an error"],
    ["DELETE", "/api/v2/groups/{group}", "$.message is not in the definition", "a message, not the group"],
    ["PUT", "/api/v2/debug/health/settings", "status 204", "nothing had to be changed"],
    ["GET", "/api/v2/workspacebuilds/{workspacebuild}/state", "the body is no JSON", "the state as it is, also if there is none"],
    ["*", "/api/experimental/chats/**", ".args: an array", "any JSON; the document takes it for bytes"],
    ["*", "/api/experimental/chats/**", ".result: an array", "any JSON; the document takes it for bytes"],
    ["*", "/api/experimental/chats/**", ".mcp_server_config_id: an object", "an id"],
    ["GET", "/api/v2/applications/auth-redirect", "status 303", "the published server says so too"],
    ["POST", "/api/v2/workspaceagents/me/log-source", "status 201", "as whatever is made"],
    ["GET", "**", "status 101", "with follow or a WebSocket's headers; the document tells the other answer"],
];

fn lines() -> impl Iterator<Item = &'static [&'static str; 4]> {
    NEWER.iter().chain(OURS).chain(WRONG)
}

/// Whether a finding about a route of the document, or a path as it was requested, is known.
pub(super) fn excused(method: &str, route: &str, path: &str, finding: &str) -> bool {
    let line = lines().position(|[methods, pattern, part, _]| {
        (*methods == "*" || *methods == method)
            && (of(pattern, route) || of(pattern, path))
            && finding.contains(part)
    });
    if let Some(number) = line {
        seen::excused(number);
    }
    line.is_some()
}

fn of(pattern: &str, route: &str) -> bool {
    let mut parts = route.split('/');
    for named in pattern.split('/') {
        if named == "**" {
            return true;
        }
        match parts.next() {
            Some(part) if named == part || named.starts_with('{') && !part.is_empty() => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

/// All lines by number, as text.
pub(super) fn all() -> impl Iterator<Item = (usize, String)> {
    lines().map(|line| line.join(" | ")).enumerate()
}
