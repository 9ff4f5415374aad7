//! Who may call what: a line per endpoint, a column per caller.

use serde_json::{Value, json};

use crate::app::App;

/// Status for: nobody, member, auditor, template-admin, user-admin, owner.
type Row = (&'static str, &'static str, &'static str, [u16; 6]);

/// `{u}` is another user, `{k}` a key of that user. Bodies that are none of
/// the endpoint's give 400 where the caller would be let in.
const TABLE: &[Row] = &[
    ("GET", "/", "", [200, 200, 200, 200, 200, 200]),
    ("GET", "/buildinfo", "", [200, 200, 200, 200, 200, 200]),
    ("GET", "/updatecheck", "", [200, 200, 200, 200, 200, 200]),
    ("GET", "/entitlements", "", [200, 200, 200, 200, 200, 200]),
    ("GET", "/auth/scopes", "", [200, 200, 200, 200, 200, 200]),
    (
        "GET",
        "/users/authmethods",
        "",
        [200, 200, 200, 200, 200, 200],
    ),
    ("GET", "/appearance", "", [200, 200, 200, 200, 200, 200]),
    ("POST", "/csp/reports", "{}", [200, 200, 200, 200, 200, 200]),
    ("GET", "/experiments", "", [401, 200, 200, 200, 200, 200]),
    (
        "GET",
        "/experiments/available",
        "",
        [401, 200, 200, 200, 200, 200],
    ),
    ("GET", "/regions", "", [401, 200, 200, 200, 200, 200]),
    (
        "GET",
        "/workspaceproxies",
        "",
        [401, 200, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/applications/host",
        "",
        [401, 200, 200, 200, 200, 200],
    ),
    ("GET", "/deployment/ssh", "", [401, 200, 200, 200, 200, 200]),
    (
        "GET",
        "/deployment/config",
        "",
        [401, 403, 200, 403, 403, 200],
    ),
    (
        "GET",
        "/deployment/stats",
        "",
        [401, 403, 200, 403, 403, 200],
    ),
    ("GET", "/audit", "", [401, 403, 200, 403, 403, 200]),
    (
        "POST",
        "/authcheck",
        "{\"checks\":{}}",
        [401, 200, 200, 200, 200, 200],
    ),
    ("GET", "/users", "", [401, 200, 200, 200, 200, 200]),
    ("POST", "/users", "{}", [401, 403, 403, 403, 400, 400]),
    ("GET", "/users/roles", "", [401, 200, 200, 200, 200, 200]),
    ("GET", "/users/me", "", [401, 200, 200, 200, 200, 200]),
    ("GET", "/users/{u}", "", [401, 404, 200, 200, 200, 200]),
    (
        "PUT",
        "/users/{u}/profile",
        "{\"username\":\"other\"}",
        [401, 404, 403, 403, 200, 200],
    ),
    (
        "PUT",
        "/users/{u}/status/activate",
        "",
        [401, 404, 403, 403, 200, 200],
    ),
    (
        "PUT",
        "/users/{u}/status/suspend",
        "",
        [401, 404, 403, 403, 200, 200],
    ),
    (
        "PUT",
        "/users/{u}/password",
        "{}",
        [401, 404, 403, 403, 400, 400],
    ),
    (
        "GET",
        "/users/{u}/roles",
        "",
        [401, 404, 200, 200, 200, 200],
    ),
    (
        "PUT",
        "/users/{u}/roles",
        "{\"roles\":[\"auditor\"]}",
        [401, 404, 403, 403, 403, 200],
    ),
    (
        "GET",
        "/users/{u}/appearance",
        "",
        [401, 404, 403, 403, 200, 200],
    ),
    (
        "PUT",
        "/users/{u}/appearance",
        "{\"theme_preference\":\"dark\"}",
        [401, 404, 403, 403, 200, 200],
    ),
    (
        "GET",
        "/users/{u}/preferences",
        "",
        [401, 404, 403, 403, 200, 200],
    ),
    (
        "PUT",
        "/users/{u}/preferences",
        "{}",
        [401, 404, 403, 403, 200, 200],
    ),
    (
        "GET",
        "/users/{u}/login-type",
        "",
        [401, 404, 403, 403, 403, 403],
    ),
    (
        "GET",
        "/users/{u}/gitsshkey",
        "",
        [401, 404, 404, 404, 404, 404],
    ),
    (
        "PUT",
        "/users/{u}/gitsshkey",
        "",
        [401, 404, 403, 403, 200, 200],
    ),
    (
        "GET",
        "/users/{u}/organizations",
        "",
        [401, 404, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/users/{u}/organizations/default",
        "",
        [401, 404, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/users/{u}/keys/tokens",
        "",
        [401, 404, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/users/{u}/keys/tokens/tokenconfig",
        "",
        [401, 404, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/users/{u}/keys/tokens/none",
        "",
        [401, 404, 404, 404, 404, 404],
    ),
    (
        "POST",
        "/users/{u}/keys/tokens",
        "{}",
        [401, 404, 403, 403, 403, 201],
    ),
    (
        "POST",
        "/users/{u}/keys",
        "",
        [401, 404, 403, 403, 403, 201],
    ),
    (
        "GET",
        "/users/{u}/keys/{k}",
        "",
        [401, 404, 404, 404, 404, 200],
    ),
    (
        "PUT",
        "/users/{u}/keys/{k}/expire",
        "",
        [401, 404, 404, 404, 404, 204],
    ),
    (
        "DELETE",
        "/users/{u}/keys/{k}",
        "",
        [401, 404, 404, 404, 404, 204],
    ),
    ("DELETE", "/users/{u}", "", [401, 404, 403, 403, 200, 200]),
    ("GET", "/groups", "", [401, 200, 200, 200, 200, 200]),
    ("GET", "/organizations", "", [401, 200, 200, 200, 200, 200]),
    (
        "GET",
        "/organizations/default",
        "",
        [401, 200, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/organizations/default/members",
        "",
        [401, 200, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/organizations/default/paginated-members",
        "",
        [401, 200, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/organizations/default/members/roles",
        "",
        [401, 200, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/organizations/default/groups",
        "",
        [401, 200, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/organizations/default/members/{u}",
        "",
        [401, 404, 200, 200, 200, 200],
    ),
    (
        "PUT",
        "/organizations/default/members/{u}/roles",
        "{\"roles\":[\"organization-auditor\"]}",
        [401, 404, 403, 403, 403, 200],
    ),
    (
        "POST",
        "/organizations/default/members/{u}",
        "",
        [401, 404, 403, 403, 400, 400],
    ),
    (
        "DELETE",
        "/organizations/default/members/{u}",
        "",
        [401, 404, 403, 403, 204, 204],
    ),
    ("POST", "/users/logout", "", [401, 200, 200, 200, 200, 200]),
];

#[tokio::test]
async fn everyone_may_call_what_the_table_says() {
    let app = App::new().await;
    let mut wrong = String::new();
    for (column, role) in [
        "nobody",
        "member",
        "auditor",
        "template-admin",
        "user-admin",
        "owner",
    ]
    .iter()
    .enumerate()
    {
        for (row, (method, path, body, expected)) in TABLE.iter().enumerate() {
            // Fresh ones: rows change and delete them.
            let name = format!("c{column}r{row}");
            let roles: &[&str] = if column > 1 { &[role] } else { &[] };
            let token = match column {
                0 => String::new(),
                _ => app.user(&name, roles).await.token.expose().clone(),
            };
            let path = if path.contains('{') {
                let other = app.user(&format!("o{name}"), &[]).await;
                let key = other.token.expose().split('-').next().unwrap().to_owned();
                path.replace("{u}", &other.username).replace("{k}", &key)
            } else {
                (*path).to_owned()
            };
            let body = body.replace("\"other\"", &format!("\"o{name}\""));
            let body: Value = serde_json::from_str(&body).unwrap_or(json!(null));
            let answer = app.call(method, &path, &token, body).await;
            if answer.status != expected[column] {
                wrong += &format!(
                    "{method} {path} as {role}: {} instead of {}: {}",
                    answer.status, expected[column], answer.text
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn questions_of_access_are_answered() {
    let app = App::new().await;
    let (owner, ann) = (
        app.user("owner", &["owner"]).await,
        app.user("ann", &[]).await,
    );
    let organization = testkit::default_organization(&app.db).await;
    let checks = json!({"checks": {
        "any": {"object": {"resource_type": "user"}, "action": "create"},
        "own": {"object": {"resource_type": "workspace", "owner_id": "me", "organization_id": organization}, "action": "create"},
        "anyOrg": {"object": {"resource_type": "template", "any_org": true}, "action": "create"},
        "me": {"object": {"resource_type": "user", "resource_id": ann.id}, "action": "read"},
        "gone": {"object": {"resource_type": "user", "resource_id": uuid::Uuid::new_v4()}, "action": "read"},
        "group": {"object": {"resource_type": "group", "resource_id": organization}, "action": "read"},
    }});
    let answer = app
        .call("POST", "/authcheck", ann.token.expose(), checks.clone())
        .await
        .is(200);
    let member = json!({"any": false, "own": true, "anyOrg": false, "me": true, "gone": false, "group": true});
    assert_eq!(answer.json(), member);
    let answer = app
        .call("POST", "/authcheck", owner.token.expose(), checks)
        .await
        .is(200);
    let all =
        json!({"any": true, "own": true, "anyOrg": true, "me": true, "gone": false, "group": true});
    assert_eq!(answer.json(), all);
    for bad in [
        json!({"resource_type": ""}),
        json!({"resource_type": "nonsense"}),
        json!({"resource_type": "user", "owner_id": "x"}),
        json!({"resource_type": "file", "resource_id": uuid::Uuid::new_v4()}),
    ] {
        let body = json!({"checks": {"x": {"object": bad, "action": "read"}}});
        app.call("POST", "/authcheck", ann.token.expose(), body)
            .await
            .is(400);
    }
}
