//! Model providers, users' own keys, models of organizations, prices and budgets: what they answer,
//! and whom.

use serde_json::{Value, json};

use crate::app::App;

const KEY: &str = "sk-0123456789abcdefghijkl";

fn provider(name: &str) -> Value {
    json!({"type": "openai", "name": name, "enabled": true, "base_url": "http://127.0.0.1:1/v1",
        "api_keys": [KEY]})
}

/// Owner and member with their tokens, and an application with a sealed database.
async fn app() -> (App, String, String) {
    let seal = store::seal::Seal::new(&[api_types::Secret::new(vec![3; 32])]).unwrap();
    let kept = seal.clone();
    let app = App::with(server::RateLimits::new(None, true), |settings| {
        settings.seal = kept;
    })
    .await;
    let conn = app.db.store.conn().await.unwrap();
    conn.seal_register(&seal).await.unwrap();
    drop(conn);
    let owner = app.user("owner", &["owner"]).await;
    let member = app.user("member", &[]).await;
    let (owner, member) = (owner.token.expose(), member.token.expose());
    let (owner, member) = (owner.clone(), member.clone());
    (app, owner, member)
}

#[tokio::test]
async fn a_providers_life() {
    let (app, owner, member) = app().await;
    let made = app
        .call("POST", "/ai/providers", &owner, provider("main"))
        .await
        .is(201);
    assert!(!made.text.contains(KEY), "{}", made.text);
    let made = made.json();
    assert_eq!(made["api_keys"][0]["masked"], "sk-0...ijkl");
    assert_eq!(made["settings"], Value::Null);
    app.call("POST", "/ai/providers", &owner, provider("main"))
        .await
        .is(409);
    // Two keys: the old one kept by its id, a new one beside it.
    let keys =
        json!({"api_keys": [{"id": made["api_keys"][0]["id"]}, {"api_key": "sk-second-0123"}]});
    let changed = app
        .call("PATCH", "/ai/providers/main", &owner, keys)
        .await
        .is(200)
        .json();
    assert_eq!(changed["api_keys"].as_array().unwrap().len(), 2);
    assert_eq!(changed["api_keys"][0]["id"], made["api_keys"][0]["id"]);
    for bad in [
        json!({}),
        json!({"base_url": ""}),
        json!({"base_url": "http://169.254.169.254/"}),
        json!({"api_keys": [{}]}),
        json!({"api_keys": [{"api_key": " blank "}]}),
        json!({"api_keys": [{"id": "00000000-0000-0000-0000-000000000001"}]}),
        json!({"settings": {"_type": "bedrock", "_version": 1}}),
        json!({"settings": {"region": "x"}}),
    ] {
        app.call("PATCH", "/ai/providers/main", &owner, bad)
            .await
            .is(400);
    }
    for (field, bad) in [
        ("type", json!("nobody")),
        ("name", json!("Bad Name")),
        ("base_url", json!("ftp://x/")),
        ("api_keys", json!([""])),
        ("type", json!("bedrock")),
        ("type", json!("copilot")),
    ] {
        let mut request = provider("other");
        request[field] = bad;
        app.call("POST", "/ai/providers", &owner, request)
            .await
            .is(400);
    }
    // Members may neither see nor change providers.
    app.get("/ai/providers", &member).await.is(403);
    app.get("/ai/providers/main", &member).await.is(404);
    app.call("POST", "/ai/providers", &member, provider("mine"))
        .await
        .is(403);
    app.call(
        "PATCH",
        "/ai/providers/main",
        &member,
        json!({"enabled": false}),
    )
    .await
    .is(404);
    app.call("DELETE", "/ai/providers/main", &member, Value::Null)
        .await
        .is(404);
    let id = made["id"].as_str().unwrap();
    app.get(&format!("/ai/providers/{id}"), &owner)
        .await
        .is(200);
    app.call("DELETE", "/ai/providers/main", &owner, Value::Null)
        .await
        .is(204);
    app.get("/ai/providers/main", &owner).await.is(404);
    assert_eq!(app.get("/ai/providers", &owner).await.json(), json!([]));
    let audit = app.get("/audit?q=resource_type:ai_provider", &owner).await;
    assert!(!audit.text.contains(KEY) && audit.text.contains("main"));
}

