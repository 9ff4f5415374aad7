//! `coder_app`: something in the workspace that the dashboard opens.

use super::{AGENT_ID, Resource, is_set};
use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block, Check, Constant, Finding, Nested};
use crate::value::{Object, Value, field};

/// The resource.
pub const RESOURCE: Resource = Resource {
    create,
    ..Resource::new("coder_app", 1, &BLOCK)
};

const BLOCK: Block = Block::new(
    "An app of the workspace: a web page that is reached through the server, a command in a terminal, or a link.",
    &[
        AGENT_ID,
        Attribute::string("command")
            .about("A command that opens in a terminal. Not with `url` or `subdomain`.")
            .conflicts_with(&["url", "subdomain"]),
        Attribute::string("display_name")
            .about("What the app is called; its slug if not set. At most 64 characters.")
            .checked(&[Check::MaxLength(64)]),
        Attribute::bool("external")
            .about("Whether `url` is opened on the visitor's machine as it is, and not through the server.")
            .default(Constant::Bool(false))
            .conflicts_with(&["healthcheck", "command", "subdomain", "share"]),
        Attribute::string("group")
            .about("Name of the group that the app is shown in. At most 64 characters.")
            .checked(&[Check::MaxLength(64)]),
        Attribute::bool("hidden").about("Whether the dashboard leaves it out.").default(Constant::Bool(false)),
        Attribute::string("icon").about("URL of an icon, for example `/icon/code.svg`.").checked(&[Check::Url]),
        Attribute::implied_id(),
        Attribute::string("open_in")
            .about("Where it opens: `tab`, or `slim-window` for a window without the browser's controls.")
            .default(Constant::Text("slim-window"))
            .checked(&[Check::OneOf(&["tab", "slim-window"])]),
        Attribute::number("order").about("Place among the apps: the lowest comes first, equal ones are sorted by name."),
        Attribute::string("share")
            .about("Who may open it: `owner`, `authenticated` for everybody who is signed in, or `public`. The deployment may forbid the wider ones.")
            .default(Constant::Text("owner"))
            .checked(&[Check::OneOf(&["owner", "authenticated", "public"])]),
        Attribute::string("slug")
            .required()
            .about("Its name in URLs: lower-case letters and digits, single hyphens between them.")
            .checked(&[Check::Custom(check_slug)]),
        Attribute::bool("subdomain")
            .about("Whether it is reached at a host name of its own, and not below a path. That needs a wildcard host name of the deployment."),
        Attribute::string("tooltip")
            .about("Markdown that is shown when the pointer rests on it. At most 2048 characters.")
            .checked(&[Check::MaxLength(2048)]),
        Attribute::string("url")
            .about("Where it listens within the workspace, such as `http://localhost:8080/path`; with `external`, any URL. Not with `command`.")
            .conflicts_with(&["command"]),
    ],
    &[Nested::set("healthcheck", &HEALTHCHECK).at_most_one().conflicts_with(&["command"])],
);

const HEALTHCHECK: Block = Block::new(
    "How the agent tells whether the app is up.",
    &[
        Attribute::number("interval")
            .required()
            .about("Seconds between two checks."),
        Attribute::number("threshold")
            .required()
            .about("Failures in a row after which it counts as down."),
        Attribute::string("url")
            .required()
            .about("What to request; any status below 500 within the interval is healthy."),
    ],
    &[],
);

fn check_slug(value: &Value, _: &str) -> Vec<Finding> {
    match value.as_str() {
        Some(slug) if !is_slug(slug) => vec![Finding::Error(format!(
            "invalid \"coder_app\" slug {slug:?}: it must be lower-case letters and digits with single hyphens between them"
        ))],
        _ => Vec::new(),
    }
}

/// `^[a-z0-9](-?[a-z0-9])*$`: usable as part of a host name.
fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.split('-').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

fn create(state: &mut Object, _: &Context) -> Vec<Diagnostic> {
    if field(state, "hidden") != &Value::Bool(true) {
        return Vec::new();
    }
    let order_is_set = field(state, "order")
        .as_int()
        .is_some_and(|order| order != 0);
    [
        ("display_name", is_set(state, "display_name")),
        ("icon", is_set(state, "icon")),
        ("order", order_is_set),
    ]
    .into_iter()
    .filter(|(_, set)| *set)
    .map(|(name, _)| Diagnostic::warning(format!("`{name}` set when app is hidden")))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::is_slug;

    #[test]
    fn slugs_fit_into_host_names() {
        for slug in ["a", "0", "a-b-1", "code-server"] {
            assert!(is_slug(slug), "{slug}");
        }
        for slug in ["", "-", "a-", "-a", "a--b", "A", "a_b", "é", "a b", "a\n"] {
            assert!(!is_slug(slug), "{slug}");
        }
    }
}
