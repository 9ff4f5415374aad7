//! Turns: answers, failures, interruptions, edits.

use api_types::{ChatErrorKind, ChatStatus};
use authz::{Subject, System};
use chat::machine::{MachineError, Op};
use llm::{Error, ErrorKind, Event};

use crate::world::world;

#[tokio::test]
async fn a_turn_is_asked_streamed_and_committed() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "hi");
    assert_eq!(asked.call.owner.user_id(), Some(world.owner.id));
    assert_eq!(asked.request.messages[0].texts().next(), Some("be good"));
    asked.say("hello");
    let row = world.until(chat, ChatStatus::Waiting).await;
    assert_eq!(row.runner_id, None, "nobody holds a chat that rests");
    assert_eq!(world.said(chat).await, ["user: hi", "assistant: hello"]);
    let answer = &world.messages(chat).await[1];
    assert_eq!(answer.usage.total_tokens, Some(15));
    assert_eq!(answer.total_cost_micros, Some(30));
    world.send(chat, "more", false).await;
    let asked = world.asked().await;
    assert_eq!(asked.request.messages.len(), 4);
    asked.say("sure");
    world.until(chat, ChatStatus::Waiting).await;
    assert_eq!(world.said(chat).await.len(), 4);
}

#[tokio::test]
async fn an_interrupted_answer_stays_as_far_as_it_came() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    asked.event(Event::ReasoningDelta { text: "hm".into() });
    asked.text("hel");
    // Until a viewer has seen it, it may not have reached the worker.
    let mut viewer = world
        .machine
        .hub()
        .view(&world.owner.who, chat, None)
        .await
        .unwrap();
    loop {
        let frame = viewer.next().await.unwrap();
        if String::from_utf8_lossy(&frame).contains("\"hel\"") {
            break;
        }
    }
    world.apply(chat, Op::Interrupt).await.unwrap();
    world.until(chat, ChatStatus::Waiting).await;
    assert_eq!(
        world.said(chat).await,
        ["user: hi", "assistant: hm", "assistant: hel"]
    );
    assert!(matches!(
        world.apply(chat, Op::Interrupt).await,
        Err(MachineError::NotAllowed(_))
    ));
}

#[tokio::test]
async fn errors_are_tried_again_or_told() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    let mut busy = Error::new(ErrorKind::Overloaded, "busy");
    busy.status = 529;
    world.asked().await.fail(busy);
    let row = loop {
        let row = world.row(chat).await;
        if row.retry_state.is_some() {
            break row;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    let retry = row.retry_state.unwrap();
    assert_eq!((retry.attempt, retry.status_code), (1, 529));
    let asked = world.asked().await;
    assert_eq!(world.row(chat).await.generation_attempt, 2);
    asked.text("half");
    asked.fail(Error::new(ErrorKind::Auth, "the key was refused"));
    let row = world.until(chat, ChatStatus::Error).await;
    assert_eq!(row.retry_state, None);
    assert_eq!(row.last_error.unwrap().kind, ChatErrorKind::Auth);
    assert_eq!(world.said(chat).await, ["user: hi", "assistant: half"]);
    world.send(chat, "again", false).await;
    assert_eq!(world.row(chat).await.last_error, None);
    world.asked().await.say("yes");
    world.until(chat, ChatStatus::Waiting).await;
}

#[tokio::test]
async fn an_empty_or_broken_answer_is_not_history() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    world.asked().await.finish();
    let row = world.until(chat, ChatStatus::Error).await;
    assert!(row.last_error.unwrap().message.contains("empty"));
    assert_eq!(world.said(chat).await, ["user: hi"]);
    world.send(chat, "again", false).await;
    // The stream ends in the middle, without a word: tried again.
    let asked = world.asked().await;
    asked.text("ha");
    drop(asked);
    world.asked().await.say("whole");
    world.until(chat, ChatStatus::Waiting).await;
    assert_eq!(world.said(chat).await.last().unwrap(), "assistant: whole");
}