#[tokio::test]
async fn bedrock_keeps_its_access_key_to_itself() {
    let (app, owner, _) = app().await;
    let settings = json!({"_type": "bedrock", "_version": 1, "region": "eu-west-1", "model": "m",
        "small_fast_model": "s", "access_key": "AKIAEXAMPLE00000", "access_key_secret": "shh-secret-0"});
    let request = json!({"type": "bedrock", "name": "aws", "enabled": true,
        "base_url": "https://bedrock-runtime.eu-west-1.amazonaws.com", "settings": settings});
    let made = app
        .call("POST", "/ai/providers", &owner, request)
        .await
        .is(201);
    assert!(!made.text.contains("AKIAEXAMPLE") && !made.text.contains("shh-secret"));
    assert_eq!(made.json()["settings"]["region"], "eu-west-1");
    assert_eq!(made.json()["settings"]["_type"], "bedrock");
    let moved = json!({"settings": {"_type": "bedrock", "_version": 1, "region": "us-east-1"}});
    let moved = app.call("PATCH", "/ai/providers/aws", &owner, moved).await;
    let moved = moved.is(200).json();
    assert_eq!(moved["settings"]["region"], "us-east-1");
    assert_eq!(moved["settings"]["model"], "m");
}

#[tokio::test]
async fn keys_of_ones_own() {
    let (app, owner, member) = app().await;
    let made = app
        .call("POST", "/ai/providers", &owner, provider("main"))
        .await
        .json();
    let path = format!(
        "/users/me/ai-provider-keys/{}",
        made["id"].as_str().unwrap()
    );
    let listed = app.get("/users/me/ai-provider-keys", &member).await.is(200);
    assert_eq!(listed.json()[0]["has_user_api_key"], false);
    assert_eq!(listed.json()[0]["has_provider_api_key"], true);
    for bad in ["", " x ", &"x".repeat(10_241)] {
        app.call("PUT", &path, &member, json!({"api_key": bad}))
            .await
            .is(400);
    }
    let set = app
        .call("PUT", &path, &member, json!({"api_key": "mine-0123456789"}))
        .await
        .is(200);
    assert_eq!(set.json()["has_user_api_key"], true);
    assert!(!set.text.contains("mine-0123456789"));
    let missing = "/users/me/ai-provider-keys/00000000-0000-0000-0000-000000000001";
    app.call("PUT", missing, &member, json!({"api_key": "x"}))
        .await
        .is(404);
    // Not for others' eyes.
    let other = app.user("other", &[]).await;
    app.get("/users/member/ai-provider-keys", other.token.expose())
        .await
        .is(404);
    app.call("DELETE", &path, &member, Value::Null)
        .await
        .is(204);
    app.call(
        "PATCH",
        "/ai/providers/main",
        &owner,
        json!({"enabled": false}),
    )
    .await
    .is(200);
    app.call("PUT", &path, &member, json!({"api_key": "x"}))
        .await
        .is(412);
}

