//! What workspaces do by themselves, on a clock that the test moves.

use api_types::{UpdateWorkspaceAutostartRequest, UpdateWorkspaceTtlRequest, Workspace};
use authz::{Subject, System};
use chrono::{DateTime, TimeDelta, Utc};
use store::Held;
use uuid::Uuid;

use crate::at_once::blocked;
use crate::support::Deployment;

const DAY: TimeDelta = TimeDelta::days(1);
const SECOND: TimeDelta = TimeDelta::seconds(1);

async fn now(d: &Deployment, id: Uuid) -> Workspace {
    let read = d.control.workspace_read(&d.owner.who, id, true);
    read.await.unwrap()
}

/// Transition, reason and number of the latest build.
async fn latest(d: &Deployment, id: Uuid) -> (String, String, i32) {
    let build = now(d, id).await.latest_build;
    (
        build.transition.to_string(),
        build.reason.to_string(),
        build.build_number,
    )
}

async fn set_template(d: &Deployment, template: Uuid, column: &str, time: TimeDelta) {
    let sql = format!("UPDATE templates SET {column} = $2 WHERE id = $1");
    let ms = time.num_milliseconds();
    d.db.execute(&sql, &[&template, &ms]).await.unwrap();
}

#[tokio::test]
async fn a_workspace_stops_and_starts_on_time_and_once() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.create(&d.member, &template, "dev").await.unwrap();
    let ttl = UpdateWorkspaceTtlRequest {
        ttl_ms: Some(3_600_000),
    };
    let set = d.control.workspace_set_ttl(&d.member.who, w.id, ttl);
    set.await.unwrap();
    d.build(b"state").await;
    let deadline: DateTime<Utc> = now(&d, w.id).await.latest_build.deadline.unwrap();

    let early = d.control.lifecycle_tick(deadline - TimeDelta::seconds(1));
    early.await.unwrap();
    assert_eq!(latest(&d, w.id).await.2, 1);

    // Four replicas look at the same moment.
    let ticks = (0..4).map(|_| d.control.lifecycle_tick(deadline));
    for tick in futures::future::join_all(ticks).await {
        tick.unwrap();
    }
    let stop = ("stop".to_owned(), "autostop".to_owned(), 2);
    assert_eq!(latest(&d, w.id).await, stop);
    // Nothing more while it is being built.
    d.control.lifecycle_tick(deadline + DAY).await.unwrap();
    assert_eq!(latest(&d, w.id).await, stop);
    d.build(b"state").await;

    let autostart = UpdateWorkspaceAutostartRequest {
        schedule: Some("CRON_TZ=UTC 30 9 * * *".to_owned()),
    };
    let set = d
        .control
        .workspace_set_autostart(&d.member.who, w.id, autostart);
    set.await.unwrap();
    let next = now(&d, w.id).await.next_start_at.unwrap();
    let early = d.control.lifecycle_tick(next - TimeDelta::seconds(1));
    early.await.unwrap();
    assert_eq!(latest(&d, w.id).await, stop);
    d.control.lifecycle_tick(next).await.unwrap();
    let start = ("start".to_owned(), "autostart".to_owned(), 3);
    assert_eq!(latest(&d, w.id).await, start);
    let audited = d.db.query_one(
        "SELECT count(*) FROM audit_logs WHERE additional_fields ->> 'build_reason' = 'autostart'",
        &[],
    );
    assert_eq!(audited.await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test]
async fn an_unused_workspace_rests_and_is_deleted_in_the_end() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    set_template(&d, template.id, "time_til_dormant_ms", DAY).await;
    set_template(&d, template.id, "time_til_dormant_autodelete_ms", DAY).await;
    let used = now(&d, w.id).await.last_used_at;

    d.control
        .lifecycle_tick(used + DAY - TimeDelta::seconds(1))
        .await
        .unwrap();
    assert!(now(&d, w.id).await.dormant_at.is_none());
    let at = used + DAY;
    d.control.lifecycle_tick(at).await.unwrap();
    let resting = now(&d, w.id).await;
    assert_eq!(resting.dormant_at, Some(at));
    assert_eq!(resting.deleting_at, Some(at + DAY));
    let stop = ("stop".to_owned(), "dormancy".to_owned(), 2);
    assert_eq!(latest(&d, w.id).await, stop);
    d.build(b"state").await;

    d.control.lifecycle_tick(at + DAY).await.unwrap();
    let delete = ("delete".to_owned(), "autodelete".to_owned(), 3);
    assert_eq!(latest(&d, w.id).await, delete);
    d.build(b"").await;
    d.control.lifecycle_tick(at + DAY + DAY).await.unwrap();
    assert_eq!(latest(&d, w.id).await, delete);
    let gone = d.control.workspace_read(&d.member.who, w.id, false).await;
    assert_eq!(gone.unwrap_err().status(), 410);
}

