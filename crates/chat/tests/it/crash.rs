//! Workers that die, at every point of a turn; and two that race.

use api_types::ChatStatus;
use chat::machine::Op;
use chat::tools::ToolAnswer;
use chat::worker::Neighbours;
use serde_json::json;

use crate::world::{World, without_worker};

/// Where a worker dies.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Asked,
    Streaming,
    CalledOnce,
    OneOfTwoDone,
    Answered,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_anywhere_loses_and_doubles_nothing() {
    for at in [
        At::Asked,
        At::Streaming,
        At::CalledOnce,
        At::OneOfTwoDone,
        At::Answered,
    ] {
        let mut world = without_worker(100_000).await;
        let mut first = world.start_replica(Neighbours::Possible);
        let chat = world.create("hi").await;
        let said = die_at(&mut world, chat, at, &mut first).await;
        // The next one knows that it is alone, as after a restart.
        let _second = world.start_replica(Neighbours::None);
        go_on(&mut world, at).await;
        world.until(chat, ChatStatus::Waiting).await;
        assert_eq!(world.said(chat).await, said, "{at:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_died_here_is_not_waited_for() {
    let mut world = without_worker(100_000).await;
    let mut first = world.start_replica(Neighbours::Possible);
    let chat = world.create("hi").await;
    die_at(&mut world, chat, At::Streaming, &mut first).await;
    // A lease that never ends, of a process whose id is another one's by now.
    let sql =
        "UPDATE chat_workers SET heartbeat_at = now() + interval '1 day', process = process || '1'";
    assert_eq!(world.db.execute(sql, &[]).await.unwrap(), 1);
    let _second = world.start_replica(Neighbours::Possible);
    go_on(&mut world, At::Streaming).await;
    world.until(chat, ChatStatus::Waiting).await;
}

/// Brings a turn to a point and kills its worker; what must have been said in the end.
async fn die_at(
    world: &mut World,
    chat: uuid::Uuid,
    at: At,
    worker: &mut crate::world::Replica,
) -> Vec<&'static str> {
    let asked = world.asked().await;
    let calls = [
        "user: hi",
        "assistant calls execute",
        "assistant calls read_file",
    ];
    if at == At::Asked || at == At::Streaming {
        if at == At::Streaming {
            asked.text("half an ans");
        }
        worker.kill();
        return vec!["user: hi", "assistant: whole"];
    }
    asked.tools(&[
        ("a", "execute", json!({ "command": "rm x" })),
        ("b", "read_file", json!({ "path": "x" })),
    ]);
    let (one, two) = (world.called().await, world.called().await);
    let (execute, read) = if one.name == "execute" {
        (one, two)
    } else {
        (two, one)
    };
    if at == At::CalledOnce {
        worker.kill();
        return [&calls[..], &["tool a failed", "tool b", "assistant: whole"]].concat();
    }
    execute
        .reply
        .send(ToolAnswer::ok(json!({ "success": true })))
        .unwrap();
    let kept = "SELECT count(*) FROM chat_tool_runs WHERE result IS NOT NULL";
    loop {
        let count: i64 = world.db.query_one(kept, &[]).await.unwrap().get(0);
        if count == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    if at == At::OneOfTwoDone {
        worker.kill();
        return [&calls[..], &["tool a", "tool b", "assistant: whole"]].concat();
    }
    read.reply
        .send(ToolAnswer::ok(json!({ "content": "" })))
        .unwrap();
    let _asked = world.asked().await;
    assert_eq!(world.row(chat).await.status, ChatStatus::Running);
    worker.kill();
    [&calls[..], &["tool a", "tool b", "assistant: whole"]].concat()
}

/// Plays the rest with the worker that took over.
async fn go_on(world: &mut World, at: At) {
    if matches!(at, At::CalledOnce | At::OneOfTwoDone) {
        let again = world.called().await;
        assert_eq!(
            again.name, "read_file",
            "what may have had effects is not run again"
        );
        again
            .reply
            .send(ToolAnswer::ok(json!({ "content": "" })))
            .unwrap();
    }
    let asked = world.asked().await;
    if at == At::CalledOnce {
        let last = asked.request.messages.last().unwrap();
        let told = format!("{:?}", last.parts[0]);
        assert!(told.contains("may have run"), "{told}");
    }
    asked.say("whole");
    assert!(world.called.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_while_it_summarizes_loses_nothing() {
    let mut world = without_worker(1000).await;
    let mut first = world.start_replica(Neighbours::Possible);
    world.no_summary();
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    asked.event(llm::Event::ToolCallEnd(llm::ToolCall {
        id: "a".into(),
        name: "no_such_tool".into(),
        args: "{}".into(),
        provider_executed: false,
        metadata: llm::Metadata::default(),
    }));
    asked.event(llm::Event::Usage(llm::Usage {
        input_tokens: 900,
        ..llm::Usage::default()
    }));
    asked.event(llm::Event::Finish {
        reason: llm::FinishReason::ToolCalls,
        provider_response_id: String::new(),
    });
    let under_way = async {
        while world.summarized().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let under_way = tokio::time::timeout(std::time::Duration::from_mins(1), under_way);
    under_way.await.expect("a summary is asked for");
    first.kill();
    world.summary("we did x");
    let _second = world.start_replica(Neighbours::None);
    let asked = world.asked().await;
    assert!(
        asked.last_text().contains("we did x"),
        "{}",
        asked.last_text()
    );
    asked.say("whole");
    world.until(chat, ChatStatus::Waiting).await;
    let said = world.said(chat).await;
    let summaries = said
        .iter()
        .filter(|line| line.contains("calls chat_summarized"));
    assert_eq!(summaries.count(), 1, "{said:?}");
    assert_eq!(
        said[..3],
        ["user: hi", "assistant calls no_such_tool", "tool a failed"]
    );
    assert_eq!(said.last().unwrap(), "assistant: whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_race_and_each_turn_is_asked_once() {
    let mut world = without_worker(100_000).await;
    let _one = world.start_replica(Neighbours::Possible);
    let _two = world.start_replica(Neighbours::Possible);
    let mut chats = Vec::new();
    for i in 0..12 {
        chats.push(world.create(&format!("{i}")).await);
    }
    let mut seen = std::collections::HashSet::new();
    for _ in 0..chats.len() {
        let asked = world.asked().await;
        assert!(seen.insert(asked.call.chat), "a chat was asked twice");
        asked.say("ok");
    }
    for chat in chats {
        world.until(chat, ChatStatus::Waiting).await;
        assert_eq!(world.messages(chat).await.len(), 2);
    }
    assert!(world.asked.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_is_honoured_though_the_worker_died() {
    let mut world = without_worker(100_000).await;
    let mut first = world.start_replica(Neighbours::Possible);
    let chat = world.create("hi").await;
    let _asked = world.asked().await;
    first.kill();
    // Its heartbeat still looks alive; nobody waits for that to age.
    let _second = world.start_replica(Neighbours::Possible);
    world.apply(chat, Op::Interrupt).await.unwrap();
    let began = std::time::Instant::now();
    world.until(chat, ChatStatus::Waiting).await;
    assert!(began.elapsed().as_secs_f64() < chat::machine::STALE_SECONDS);
    world.send(chat, "again", false).await;
    world.asked().await.say("yes");
    world.until(chat, ChatStatus::Waiting).await;
}

/// What is kept of an answer under way: waits until `text` is in it.
async fn kept(world: &World, text: &str) {
    let sql = "SELECT count(*) FROM chat_partials WHERE content::text LIKE '%' || $1 || '%'";
    let wait = async {
        while world
            .db
            .query_one(sql, &[&text])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 0
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), wait).await;
    waited.expect("the answer so far to be written down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_outlives_its_replica_and_is_said_to_be_cut() {
    let mut world = without_worker(100_000).await;
    let mut first = world.start_replica(Neighbours::Possible);
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    asked.text("half \0an ans");
    kept(&world, "an ans").await;
    asked.text("wer");
    kept(&world, "wer").await;
    first.kill();
    let _second = world.start_replica(Neighbours::None);
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "hi", "the model does not see it");
    asked.say("whole");
    world.until(chat, ChatStatus::Waiting).await;
    let said = world.said(chat).await;
    assert_eq!(said[..2], ["user: hi", "assistant: half \0an answer"]);
    assert!(said[2].contains("begins anew"), "{said:?}");
    assert_eq!(said[3..], ["assistant: whole"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_after_a_crash_keeps_what_was_said() {
    let mut world = without_worker(100_000).await;
    let mut first = world.start_replica(Neighbours::Possible);
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    asked.text("half");
    kept(&world, "half").await;
    first.kill();
    world.apply(chat, Op::Interrupt).await.unwrap();
    let _second = world.start_replica(Neighbours::None);
    world.until(chat, ChatStatus::Waiting).await;
    assert_eq!(world.said(chat).await, ["user: hi", "assistant: half"]);
    world.send(chat, "go on", false).await;
    let asked = world.asked().await;
    assert_eq!(asked.request.messages.len(), 4, "now it is the answer");
    asked.say("ok");
    world.until(chat, ChatStatus::Waiting).await;
    let sql = "SELECT count(*) FROM chat_partials";
    let left: i64 = world.db.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_leaves_all_that_was_said() {
    let mut world = without_worker(100_000).await;
    let stop = world.start_worker().await;
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    let hub = world.machine.hub();
    let mut viewer = hub.view(&world.owner.who, chat, None).await.unwrap();
    asked.text("half");
    while !String::from_utf8_lossy(&viewer.next().await.unwrap()).contains("half") {}
    stop.cancel();
    kept(&world, "half").await;
    world.start_worker().await;
    world.asked().await.say("whole");
    world.until(chat, ChatStatus::Waiting).await;
    let said = world.said(chat).await;
    assert_eq!(
        (said[1].as_str(), said[3].as_str()),
        ("assistant: half", "assistant: whole")
    );
}