#[tokio::test]
async fn models_of_an_organization() {
    let (app, owner, member) = app().await;
    let made = app
        .call("POST", "/ai/providers", &owner, provider("main"))
        .await
        .json();
    let models = "/organizations/default/chats/models";
    let request = json!({"ai_provider_id": made["id"], "model": "gpt-4.1", "context_limit": 1000,
        "model_config": {"reasoning_effort": {"default": "low", "max": "medium"}}});
    let first = app
        .call("POST", models, &owner, request.clone())
        .await
        .is(201)
        .json();
    assert_eq!(
        (&first["is_default"], &first["compression_threshold"]),
        (&json!(true), &json!(70))
    );
    assert_eq!(
        first["reasoning_efforts"],
        json!(["none", "minimal", "low", "medium"])
    );
    assert!(first.get("provider").is_none());
    let mut large = request.clone();
    large["context_limit"] = json!(1_000_000);
    large["is_default"] = json!(true);
    let second = app.call("POST", models, &owner, large).await.is(201).json();
    assert_eq!(second["compression_threshold"], 30);
    let listed = app.get(models, &member).await.is(200).json();
    assert_eq!(listed["models"].as_array().unwrap().len(), 2);
    assert_eq!(
        listed["models"][0]["id"], second["id"],
        "the default comes first"
    );
    assert_eq!(listed["models"][1]["is_default"], false);
    assert_eq!(listed["providers"][0]["available"], true);
    for (field, bad) in [
        ("ai_provider_id", Value::Null),
        ("model", json!("")),
        ("context_limit", json!(0)),
        ("compression_threshold", json!(101)),
        ("model_config", json!({"surprise": 1})),
    ] {
        let mut wrong = request.clone();
        wrong[field] = bad;
        app.call("POST", models, &owner, wrong).await.is(400);
    }
    let mut unknown = request.clone();
    unknown["ai_provider_id"] = json!("00000000-0000-0000-0000-000000000001");
    app.call("POST", models, &owner, unknown).await.is(412);
    app.call("POST", models, &member, request).await.is(403);
    let path = format!("{models}/{}", first["id"].as_str().unwrap());
    app.call("PATCH", &path, &member, json!({"enabled": false}))
        .await
        .is(403);
    app.call("DELETE", &path, &member, Value::Null)
        .await
        .is(403);
    app.get(&format!("{path}/acl"), &member).await.is(404);
    // Taken from everyone, given to one.
    let everyone = first["organization_id"].as_str().unwrap();
    let user = app.get("/users/member", &owner).await.json();
    let user = user["id"].as_str().unwrap();
    let acl = |users: Value, groups: Value| json!({"user_roles": users, "group_roles": groups});
    let change = acl(json!({}), json!({everyone: ""}));
    app.call("PATCH", &format!("{path}/acl"), &owner, change)
        .await
        .is(204);
    app.get(&path, &member).await.is(404);
    let change = acl(json!({user: "read"}), json!({}));
    app.call("PATCH", &format!("{path}/acl"), &owner, change)
        .await
        .is(204);
    app.get(&path, &member).await.is(200);
    let list = app.get(&format!("{path}/acl"), &owner).await.is(200).json();
    assert_eq!(list["users"][0]["role"], "read");
    assert_eq!(list["groups"], json!([]));
    let wrong = acl(json!({user: "admin"}), json!({}));
    app.call("PATCH", &format!("{path}/acl"), &owner, wrong)
        .await
        .is(400);
    let stranger = acl(
        json!({"00000000-0000-0000-0000-000000000001": "read"}),
        json!({}),
    );
    app.call("PATCH", &format!("{path}/acl"), &owner, stranger)
        .await
        .is(400);
    let offered = app
        .get(&format!("{path}/acl/available?q=memb"), &owner)
        .await;
    assert_eq!(offered.is(200).json()["users"].as_array().unwrap().len(), 1);
    // Purposes.
    let title = "/organizations/default/chats/model-overrides/title_generation";
    let chosen = json!({"model_config_id": first["id"], "reasoning_effort": "low"});
    let set = app.call("PUT", title, &owner, chosen.clone()).await.is(200);
    assert_eq!(set.json()["model_config_id"], first["id"]);
    app.call("PUT", title, &member, chosen).await.is(403);
    let unknown = "/organizations/default/chats/model-overrides/lunch";
    app.call("PUT", unknown, &owner, json!({"model_config_id": ""}))
        .await
        .is(400);
    let listed = app
        .get("/organizations/default/chats/model-overrides", &member)
        .await
        .is(200)
        .json();
    assert_eq!(listed["overrides"].as_array().unwrap().len(), 5);
    let own = "/organizations/default/members/me/chats/model-overrides";
    let read = app.get(own, &member).await.is(200).json();
    assert_eq!(
        (&read["enabled"], &read["root"]["mode"]),
        (&json!(false), &json!("chat_default"))
    );
    let chosen = json!({"mode": "chat_default"});
    app.call("PUT", &format!("{own}/root"), &member, chosen)
        .await
        .is(403);
    // Gone with its purposes.
    app.call("DELETE", &path, &owner, Value::Null).await.is(204);
    app.get(&path, &owner).await.is(404);
}

