//! Rows 33 to 40: agents that come, and the workspace that is there already.

use super::*;

#[tokio::test(start_paused = true)]
async fn row_33_an_agent_that_is_reached_and_ready_adds_nothing() {
    let house = house();
    assert_eq!(house.ready(true).await, json!({}));
    assert_eq!(house.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn row_34_an_agent_that_is_never_reached_gives_its_last_error() {
    let house = house().unreachable(false);
    let began = Instant::now();
    assert_eq!(
        house.ready(true).await,
        json!({ "agent_status": "not_ready", "agent_error": "dial 59" }),
        "two minutes, an attempt every two seconds"
    );
    assert_eq!(began.elapsed(), Duration::from_mins(2));
}

#[tokio::test(start_paused = true)]
async fn row_35_an_external_agent_that_is_never_reached_gives_the_way_out() {
    let house = house().unreachable(true);
    assert_eq!(
        house.ready(true).await,
        json!({ "agent_status": "not_ready", "agent_error": EXTERNAL_NEVER })
    );
}

#[tokio::test(start_paused = true)]
async fn row_36_an_external_agent_reached_at_the_second_attempt() {
    let mut house = house().lifecycle(&["starting", "starting", "ready"]);
    house.external = true;
    house.failures = AtomicUsize::new(1);
    assert_eq!(house.ready(true).await, json!({}));
    assert_eq!(house.dials(), 2);
    assert_eq!(
        house.lifecycle.lock().len(),
        1,
        "start scripts were waited for"
    );
}

#[tokio::test(start_paused = true)]
async fn row_37_start_scripts_that_failed_are_told() {
    let house = house().lifecycle(&["starting", "start_error"]);
    assert_eq!(
        house.ready(true).await,
        json!({ "startup_scripts": "startup_scripts_failed", "lifecycle_state": "start_error" })
    );
    let house = super::house().lifecycle(&["starting"]);
    assert_eq!(
        house.ready(true).await,
        json!({ "startup_scripts": "startup_scripts_timeout" })
    );
}

#[tokio::test(start_paused = true)]
async fn row_38_an_agent_known_to_be_there_is_not_dialled() {
    let house = house();
    assert_eq!(house.ready(false).await, json!({}));
    assert_eq!(house.dials(), 0);
}

#[tokio::test(start_paused = true)]
async fn row_39_a_build_under_way_is_waited_for() {
    let house = house().has(Transition::Start, Status::Running);
    *house.builds.lock() = [job(Status::Running), job(Status::Succeeded)].into();
    let answer = house.create_any().await;
    assert_eq!(answer["status"], "already_exists");
    assert_eq!(
        (&answer["created"], &answer["build_id"]),
        (&json!(false), &json!(BUILD))
    );
    assert_eq!(*house.shown.lock(), [BUILD]);
    assert!(house.created.lock().is_empty());
    // It failed: an answer that names the build.
    let house = super::house().has(Transition::Start, Status::Running);
    *house.builds.lock() = [job(Status::Failed)].into();
    let answer = house.create_any().await;
    assert!(
        answer["error"].is_string() && answer["build_id"] == json!(BUILD),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn row_40_what_becomes_of_the_workspace_that_is_there() {
    let running = |status| {
        house()
            .has(Transition::Start, Status::Succeeded)
            .agent_is(status)
    };
    // Connected: not even dialled, but its start scripts are waited for.
    let house = running(AgentStatus::Connected).lifecycle(&["starting", "ready"]);
    assert_eq!(house.create_any().await["status"], "already_exists");
    assert_eq!((house.dials(), house.lifecycle.lock().len()), (0, 1));
    // Connecting: waited for.
    let house = running(AgentStatus::Connecting);
    assert_eq!(house.create_any().await["status"], "already_exists");
    assert_eq!(house.dials(), 1);
    // Offline: another one, and said so.
    for status in [AgentStatus::Disconnected, AgentStatus::Timeout] {
        let house = running(status);
        let answer = house.create_any().await;
        assert_eq!(
            (&answer["created"], &answer["replaced_workspace"]),
            (&json!(true), &json!("dev"))
        );
    }
    // Stopped: the way is told.
    let house = super::house().has(Transition::Stop, Status::Succeeded);
    let answer = house.create_any().await;
    assert_eq!(answer["status"], "stopped");
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("start_workspace")
    );
    assert!(house.created.lock().is_empty());
    // Deleted, or its last build failed: another one.
    let house = super::house().has(Transition::Start, Status::Succeeded);
    house.bound.lock().as_mut().unwrap().deleted = true;
    assert_eq!(house.create_any().await["created"], true);
    let house = super::house().has(Transition::Start, Status::Failed);
    assert_eq!(house.create_any().await["created"], true);
    // No agent, or it is not clear which.
    let house = super::house().has(Transition::Start, Status::Succeeded);
    *house.agent.lock() = Err(SelectError::Other("two".into()));
    let answer = house.create_any().await;
    assert_eq!(answer["agent_status"], "selection_error");
}
