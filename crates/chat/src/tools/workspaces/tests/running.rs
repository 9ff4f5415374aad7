//! Starting and stopping.

use super::*;

#[tokio::test(start_paused = true)]
async fn starting() {
    let said = |answer: &Value, word: &str| answer["failed"].as_str().unwrap().contains(word);
    let answer = house().start().await;
    assert!(said(&answer, "create_workspace"), "{answer}");
    let house = house().has(Transition::Delete, Status::Succeeded);
    house.bound.lock().as_mut().unwrap().deleted = true;
    assert!(said(&house.start().await, "deleted"));
    assert!(said(&house.stop().await, "deleted"));
    // It runs.
    let house = super::house().has(Transition::Start, Status::Succeeded);
    let answer = house.start().await;
    assert_eq!(
        answer,
        json!({ "started": true, "workspace_name": "dev", "no_build": true })
    );
    // It is stopped; the template had a newer version that it demands.
    let house = super::house().has(Transition::Stop, Status::Succeeded);
    let answer = house.start().await;
    assert_eq!(
        (&answer["started"], &answer["build_id"]),
        (&json!(true), &json!(BUILD))
    );
    assert_eq!(answer["updated_to_active_version"], true);
    // Its last build failed: another try.
    let house = super::house().has(Transition::Start, Status::Failed);
    assert_eq!(house.start().await["started"], true);
    assert_eq!(house.started.load(Ordering::SeqCst), 1);
    // It is being stopped: it is started after that.
    let house = super::house().has(Transition::Stop, Status::Running);
    assert_eq!(house.start().await["started"], true);
    assert_eq!(house.started.load(Ordering::SeqCst), 1);
    // It is being started already.
    let house = super::house().has(Transition::Start, Status::Running);
    assert_eq!(house.start().await["build_id"], json!(BUILD));
    assert_eq!(house.started.load(Ordering::SeqCst), 0);
    // It needs values: where they are read is told.
    let house = super::house().has(Transition::Stop, Status::Succeeded);
    house.refusals.lock().push_back(Refusal {
        validations: vec![ValidationError::default()],
        ..Refusal::default()
    });
    assert!(house.start().await["template_id"].is_string());
}

#[tokio::test(start_paused = true)]
async fn stopping() {
    assert!(house().stop().await["failed"].is_string());
    let house = house().has(Transition::Start, Status::Succeeded);
    assert_eq!(
        house.stop().await,
        json!({ "stopped": true, "workspace_name": "dev", "build_id": BUILD })
    );
    let house = super::house().has(Transition::Stop, Status::Succeeded);
    assert_eq!(
        house.stop().await,
        json!({ "stopped": true, "workspace_name": "dev", "no_build": true })
    );
    assert_eq!(house.stopped.load(Ordering::SeqCst), 0);
    // A start under way is waited for first.
    let house = super::house().has(Transition::Start, Status::Running);
    assert_eq!(house.stop().await["stopped"], true);
    assert_eq!(house.stopped.load(Ordering::SeqCst), 1);
    let house = super::house().has(Transition::Start, Status::Succeeded);
    *house.builds.lock() = [job(Status::Failed)].into();
    let answer = house.stop().await;
    assert!(answer["error"].is_string() && answer["build_id"] == json!(BUILD));
}
