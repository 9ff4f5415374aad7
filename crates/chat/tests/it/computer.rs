//! Helpers that use the desktop of the workspace, on a screen of the test.

use api_types::{ChatMessagePartType, ChatStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::PNG;
use crate::world::{EXPLORER, House, house};

/// Chooses the provider whose models use desktops.
async fn choose(house: &House, provider: &str) {
    let sql = "INSERT INTO site_configs (key, value) VALUES ('agents_computer_use_provider', $1) \
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    house.world.db.execute(sql, &[&provider]).await.unwrap();
}

/// What was done on the screen, without the size as the model sees it.
fn done(house: &House) -> Vec<Value> {
    let done = std::fs::read_to_string(house.agent.home().join("done")).unwrap_or_default();
    let mut all: Vec<Value> = done
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for action in &mut all {
        let action = action.as_object_mut().unwrap();
        action.remove("scaled_width");
        action.remove("scaled_height");
    }
    all
}

#[tokio::test]
async fn a_helper_works_on_the_screen_and_is_filmed() {
    let mut house = house().await;
    choose(&house, "openai").await;
    let chat = house.create_in_workspace("look at the page").await;
    let asked = house.asked(chat).await;
    let spawn = asked
        .request
        .tools
        .iter()
        .find(|tool| tool.name == "spawn_agent");
    let types = &spawn.unwrap().schema["properties"]["type"]["enum"];
    assert_eq!(types, &json!(["general", "explore", "computer_use"]));
    assert!(
        !asked.tool_names().contains(&"computer".to_owned()),
        "only helpers have it"
    );
    let args = json!({ "type": "computer_use", "prompt": "open the page" });
    asked.tools(&[("s", "spawn_agent", args)]);
    let next = house.asked(chat).await;
    let answer = house.result(chat, "s").await;
    assert_eq!(answer["type"], "computer_use");
    let helper: Uuid = answer["chat_id"].as_str().unwrap().parse().unwrap();
    let row = house.world.row(helper).await;
    assert_eq!(
        row.last_model_config_id, EXPLORER,
        "the one of the provider"
    );

    // An ordinary call, and what it shows.
    let asked = house.asked(helper).await;
    assert!(asked.tool_names().contains(&"computer".to_owned()));
    let told = asked.told();
    assert!(told.contains("computer tool"), "{told}");
    let wait = json!({ "chat_id": helper, "timeout_seconds": 60 });
    next.tools(&[("w", "wait_agent", wait)]);
    asked.tools(&[
        (
            "a",
            "computer",
            json!({ "action": "left_click", "coordinate": [3, 4] }),
        ),
        ("b", "computer", json!({ "action": "cursor_position" })),
        (
            "c",
            "computer",
            json!({ "action": "left_click", "coordinate": "here" }),
        ),
        ("d", "computer", json!({ "action": "key", "text": "F1" })),
        ("e", "computer", json!({ "action": "screenshot" })),
    ]);
    let asked = house.asked(helper).await;
    let click = house.result(helper, "a").await;
    assert_eq!(
        (&click["data"], &click["mime_type"]),
        (&json!(PNG), &json!("image/png"))
    );
    assert_eq!(house.result(helper, "b").await["text"], "x=1,y=2");
    for id in ["c", "d"] {
        assert!(house.result(helper, id).await["error"].is_string(), "{id}");
    }
    // The model sees the picture itself.
    let seen = asked.request.messages.iter().flat_map(|m| &m.parts);
    let seen = seen.filter(|part| {
        matches!(part, llm::Part::ToolResult(result)
            if matches!(result.output, llm::ToolOutput::Media { .. }))
    });
    assert_eq!(seen.count(), 3);
    // One that was asked for is the user's, too.
    let shot = house.result(helper, "e").await;
    let file: Uuid = shot["file_id"].as_str().unwrap().parse().unwrap();

    // OpenAI's form: several at once, and nothing stays held when one of them fails.
    let actions = json!({ "actions": [
        { "type": "click", "x": 1, "y": 2, "button": "left", "keys": ["SHIFT"] },
        { "type": "type", "text": "hi" },
    ] });
    let fails = json!({ "actions": [
        { "type": "click", "x": 1, "y": 2, "keys": ["CTRL", "F1"] },
    ] });
    std::fs::remove_file(house.agent.home().join("done")).unwrap();
    asked.tools(&[("f", "computer", actions)]);
    let asked = house.asked(helper).await;
    assert_eq!(
        done(&house),
        [
            json!({ "action": "key_down", "text": "shift" }),
            json!({ "action": "left_click", "coordinate": [1, 2] }),
            json!({ "action": "key_up", "text": "shift" }),
            json!({ "action": "type", "text": "hi" }),
            json!({ "action": "screenshot" }),
        ]
    );
    asked.tools(&[("g", "computer", fails)]);
    house.asked(helper).await.say("the page is there");
    assert!(house.result(helper, "g").await["error"].is_string());
    let last = done(&house).pop().unwrap();
    assert_eq!(last, json!({ "action": "key_up", "text": "ctrl" }));

    // Who waited gets the report, the film and its picture.
    house.asked(chat).await.say("seen");
    let report = house.result(chat, "w").await;
    assert_eq!(report["report"], "the page is there");
    for (key, data) in [
        ("recording_file_id", "film"),
        ("thumbnail_file_id", "picture"),
    ] {
        let id: Uuid = report[key]
            .as_str()
            .unwrap_or_else(|| panic!("{key}: {report}"))
            .parse()
            .unwrap();
        assert_eq!(house.files(chat).await[&id], data.as_bytes());
    }
    assert!(house.files(helper).await.contains_key(&file));
    // Once it is kept, it is not kept again.
    house.world.send(chat, "and again", false).await;
    house
        .asked(chat)
        .await
        .tools(&[("w2", "wait_agent", json!({ "chat_id": helper }))]);
    house.asked(chat).await.say("the same");
    assert!(
        house
            .result(chat, "w2")
            .await
            .get("recording_file_id")
            .is_none()
    );
    house.world.until(chat, ChatStatus::Waiting).await;
    let messages = house.world.messages(helper).await;
    let media = messages.iter().flat_map(|m| &m.content);
    let media = media.filter(|p| p.kind == ChatMessagePartType::ToolResult && p.is_media);
    assert_eq!(media.count(), 4);
}

#[tokio::test]
async fn where_it_cannot_be_it_is_said_why() {
    let mut house = house().await;
    let made = testkit::workspace(&house.world.db, house.world.owner.id, "dev").await;
    let args = json!({ "type": "computer_use", "prompt": "look" });
    for (plans, workspace, why) in [
        (true, true, "plan mode"),
        (false, false, "no workspace"),
        // Nobody chose another provider, and there is no model of the usual one.
        (false, true, "anthropic"),
    ] {
        let chat = house
            .world
            .create_with("look", |new| {
                new.workspace_id = workspace.then_some(made.id);
                if plans {
                    new.plan_mode = "plan".into();
                }
            })
            .await;
        house
            .asked(chat)
            .await
            .tools(&[("s", "spawn_agent", args.clone())]);
        house.asked(chat).await.say("then not");
        let error = house.result(chat, "s").await["error"].to_string();
        assert!(error.contains(why), "{error}");
        house.world.until(chat, ChatStatus::Waiting).await;
    }
}
