//! Helpers of chats: begun, waited for, talked to, stopped; and nobody else's.

use api_types::ChatStatus;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Asked, EXPLORER, House, house};

/// Starts a helper of a new chat; the chat, the helper, and what the chat's model is asked next.
async fn spawned(house: &mut House, args: Value, plan: bool) -> (Uuid, Uuid, Asked) {
    let chat = house
        .world
        .create_with("do it", |new| {
            if plan {
                new.plan_mode = "plan".into();
            }
        })
        .await;
    let asked = house.asked(chat).await;
    asked.tools(&[("s", "spawn_agent", args)]);
    let next = house.asked(chat).await;
    let answer = house.result(chat, "s").await;
    let helper = answer["chat_id"]
        .as_str()
        .expect("a helper")
        .parse()
        .unwrap();
    (chat, helper, next)
}

#[tokio::test]
async fn a_helper_works_and_reports() {
    let mut house = house().await;
    let args = json!({ "type": "general", "prompt": "count the files", "title": "Counting" });
    let (chat, helper, next) = spawned(&mut house, args, false).await;
    let row = house.world.row(helper).await;
    assert_eq!(
        (row.parent_chat_id, row.root_chat_id),
        (Some(chat), Some(chat))
    );
    assert_eq!(
        (row.title.as_str(), row.owner_id),
        ("Counting", house.world.owner.id)
    );
    assert_eq!(row.last_model_config_id, house.world.model);
    let asked = house.asked(helper).await;
    assert_eq!(asked.call.parent, Some(chat));
    let tools = asked.tool_names();
    assert!(tools.contains(&"write_file".into()) && !tools.contains(&"spawn_agent".into()));
    let told: Vec<String> = asked
        .request
        .messages
        .iter()
        .map(|m| m.texts().collect::<String>())
        .collect();
    assert_eq!(told.last().unwrap(), "count the files");
    assert!(
        told.contains(&"be good".into()),
        "it has the chat's instructions"
    );
    next.tools(&[("w", "wait_agent", json!({ "chat_id": helper }))]);
    asked.say("there are 7");
    let next = house.asked(chat).await;
    let answer = house.result(chat, "w").await;
    assert_eq!(answer["report"], "there are 7");
    assert_eq!(
        (&answer["status"], &answer["type"]),
        (&json!("waiting"), &json!("general"))
    );
    next.say("done");
    house.world.until(chat, ChatStatus::Waiting).await;
    let sql = "SELECT user_id, additional_fields->>'chat_id' FROM audit_logs \
               WHERE resource_type = 'chat' AND resource_id = $1";
    let entry = house.world.db.query_one(sql, &[&helper]).await.unwrap();
    assert_eq!(entry.get::<_, Option<Uuid>>(0), Some(house.world.owner.id));
    assert_eq!(
        entry.get::<_, String>(1),
        chat.to_string(),
        "the log names both"
    );
}

#[tokio::test]
async fn a_helper_that_looks_has_its_model_and_five_tools_and_no_plan() {
    let mut house = house().await;
    let args = json!({ "type": "explore", "prompt": "where is it?" });
    let (_, helper, next) = spawned(&mut house, args, true).await;
    let row = house.world.row(helper).await;
    assert_eq!(
        (row.mode.as_deref(), row.plan_mode.as_str()),
        (Some("explore"), "")
    );
    assert_eq!(row.last_model_config_id, EXPLORER);
    assert_eq!(row.last_reasoning_effort.as_deref(), Some("low"));
    let five = [
        "read_file",
        "execute",
        "process_output",
        "read_skill",
        "read_skill_file",
    ];
    let asked = house.asked(helper).await;
    assert_eq!(asked.tool_names(), five);
    // What it may not use is not there, whatever the model says.
    asked.tools(&[(
        "x",
        "write_file",
        json!({ "path": "/tmp/x", "content": "" }),
    )]);
    let asked = house.asked(helper).await;
    let answer = house.result(helper, "x").await;
    assert!(
        answer["error"].as_str().unwrap().contains("no tool"),
        "{answer}"
    );
    asked.say("there");
    next.say("ok");
}

