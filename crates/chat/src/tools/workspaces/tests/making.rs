//! Making a workspace: names, refusals, builds that fail.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_workspace_is_made_and_named() {
    let house = house();
    let args = json!({
        "template_id": Uuid::nil(), "name": "My Work", "preset_id": Uuid::from_u128(9),
        "parameters": { "region": "eu", "cpus": 4 },
    });
    let answer = house.create(args).await;
    assert_eq!(answer["created"], true);
    assert!(
        answer["workspace_name"]
            .as_str()
            .unwrap()
            .starts_with("ann/my-work-")
    );
    assert!(answer.get("agent_status").is_none() && answer["build_id"] == json!(BUILD));
    let new = house.created.lock()[0].clone();
    assert_eq!(new.template_version_preset_id, Some(Uuid::from_u128(9)));
    let values: Vec<_> = new
        .rich_parameter_values
        .iter()
        .map(|v| (&*v.name, &*v.value))
        .collect();
    assert_eq!(values, [("cpus", "4"), ("region", "eu")]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_tried_once_more_with_another() {
    let house = house();
    let taken = Refusal {
        message: "Workspace \"dev\" already exists.".into(),
        name_taken: true,
        ..Refusal::default()
    };
    house.refusals.lock().push_back(taken.clone());
    let args = json!({ "template_id": Uuid::nil(), "name": "dev" });
    assert_eq!(house.create(args.clone()).await["created"], true);
    let names: Vec<String> = house
        .created
        .lock()
        .iter()
        .map(|n| n.name.clone())
        .collect();
    assert!(
        names[0] == "dev" && names[1].starts_with("dev-"),
        "{names:?}"
    );
    // Not for ever.
    house.refusals.lock().extend([taken.clone(), taken]);
    assert!(house.create(args).await["error"].is_string());
    assert_eq!(house.created.lock().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_and_nothing_is_made() {
    let house = house();
    for args in [
        json!({}),
        json!({ "template_id": "docker" }),
        json!({ "template_id": 7 }),
        json!({ "template_id": Uuid::nil(), "preset_id": "x" }),
        json!({ "template_id": Uuid::nil(), "parameters": [] }),
        json!({ "template_id": Uuid::nil(), "parameters": { "a": null } }),
        json!({ "template_id": Uuid::from_u128(1) }),
    ] {
        let answer = house.create(args.clone()).await;
        assert!(answer["failed"].is_string(), "{args} {answer}");
    }
    assert!(house.created.lock().is_empty());
    let refusal = Refusal {
        message: "no".into(),
        detail: "why".into(),
        validations: vec![ValidationError {
            field: "region".into(),
            detail: "required".into(),
        }],
        name_taken: false,
    };
    house.refusals.lock().push_back(refusal);
    let answer = house.create_any().await;
    assert_eq!(
        answer,
        json!({ "error": "no", "detail": "why",
                "validations": [{ "field": "region", "detail": "required" }] })
    );
}

#[tokio::test(start_paused = true)]
async fn builds_that_fail_are_answers_with_their_build() {
    let house = house();
    let full = ProvisionerJob {
        error: "insufficient quota".into(),
        error_code: JobErrorCode::INSUFFICIENTQUOTA,
        ..job(Status::Failed)
    };
    *house.builds.lock() = [full].into();
    let answer = house.create_any().await;
    assert_eq!(answer["error_code"], "INSUFFICIENT_QUOTA");
    assert_eq!(
        answer["quota"],
        json!({ "credits_consumed": 9, "budget": 10 })
    );
    assert!(answer["title"].is_string() && answer["message"].as_str().unwrap().contains("create"));
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("insufficient quota")
    );
    assert_eq!(answer["build_id"], json!(BUILD));
    // Canceled, and one that never ends.
    *house.builds.lock() = [job(Status::Canceled)].into();
    assert!(
        house.create_any().await["error"]
            .as_str()
            .unwrap()
            .contains("canceled")
    );
    *house.builds.lock() = [job(Status::Pending)].into();
    let began = Instant::now();
    let answer = house.create_any().await;
    assert!(
        answer["error"].as_str().unwrap().contains("10 minutes"),
        "{answer}"
    );
    assert_eq!(began.elapsed(), Duration::from_mins(10));
}