#[tokio::test]
async fn without_a_daemon_nothing_piles_up() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let suspend = "UPDATE users SET status = 'suspended' WHERE id = $1";
    d.db.execute(suspend, &[&d.member.id]).await.unwrap();
    d.cancel.cancel();
    // It says that it goes.
    let here = "SELECT count(*) FROM provisioner_daemons WHERE last_seen_at IS NOT NULL";
    while d.db.query_one(here, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    d.control.lifecycle_tick(Utc::now()).await.unwrap();
    assert_eq!(latest(&d, w.id).await.2, 1);
    let back = "UPDATE provisioner_daemons SET last_seen_at = now()";
    d.db.execute(back, &[]).await.unwrap();
    d.control.lifecycle_tick(Utc::now()).await.unwrap();
    let stop = ("stop".to_owned(), "autostop".to_owned(), 2);
    assert_eq!(latest(&d, w.id).await, stop);
}

#[tokio::test]
async fn what_is_given_more_time_meanwhile_goes_on() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let now = Utc::now();
    let set = "UPDATE workspace_builds SET deadline = $2 WHERE workspace_id = $1";
    d.db.execute(set, &[&w.id, &now]).await.unwrap();
    let holder = d.db.store.begin(&d.owner.who).await.unwrap();
    holder.hold(Held::Workspace, w.id).await.unwrap();
    let extend = async {
        blocked(&d, 1).await;
        holder.execute(set, &[&w.id, &(now + DAY)]).await.unwrap();
        holder.commit().await.unwrap();
    };
    let (tick, ()) = tokio::join!(d.control.lifecycle_tick(now + SECOND), extend);
    tick.unwrap();
    assert_eq!(latest(&d, w.id).await.2, 1);
    d.control.lifecycle_tick(now + DAY + SECOND).await.unwrap();
    assert_eq!(latest(&d, w.id).await.0, "stop");
}

#[tokio::test]
async fn what_is_never_taken_up_is_not_looked_at() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    set_template(&d, template.id, "failure_ttl_ms", DAY).await;
    let schedule = "UPDATE workspaces SET autostart_schedule = '0 9 * * *'";
    d.db.execute(schedule, &[]).await.unwrap();
    d.db.execute("UPDATE workspace_builds SET transition = 'stop'", &[])
        .await
        .unwrap();
    let autostart = Subject::system(System::Autostart);
    let due = || async {
        let conn = d.db.store.conn().await.unwrap();
        let later = Utc::now() + DAY + DAY;
        let due = conn.workspaces_due(&autostart, later, None).await.unwrap();
        for one in &due {
            let next = conn.workspaces_due(&autostart, later, Some(one.id));
            assert!(next.await.unwrap().is_empty());
        }
        due.len()
    };
    assert_eq!(due().await, 1);
    for (prevent, allow) in [
        (
            "UPDATE users SET status = 'dormant'",
            "UPDATE users SET status = 'active'",
        ),
        (
            "UPDATE templates SET allow_user_autostart = false",
            "UPDATE templates SET allow_user_autostart = true",
        ),
        (
            "UPDATE workspaces SET dormant_at = now()",
            "UPDATE workspaces SET dormant_at = NULL",
        ),
        (
            "UPDATE workspaces SET next_start_at = now() + interval '9 days'",
            "UPDATE workspaces SET next_start_at = NULL",
        ),
    ] {
        d.db.execute(prevent, &[]).await.unwrap();
        assert_eq!(due().await, 0, "{prevent}");
        d.db.execute(allow, &[]).await.unwrap();
    }
    d.db.execute("UPDATE provisioner_jobs SET error = 'x'", &[])
        .await
        .unwrap();
    assert_eq!(due().await, 1, "its failed stop is tried again");
    d.db.execute("UPDATE workspace_builds SET transition = 'delete'", &[])
        .await
        .unwrap();
    assert_eq!(due().await, 0, "a failed delete is not");
    assert_eq!(latest(&d, w.id).await.2, 1);
}
