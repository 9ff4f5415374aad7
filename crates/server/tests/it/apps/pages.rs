//! Pages in the place of an app that is not there.

use super::{add_app, app_world, token};
use crate::browser::get;

#[tokio::test]
async fn pages_say_why_an_app_is_not_there() {
    let a = app_world().await;
    let owner = Some(&a.w.owner);
    let label = "web--dev--ann";
    add_app(&a.w, "dead", "owner", "http://localhost:8099").await;
    add_app(&a.w, "ssh", "owner", "http://localhost:1").await;
    let dead = a.at_host("dead--dev--ann", "/x", owner).await;
    assert_eq!(dead.status, 502);
    assert!(dead.body.contains("does not answer") && dead.body.contains("Try again"));
    // What the agent found out about it is said.
    let health = async |state: &str, lifecycle: &str| {
        let sql = "UPDATE workspace_apps SET health = $1 WHERE slug = 'dead'";
        a.w.db.execute(sql, &[&state]).await.unwrap();
        let sql = "UPDATE workspace_agents SET lifecycle_state = $1";
        a.w.db.execute(sql, &[&lifecycle]).await.unwrap();
        a.at_host("dead--dev--ann", "/x", owner).await
    };
    for (state, lifecycle, says, waits) in [
        ("unhealthy", "ready", "The app is unhealthy", false),
        ("initializing", "ready", "The app is starting", true),
        ("disabled", "starting", "The app is starting", true),
        (
            "disabled",
            "start_error",
            "startup script did not succeed",
            false,
        ),
        (
            "disabled",
            "shutting_down",
            "The workspace is stopping",
            false,
        ),
    ] {
        let page = health(state, lifecycle).await;
        assert_eq!(page.status, 502, "{state} {lifecycle}");
        assert!(
            page.body.contains(says),
            "{state} {lifecycle}: {}",
            page.body
        );
        assert_eq!(
            !page.header("refresh").is_empty(),
            waits,
            "{state} {lifecycle}"
        );
    }
    // Whatever the checks say, an app that answers is shown.
    let sql = "UPDATE workspace_apps SET health = 'unhealthy' WHERE slug = 'web'";
    a.w.db.execute(sql, &[]).await.unwrap();
    assert_eq!(a.at_host(label, "/x", owner).await.status, 200);
    assert_eq!(a.at_host("ssh--dev--ann", "/x", owner).await.status, 400);
    assert_eq!(a.at_host(label, "/huge", owner).await.status, 502);

    let page = a.at_host(label, "/x", owner).await;
    let signed = page.cookie("coder_signed_app_token");
    let sql = "UPDATE workspace_agents SET last_connected_at = now() - interval '1 hour', \
               disconnected_at = now()";
    a.w.db.execute(sql, &[]).await.unwrap();
    let offline = a.at_host(label, "/x", owner).await;
    assert_eq!(offline.status, 404);
    assert!(offline.body.contains("disconnected"), "{}", offline.body);
    let never = "UPDATE workspace_agents SET last_connected_at = NULL, \
                 connection_timeout_seconds = 60, created_at = now() - $1 * interval '1 second'";
    for (age, says, waits) in [
        (0.0, "has not connected yet", true),
        (3600.0, "does not connect", false),
    ] {
        a.w.db.execute(never, &[&age]).await.unwrap();
        let page = a.at_host(label, "/x", owner).await;
        assert_eq!(page.status, 404);
        assert!(page.body.contains(says), "{}", page.body);
        assert_eq!(!page.header("refresh").is_empty(), waits);
    }

    // While it is being built, there are no apps yet.
    let sql = "UPDATE provisioner_jobs SET completed_at = NULL WHERE type = 'workspace_build'";
    a.w.db.execute(sql, &[]).await.unwrap();
    let starting = a.at_host("later--dev--ann", "/x", owner).await;
    assert_eq!(starting.status, 404);
    assert!(
        starting.body.contains("The workspace is starting"),
        "{}",
        starting.body
    );
    let sql = "UPDATE workspace_builds SET transition = 'stop'";
    a.w.db.execute(sql, &[]).await.unwrap();
    let stopping = a.at_host(label, "/x", owner).await;
    assert_eq!(stopping.status, 400);
    assert!(stopping.body.contains("is stopping"), "{}", stopping.body);
    let sql = "UPDATE provisioner_jobs SET completed_at = now()";
    a.w.db.execute(sql, &[]).await.unwrap();
    let stopped = a.at_host(label, "/x", owner).await;
    assert_eq!(stopped.status, 400);
    let body = &stopped.body;
    assert!(
        body.contains("ann/dev") && body.contains("/start-workspace?workspace="),
        "{body}"
    );
    // Strangers are not told; nor is who is not signed in.
    let stranger = testkit::user(&a.w.db, "bob", &[]).await;
    assert_eq!(a.at_host(label, "/x", Some(&stranger)).await.status, 404);
    assert_eq!(a.at_host("open--dev--ann", "/x", None).await.status, 303);
    // What a token remembered is corrected when nothing answers.
    a.agent.close().await;
    let corrected = get(a.port, &a.host(label), "/x")
        .header("Cookie", &signed)
        .header("Coder-Session-Token", token(&a.w.owner))
        .send()
        .await;
    assert_eq!(corrected.status, 400, "{corrected:?}");

    let path = format!(
        "/start-workspace?workspace={}&back=%2F%40ann",
        a.w.workspace
    );
    let page = a.at_path(&path, owner).await;
    assert!(page.body.contains("Start the workspace?"), "{}", page.body);
    assert_eq!(a.at_path(&path, Some(&stranger)).await.status, 404);
    let form = a.at_path(&path, None).await;
    assert_eq!(form.status, 303);
    let forged = get(a.port, &format!("127.0.0.1:{}", a.port), "/start-workspace")
        .method("POST")
        .header(
            "Cookie",
            &format!("coder_session_token={}", token(&a.w.owner)),
        )
        .header("Content-Length", "0")
        .send()
        .await;
    assert_eq!(forged.status, 400, "a form of another site");
}