/// Clients of before know models of the deployment: those of the default organization.
#[tokio::test]
async fn models_where_they_were_before() {
    let (app, owner, member) = app().await;
    let provider = app.call("POST", "/ai/providers", &owner, provider("main"));
    let provider = provider.await.is(201).json()["id"].clone();
    let path = "!/api/experimental/chats/model-configs";
    let model = json!({"ai_provider_id": provider, "model": "m", "context_limit": 4096});
    app.call("POST", path, &member, model.clone()).await.is(403);
    let made = app.call("POST", path, &owner, model).await.is(201).json();
    let all = app.get(path, &owner).await.is(200).json();
    assert_eq!(all[0]["id"], made["id"], "{all}");
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    let now = "/organizations/default/chats/models";
    assert_eq!(
        app.get(now, &owner).await.is(200).json()["models"][0]["id"],
        made["id"]
    );
    app.call("PATCH", &one, &member, json!({"enabled": false}))
        .await
        .is(403);
    app.call("PATCH", &one, &owner, json!({"enabled": false}))
        .await
        .is(200);
    // What is switched off concerns only those who can switch it on.
    assert_eq!(app.get(path, &member).await.is(200).json(), json!([]));
    app.call("DELETE", &one, &owner, json!({})).await.is(204);
    app.get("/chats/model-configs", &owner).await.is(404);
}

#[tokio::test]
async fn prices() {
    let (app, owner, member) = app().await;
    app.control.ai_price_defaults().await.unwrap();
    let path = "!/api/experimental/ai/model-prices";
    let price = json!({"prices": [{"provider": "openai", "model": "gpt-4.1", "input_price": 5}]});
    app.call("POST", path, &member, price.clone()).await.is(403);
    app.get(path, &member).await.is(403);
    app.call("POST", path, &owner, price).await.is(204);
    // Custom prices survive a start.
    app.control.ai_price_defaults().await.unwrap();
    let custom = app
        .get(&format!("{path}?source=custom"), &owner)
        .await
        .is(200)
        .json();
    assert_eq!(custom[0]["input_price"], 5);
    assert_eq!(custom[0]["output_price"], Value::Null);
    let all = app.get(path, &owner).await.is(200).json();
    assert!(all.as_array().unwrap().len() > 20);
    // Of both sources the custom price counts; all of both are told on demand.
    let one = format!("{path}?provider=openai&model=gpt-4.1");
    let counts = app.get(&one, &owner).await.is(200).json();
    assert_eq!(counts.as_array().unwrap().len(), 1);
    assert_eq!(counts[0]["source"], "custom");
    let both = app.get(&format!("{one}&source=all"), &owner).await.json();
    assert_eq!(both.as_array().unwrap().len(), 2);
    // What has no price is told.
    let provider = json!({"type": "openai", "name": "p", "enabled": true,
        "base_url": "http://localhost/v1", "api_keys": ["sk-0123456789abcdef"]});
    let provider = app
        .call("POST", "/ai/providers", &owner, provider)
        .await
        .is(201)
        .json();
    for model in ["gpt-4.1", "gpt-4.1-2025-04-14", "house-blend"] {
        let model =
            json!({"ai_provider_id": provider["id"], "model": model, "context_limit": 1000});
        let models = "/organizations/default/chats/models";
        app.call("POST", models, &owner, model).await.is(201);
    }
    let unpriced = format!("{path}?source=unpriced");
    app.get(&unpriced, &member).await.is(403);
    let missing = app.get(&unpriced, &owner).await.is(200).json();
    assert_eq!(missing.as_array().unwrap().len(), 1, "{missing:#}");
    assert_eq!(missing[0]["model"], "house-blend");
    assert_eq!(missing[0]["input_price"], Value::Null);
    app.get(&format!("{path}?source=x"), &owner).await.is(400);
    for bad in [
        json!({"prices": []}),
        json!({"prices": [{"provider": "x", "model": "m"}]}),
        json!({"prices": [{"provider": "openai", "model": ""}]}),
        json!({"prices": [{"provider": "openai", "model": "m", "input_price": -1}]}),
    ] {
        app.call("POST", path, &owner, bad).await.is(400);
    }
}

