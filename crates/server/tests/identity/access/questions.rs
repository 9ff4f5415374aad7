//! Questions of access, asked in bulk.

use serde_json::json;

use crate::app::App;

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
