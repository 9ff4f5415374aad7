//! Skills of users over HTTP: made, read, changed, deleted, and by whom.

use serde_json::{Value, json};

use crate::app::App;

fn skill(name: &str, body: &str) -> Value {
    json!({ "content": format!("---\nname: {name}\ndescription: when needed\n---\n{body}") })
}

#[tokio::test]
async fn skills_are_their_users_own() {
    let app = App::new().await;
    let boss = app.user("boss", &["owner"]).await;
    let ann = app.user("ann", &[]).await;
    let bob = app.user("bob", &["auditor"]).await;
    let (boss, ann, bob) = (boss.token.expose(), ann.token.expose(), bob.token.expose());
    let all = "!/api/experimental/users/ann/skills";
    let one = "!/api/experimental/users/ann/skills/a-1";
    let mine = "!/api/experimental/users/me/skills";
    let made = app.call("POST", mine, ann, skill("a-1", "one")).await;
    let made = made.is(201).json();
    assert_eq!(
        (&made["name"], &made["description"]),
        (&json!("a-1"), &json!("when needed"))
    );
    let listed = app.get(all, ann).await.is(200).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["content"], Value::Null, "lists are without texts");
    app.call("POST", mine, ann, skill("a-1", "again"))
        .await
        .is(409);
    for bad in [
        skill("A", "x"),
        skill("b", " "),
        json!({}),
        json!({ "content": 7 }),
    ] {
        app.call("POST", mine, ann, bad).await.is(400);
    }
    app.call("PATCH", one, ann, skill("b", "x")).await.is(400);
    let new = app
        .call("PATCH", one, ann, skill("a-1", "two"))
        .await
        .is(200);
    assert_eq!(new.json()["id"], made["id"]);
    let read = app.get(one, ann).await.is(200).json();
    assert!(read["content"].as_str().unwrap().ends_with("two"), "{read}");
    app.get(&format!("{all}/none"), ann).await.is(404);

    // Nobody else sees them but who administers users, and that one writes nothing in another's name.
    for (method, path, body) in [
        ("GET", all, Value::Null),
        ("GET", one, Value::Null),
        ("PATCH", one, skill("a-1", "x")),
        ("DELETE", one, Value::Null),
        ("POST", all, skill("b", "x")),
    ] {
        app.call(method, path, "", body.clone()).await.is(401);
        app.call(method, path, bob, body).await.is(404);
    }
    app.get(all, boss).await.is(200);
    app.get(one, boss).await.is(200);
    app.call("POST", all, boss, skill("b", "x")).await.is(404);
    let changed = app.call("PATCH", one, boss, skill("a-1", "x")).await;
    assert!(
        [403, 404].contains(&changed.status.as_u16()),
        "{}",
        changed.text
    );
    app.call("DELETE", one, boss, Value::Null).await.is(204);
    app.get(one, ann).await.is(404);
    let entries = "SELECT count(*) FROM audit_logs WHERE resource_type = 'user_skill'";
    let entries: i64 = app.db.query_one(entries, &[]).await.unwrap().get(0);
    assert_eq!(entries, 3, "made, changed, deleted");

    for n in 0..chat::skills::MAX_SKILLS {
        let made = app
            .call("POST", mine, ann, skill(&format!("s-{n}"), "x"))
            .await;
        made.is(201);
    }
    app.call("POST", mine, ann, skill("more", "x"))
        .await
        .is(409);
}