#[tokio::test]
async fn an_edit_takes_back_what_follows_and_begins_anew() {
    let mut world = world().await;
    let chat = world.create("one").await;
    world.asked().await.say("1");
    world.until(chat, ChatStatus::Waiting).await;
    world.send(chat, "two", false).await;
    let second = world.asked().await;
    second.text("never seen in the end");
    world.send(chat, "waits", false).await;
    let first = world.messages(chat).await[0].id;
    let edit = |message| Op::Edit {
        message,
        content: vec![api_types::ChatMessagePart::text("uno")],
        model_config_id: None,
        reasoning_effort: None,
        created_by: world.owner.id,
    };
    let answer = world.messages(chat).await[1].id;
    assert!(matches!(
        world.apply(chat, edit(answer)).await,
        Err(MachineError::NotUserMessage)
    ));
    assert!(matches!(
        world.apply(chat, edit(99_999)).await,
        Err(MachineError::NoMessage)
    ));
    let outcome = world.apply(chat, edit(first)).await.unwrap();
    assert_eq!(outcome.deleted.len(), 3);
    assert_eq!(outcome.chat.queued, 0);
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "uno");
    assert!(second.reply.is_closed(), "the old answer was given up");
    asked.say("eins");
    world.until(chat, ChatStatus::Waiting).await;
    assert_eq!(world.said(chat).await, ["user: uno", "assistant: eins"]);
}

#[tokio::test]
async fn strangers_can_do_nothing() {
    let world = world().await;
    let chat = world.create("hi").await;
    let stranger = testkit::user(&world.db, "eve", &[]).await;
    for op in [
        Op::Interrupt,
        Op::Send(world.message("x"), false),
        Op::ReconcileInvalid,
    ] {
        let error = world
            .machine
            .apply(&stranger.who, chat, vec![op])
            .await
            .unwrap_err();
        assert!(
            matches!(error, MachineError::Store(store::StoreError::NotFound)),
            "{error:?}"
        );
    }
    let hub = world.machine.hub();
    assert!(hub.view(&stranger.who, chat, None).await.is_err());
    assert!(
        world
            .machine
            .archive(&stranger.who, chat, true)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_no_transition_made_is_reconciled() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    world.asked().await.say("x");
    world.until(chat, ChatStatus::Waiting).await;
    let break_it = "UPDATE chats SET status = 'paused' WHERE id = $1";
    world.db.execute(break_it, &[&chat]).await.unwrap();
    assert!(
        world
            .apply(chat, Op::Send(world.message("x"), false))
            .await
            .is_err()
    );
    let outcome = world.apply(chat, Op::ReconcileInvalid).await.unwrap();
    assert_eq!(outcome.chat.status, ChatStatus::Error);
    assert!(outcome.chat.last_error.is_some());
    assert!(world.apply(chat, Op::ReconcileInvalid).await.is_err());
}

#[tokio::test]
async fn a_suspended_owner_generates_nothing() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    world.asked().await.say("x");
    world.until(chat, ChatStatus::Waiting).await;
    let suspend = "UPDATE users SET status = 'suspended' WHERE id = $1";
    world.db.execute(suspend, &[&world.owner.id]).await.unwrap();
    let who = Subject::system(System::Chats);
    let op = Op::Send(world.message("y"), false);
    world.machine.apply(&who, chat, vec![op]).await.unwrap();
    let row = world.until(chat, ChatStatus::Error).await;
    assert_eq!(row.last_error.unwrap().kind, ChatErrorKind::Auth);
}

#[tokio::test]
async fn archiving_takes_the_family_and_only_at_rest() {
    let mut world = world().await;
    let root = world.create("root").await;
    let asked = world.asked().await;
    let who = world.owner.who.clone();
    assert!(matches!(
        world.machine.archive(&who, root, true).await,
        Err(MachineError::NotAllowed(_))
    ));
    asked.say("x");
    world.until(root, ChatStatus::Waiting).await;
    let child = world
        .create_with("child", |new| new.family = Some((root, root)))
        .await;
    // A helper that runs is stopped first.
    let _running = world.asked().await;
    world.machine.archive(&who, root, true).await.unwrap();
    assert!(world.row(child).await.archived && world.row(root).await.archived);
    assert!(matches!(
        world.apply(root, Op::Send(world.message("x"), false)).await,
        Err(MachineError::NotAllowed(_))
    ));
    assert!(world.machine.archive(&who, root, true).await.is_err());
    world.machine.archive(&who, root, false).await.unwrap();
    assert!(!world.row(child).await.archived);
}
