//! Plans, questions, attachments and skills, on a workspace of which only files are real.

use api_types::ChatStatus;
use serde_json::json;

use crate::world::house;

#[tokio::test]
async fn a_question_in_plan_mode_ends_the_turn() {
    let mut house = house().await;
    let chat = house
        .world
        .create_with("plan it", |new| new.plan_mode = "plan".into())
        .await;
    let option = json!({ "label": "a", "description": "b" });
    let good =
        json!({ "questions": [{ "header": "h", "question": "q?", "options": [option, option] }] });
    let asked = house.asked(chat).await;
    asked.tools(&[("bad", "ask_user_question", json!({ "questions": [] }))]);
    // A failed call is no reason to stop.
    let asked = house.asked(chat).await;
    asked.tools(&[("q", "ask_user_question", good.clone())]);
    house.world.until(chat, ChatStatus::Waiting).await;
    assert_eq!(house.result(chat, "q").await, good);
}

#[tokio::test]
async fn in_plan_mode_the_plan_is_all_that_can_be_written() {
    let mut house = house().await;
    let chat = house
        .world
        .create_with("plan it", |new| new.plan_mode = "plan".into())
        .await;
    let plan = format!(".coder/plans/PLAN-{chat}.md");
    let asked = house.asked(chat).await;
    let names = asked.tool_names();
    assert!(!names.contains(&"process_signal".into()) && !names.contains(&"message_agent".into()));
    let secret = house.agent.write("secret", "before");
    asked.tools(&[
        (
            "other",
            "write_file",
            json!({ "path": secret, "content": "after" }),
        ),
        (
            "plan",
            "write_file",
            json!({ "path": format!("~/{plan}"), "content": "# The plan" }),
        ),
        ("early", "propose_plan", json!({ "path": secret })),
    ]);
    let asked = house.asked(chat).await;
    let refused = house.result(chat, "other").await;
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("only the plan file"),
        "{refused}"
    );
    assert!(house.result(chat, "early").await["error"].is_string());
    assert_eq!(house.result(chat, "plan").await["ok"], true);
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "before");
    asked.tools(&[(
        "p",
        "propose_plan",
        json!({ "path": format!("$HOME/{plan}") }),
    )]);
    house.world.until(chat, ChatStatus::Waiting).await;
    let answer = house.result(chat, "p").await;
    assert_eq!(
        (&answer["kind"], &answer["media_type"]),
        (&json!("plan"), &json!("text/markdown"))
    );
    let id: uuid::Uuid = answer["file_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(house.files(chat).await[&id], b"# The plan");
    // A link in its place leads nowhere.
    let file = house.agent.home().join(&plan);
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&secret, &file).unwrap();
    house.world.send(chat, "again", false).await;
    let asked = house.asked(chat).await;
    asked.tools(&[
        (
            "w",
            "write_file",
            json!({ "path": file, "content": "after" }),
        ),
        ("p2", "propose_plan", json!({ "path": file })),
    ]);
    house.asked(chat).await.say("it is a link");
    assert!(
        house.result(chat, "w").await["error"]
            .as_str()
            .unwrap()
            .contains("links")
    );
    assert!(house.result(chat, "p2").await["error"].is_string());
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "before");
}

#[tokio::test]
async fn files_are_attached_if_they_can_be_shown() {
    let mut house = house().await;
    let picture = house.agent.write("a.png", b"\x89PNG\r\n\x1a\nrest");
    let drawing = house.agent.write("a.svg", b"<svg/>");
    let empty = house.agent.write("empty", b"");
    let huge = house.agent.write("huge.txt", vec![b'x'; (10 << 20) + 1]);
    let chat = house.world.create("show me").await;
    house.asked(chat).await.tools(&[
        (
            "a",
            "attach_file",
            json!({ "path": picture, "name": "x/view.png" }),
        ),
        ("b", "attach_file", json!({ "path": drawing })),
        ("c", "attach_file", json!({ "path": empty })),
        ("d", "attach_file", json!({ "path": huge })),
        ("e", "attach_file", json!({ "path": "/no/such/file" })),
    ]);
    house.asked(chat).await.say("see");
    let good = house.result(chat, "a").await;
    assert_eq!(
        (&good["name"], &good["media_type"]),
        (&json!("view.png"), &json!("image/png"))
    );
    assert_eq!(good["size"], 12);
    for id in ["b", "c", "d", "e"] {
        let answer = house.result(chat, id).await;
        assert!(answer["error"].is_string(), "{id}: {answer}");
    }
    assert_eq!(house.files(chat).await.len(), 1);
}

#[tokio::test]
async fn skills_of_the_user_and_of_the_workspace() {
    let mut house = house().await;
    let owner = &house.world.owner;
    let tx = house.world.db.store.begin(&owner.who).await.unwrap();
    for name in ["both", "mine"] {
        let text = format!("---\nname: {name}\n---\nof the user");
        tx.user_skill_create(&owner.who, owner.id, name, "when needed", &text)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let there = "---\nname: both\n---\nof the workspace";
    house.agent.write("skills/both/SKILL.md", there);
    house.agent.write("skills/both/roles/a.md", "a role");
    house.agent.write("secret", "no");
    let link = house.agent.home().join("skills/both/out.md");
    std::os::unix::fs::symlink(house.agent.home().join("secret"), link).unwrap();
    let chat = house.world.create("use it").await;
    let asked = house.asked(chat).await;
    let told = asked.told();
    assert!(told.contains("- mine: when needed"), "{told}");
    let file = |path: &str| json!({ "name": "workspace/both", "path": path });
    asked.tools(&[
        ("bare", "read_skill", json!({ "name": "both" })),
        ("mine", "read_skill", json!({ "name": "mine" })),
        ("there", "read_skill", json!({ "name": "workspace/both" })),
        ("none", "read_skill", json!({ "name": "x" })),
        ("file", "read_skill_file", file("roles/a.md")),
        ("up", "read_skill_file", file("../../secret")),
        ("out", "read_skill_file", file("out.md")),
        (
            "own",
            "read_skill_file",
            json!({ "name": "mine", "path": "a" }),
        ),
    ]);
    house.asked(chat).await.say("ok");
    let error = |value: &serde_json::Value| value["error"].as_str().unwrap_or_default().to_owned();
    assert!(error(&house.result(chat, "bare").await).contains("personal/both"));
    assert_eq!(house.result(chat, "mine").await["body"], "of the user");
    let there = house.result(chat, "there").await;
    assert_eq!(there["body"], "of the workspace");
    assert!(
        there["files"]
            .as_array()
            .unwrap()
            .contains(&json!("roles/")),
        "{there}"
    );
    let none = error(&house.result(chat, "none").await);
    assert!(none.contains("workspace/both"), "{none}");
    assert_eq!(house.result(chat, "file").await["content"], "a role");
    for id in ["up", "out", "own"] {
        assert!(!error(&house.result(chat, id).await).is_empty(), "{id}");
    }
}
