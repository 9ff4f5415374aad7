//! Every route has a case.

use super::{TABLES, table};

/// Routes whose cases stand elsewhere: those of models and budgets in `ai`, those of apps in the
/// tests over sockets. It may only get shorter.
const WITHOUT_CASE: &[&str] = &[
    "DELETE /ai/providers/{provider}",
    "DELETE /groups/{group}/ai/budget",
    "DELETE /organizations/{organization}/chats/models/{model}",
    "DELETE /users/{user}/ai-provider-keys/{provider}",
    "DELETE /users/{user}/ai/budget/override",
    "GET /ai/providers",
    "GET /ai/providers/{provider}",
    "GET /groups/{group}/ai/budget",
    "GET /groups/{group}/ai/spend",
    "GET /groups/{group}/members/ai/spend",
    "GET /organizations/{organization}/ai/spend/export",
    "GET /organizations/{organization}/chats/model-overrides",
    "GET /organizations/{organization}/chats/models",
    "GET /organizations/{organization}/chats/models/{model}",
    "GET /organizations/{organization}/chats/models/{model}/acl",
    "GET /organizations/{organization}/chats/models/{model}/acl/available",
    "GET /organizations/{organization}/groups/ai/spend",
    "GET /organizations/{organization}/groups/{group}/members/ai/spend",
    "GET /organizations/{organization}/members/{user}/chats/model-overrides",
    "GET /users/{user}/ai-provider-keys",
    "GET /users/{user}/ai/budget/override",
    "GET /users/{user}/ai/spend",
    "PATCH /ai/providers/{provider}",
    "PATCH /organizations/{organization}/chats/models/{model}",
    "PATCH /organizations/{organization}/chats/models/{model}/acl",
    "POST /ai/providers",
    "POST /organizations/{organization}/chats/models",
    "PUT /groups/{group}/ai/budget",
    "PUT /organizations/{organization}/chats/model-overrides/{context}",
    "PUT /organizations/{organization}/members/{user}/chats/model-overrides/{context}",
    "PUT /users/{user}/ai-provider-keys/{provider}",
    "PUT /users/{user}/ai/budget/override",
];

/// All routes of the API as `METHOD path`, read from what the router says of itself.
pub fn routes() -> Vec<String> {
    let text = format!("{:?}", server::api_routes());
    let (routes, node) = text.split_once("node: Node").unwrap();
    let node = node.split("fallback_router").next().unwrap();
    let mut found = Vec::new();
    for entry in node.split("RouteId(").skip(1) {
        let (id, rest) = entry.split_once("): \"").unwrap();
        let path = rest.split('"').next().unwrap();
        let start = format!("RouteId({id}): MethodRouter(");
        let Some(at) = routes.find(&start) else {
            continue;
        };
        let methods = &routes[at + start.len()..];
        let methods = methods.split("fallback: ").next().unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            if !methods.contains(&format!("{method}: None")) {
                found.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    found.sort();
    found
}

/// Whether a path of a table is one of a route, and how many of its parts are its own words.
fn fits(path: &str, route: &str) -> Option<usize> {
    let path = path.split('?').next().unwrap();
    let (mut path, mut words) = (path.split('/'), 0);
    for part in route.split('/') {
        if part.starts_with("{*") {
            return Some(words);
        }
        let given = path.next()?;
        if !part.starts_with('{') {
            if part != given {
                return None;
            }
            words += 1;
        }
    }
    path.next().is_none().then_some(words)
}

#[test]
fn every_route_has_a_case() {
    let routes = routes();
    assert!(routes.len() > 100, "not all routes were found: {routes:?}");
    let served = routes
        .iter()
        .map(|route| route.replacen(' ', " /api/v2", 1));
    testkit::published::served(served);
    let mut missing: Vec<&str> = routes.iter().map(String::as_str).collect();
    for table in TABLES {
        for row in table::read(table).1 {
            let best = routes
                .iter()
                .filter_map(|route| {
                    let (method, path) = route.split_once(' ')?;
                    let words = (method == row.method).then(|| fits(row.path, path))??;
                    Some((words, route.as_str()))
                })
                .max();
            if let Some((_, best)) = best {
                missing.retain(|route| *route != best);
            }
        }
    }
    let excused = |route: &&str| WITHOUT_CASE.contains(route);
    let without: Vec<_> = missing.iter().filter(|route| !excused(route)).collect();
    assert!(
        without.is_empty(),
        "these routes have no line in a table of access/: {without:#?}"
    );
    let needless: Vec<_> = WITHOUT_CASE
        .iter()
        .filter(|route| !missing.contains(route))
        .collect();
    assert!(
        needless.is_empty(),
        "these have a case by now: {needless:#?}"
    );
}