#[tokio::test]
async fn in_plan_mode_helpers_plan_too() {
    let mut house = house().await;
    let args = json!({ "type": "general", "prompt": "look" });
    let (_, helper, next) = spawned(&mut house, args, true).await;
    assert_eq!(house.world.row(helper).await.plan_mode, "plan");
    let asked = house.asked(helper).await;
    assert_eq!(asked.tool_names().len(), 5);
    asked.say("seen");
    next.say("ok");
}

#[tokio::test]
async fn helpers_are_listed_talked_to_and_stopped() {
    let mut house = house().await;
    let args = json!({ "type": "general", "prompt": "go" });
    let (chat, helper, next) = spawned(&mut house, args, false).await;
    let working = house.asked(helper).await;
    working.text("half");
    next.tools(&[
        (
            "w",
            "wait_agent",
            json!({ "chat_id": helper, "timeout_seconds": 0 }),
        ),
        ("l", "list_agents", json!({ "limit": 1 })),
        (
            "m",
            "message_agent",
            json!({ "chat_id": helper, "message": "and then" }),
        ),
    ]);
    let next = house.asked(chat).await;
    assert_eq!(house.result(chat, "w").await["timed_out"], true);
    let list = house.result(chat, "l").await;
    assert_eq!(list["agents"][0]["chat_id"], helper.to_string());
    assert_eq!(
        (&list["total"], &list["has_more"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(house.result(chat, "m").await["interrupted"], false);
    assert_eq!(house.world.row(helper).await.queued, 1);
    // The old name still works.
    next.tools(&[("i", "close_agent", json!({ "chat_id": helper }))]);
    let next = house.asked(chat).await;
    assert_eq!(house.result(chat, "i").await["interrupted"], true);
    // What waited comes next.
    let again = house.asked(helper).await;
    assert_eq!(again.last_text(), "and then");
    again.say("both done");
    house.world.until(helper, ChatStatus::Waiting).await;
    next.tools(&[
        ("i2", "interrupt_agent", json!({ "chat_id": helper })),
        (
            "m2",
            "message_agent",
            json!({ "chat_id": helper, "message": "more", "interrupt": true }),
        ),
    ]);
    let next = house.asked(chat).await;
    assert_eq!(house.result(chat, "i2").await["interrupted"], false);
    assert_eq!(house.result(chat, "m2").await["interrupted"], false);
    house.asked(helper).await.say("fine");
    next.say("ok");
}

#[tokio::test]
async fn what_is_wrong_is_said_and_strangers_are_not_there() {
    let mut house = house().await;
    let stranger = house.world.create("mine too").await;
    house.asked(stranger).await.say("hi");
    let chat = house.world.create("go").await;
    let asked = house.asked(chat).await;
    asked.tools(&[
        ("a", "wait_agent", json!({ "chat_id": stranger })),
        (
            "b",
            "message_agent",
            json!({ "chat_id": Uuid::new_v4(), "message": "x" }),
        ),
        ("c", "interrupt_agent", json!({ "chat_id": "nonsense" })),
        (
            "d",
            "spawn_agent",
            json!({ "type": "genius", "prompt": "x" }),
        ),
        ("e", "spawn_agent", json!({ "type": "general" })),
        (
            "f",
            "spawn_agent",
            json!({ "type": "computer_use", "prompt": "x" }),
        ),
        ("g", "wait_agent", json!({ "chat_id": chat })),
    ]);
    let next = house.asked(chat).await;
    for id in ["a", "b", "c", "d", "e", "f", "g"] {
        let answer = house.result(chat, id).await;
        assert!(answer["error"].is_string(), "{id}: {answer}");
    }
    assert!(
        house.result(chat, "a").await["error"]
            .as_str()
            .unwrap()
            .contains("no agent")
    );
    next.say("ok");
    let sql = "SELECT count(*) FROM chats WHERE parent_chat_id IS NOT NULL";
    let children: i64 = house.world.db.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(children, 0);
}

#[tokio::test]
async fn who_stops_a_chat_stops_its_helpers() {
    let mut house = house().await;
    let args = json!({ "type": "general", "prompt": "go" });
    let (chat, helper, next) = spawned(&mut house, args, false).await;
    let working = house.asked(helper).await;
    working.text("half");
    next.text("meanwhile");
    let who = house.world.owner.who.clone();
    let machine = house.world.machine.clone();
    machine.interrupt(&who, chat).await.unwrap();
    house.world.until(chat, ChatStatus::Waiting).await;
    house.world.until(helper, ChatStatus::Waiting).await;
    // Nothing runs any more: nothing can be stopped.
    assert!(machine.interrupt(&who, chat).await.is_err());
    // A chat at rest whose helpers work is stopped with them.
    house.world.send(helper, "go on alone", false).await;
    house.asked(helper).await.text("alone");
    let row = machine.interrupt(&who, chat).await.unwrap();
    assert_eq!(row.status, ChatStatus::Waiting);
    house.world.until(helper, ChatStatus::Waiting).await;
    assert!(machine.interrupt(&who, chat).await.is_err());
    // A chat at rest is put away, and its helpers are stopped for it, with what waits for them.
    house.world.send(helper, "go on", false).await;
    house.asked(helper).await.text("again");
    house.world.send(helper, "and on", false).await;
    machine.archive(&who, chat, true).await.unwrap();
    for id in [chat, helper] {
        let row = house.world.row(id).await;
        assert!(row.archived, "{id} is {:?}", row.status);
    }
}

#[tokio::test]
async fn a_chat_that_runs_is_not_put_away_nor_are_its_helpers_stopped() {
    let mut house = house().await;
    let args = json!({ "type": "general", "prompt": "go" });
    let (chat, helper, next) = spawned(&mut house, args, false).await;
    let working = house.asked(helper).await;
    working.text("half");
    let who = house.world.owner.who.clone();
    assert!(house.world.machine.archive(&who, chat, true).await.is_err());
    assert_eq!(house.world.row(helper).await.status, ChatStatus::Running);
    working.say("done");
    next.say("done");
}

#[tokio::test]
async fn a_helper_may_have_another_model_and_think_more() {
    let mut house = house().await;
    let other = Uuid::from_u128(8);
    let args = json!({
        "type": "explore", "prompt": "think", "model_config_id": other, "reasoning_effort": "HIGH",
    });
    let (chat, helper, next) = spawned(&mut house, args, false).await;
    let row = house.world.row(helper).await;
    assert_eq!(row.last_model_config_id, other);
    assert_eq!(row.last_reasoning_effort.as_deref(), Some("high"));
    assert_eq!(house.asked(helper).await.call.model.id, other);
    let spawn = |more: Value| {
        let mut args = json!({ "type": "general", "prompt": "x" });
        let args_map = args.as_object_mut().unwrap();
        args_map.extend(more.as_object().unwrap().clone());
        args
    };
    next.tools(&[
        ("l", "list_subagent_models", json!({})),
        (
            "e",
            "spawn_agent",
            spawn(json!({ "reasoning_effort": "low" })),
        ),
        (
            "a",
            "spawn_agent",
            spawn(json!({ "model_config_id": "best" })),
        ),
        (
            "b",
            "spawn_agent",
            spawn(json!({ "reasoning_effort": "more" })),
        ),
        (
            "c",
            "spawn_agent",
            spawn(json!({ "model_config_id": Uuid::nil() })),
        ),
    ]);
    let next = house.asked(chat).await;
    let models = house.result(chat, "l").await;
    assert_eq!(models["models"][0]["model_config_id"], json!(EXPLORER));
    assert_eq!(
        models["models"][0]["reasoning_efforts"],
        json!(["low", "high"])
    );
    let id = house.result(chat, "e").await["chat_id"].clone();
    let helper = id.as_str().unwrap().parse().unwrap();
    let row = house.world.row(helper).await;
    assert_eq!(row.last_model_config_id, house.world.model, "as its chat");
    assert_eq!(row.last_reasoning_effort.as_deref(), Some("low"));
    for id in ["a", "b", "c"] {
        let answer = house.result(chat, id).await;
        assert!(answer["error"].is_string(), "{id}: {answer}");
    }
    next.say("ok");
}