#[tokio::test]
async fn budgets_and_spending() {
    let (app, owner, member) = app().await;
    let organization = app.get("/organizations/default", &owner).await.json();
    let everyone = organization["id"].as_str().unwrap();
    let budget = format!("/groups/{everyone}/ai/budget");
    app.get(&budget, &owner).await.is(404);
    let limit = json!({"spend_limit_micros": 5_000_000});
    app.call("PUT", &budget, &member, limit.clone())
        .await
        .is(403);
    let set = app.call("PUT", &budget, &owner, limit).await.is(200).json();
    assert_eq!(set["spend_limit_micros"], 5_000_000);
    for bad in [-1_i64, 1_000_000_000_001] {
        let bad = json!({"spend_limit_micros": bad});
        app.call("PUT", &budget, &owner, bad).await.is(400);
    }
    let spend = app.get("/users/me/ai/spend", &member).await.is(200).json();
    assert_eq!(spend["current_spend_micros"], 0);
    assert_eq!(spend["effective_group_id"], everyone);
    assert_eq!(spend["effective_budget"]["limit_source"], "group");
    let own = "/users/member/ai/budget/override";
    app.get(own, &owner).await.is(404);
    let request = json!({"group_id": everyone, "spend_limit_micros": 1});
    app.call("PUT", own, &member, request.clone()).await.is(403);
    app.call("PUT", own, &owner, request).await.is(200);
    let stranger =
        json!({"group_id": "00000000-0000-0000-0000-000000000001", "spend_limit_micros": 1});
    app.call("PUT", own, &owner, stranger).await.is(400);
    let spend = app.get("/users/me/ai/spend", &member).await.is(200).json();
    assert_eq!(spend["effective_budget"]["limit_source"], "user_override");
    let group = app
        .get(&format!("/groups/{everyone}/ai/spend"), &owner)
        .await
        .is(200)
        .json();
    // The owner has the group's budget, the member its own.
    assert_eq!(group["total_spend_limit_micros"], 5_000_001);
    let members = app
        .get(&format!("/groups/{everyone}/members/ai/spend"), &owner)
        .await
        .is(200)
        .json();
    assert_eq!(members["members"].as_array().unwrap().len(), 2);
    app.get("/organizations/default/groups/ai/spend", &owner)
        .await
        .is(200);
    let named = "/organizations/default/groups/Everyone/members/ai/spend";
    app.get(named, &owner).await.is(200);
    let export = "/organizations/default/ai/spend/export";
    let csv = app.get(export, &owner).await.is(200);
    assert!(csv.text.starts_with("date,user_id"));
    app.get(export, &member).await.is(404);
    let long = format!("{export}?start_date=2026-01-01&end_date=2026-03-01");
    app.get(&long, &owner).await.is(400);
    app.call("DELETE", own, &owner, Value::Null).await.is(204);
    app.call("DELETE", &budget, &owner, Value::Null)
        .await
        .is(204);
    app.call("DELETE", &budget, &owner, Value::Null)
        .await
        .is(404);
}
