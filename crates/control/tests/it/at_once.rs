//! Two who change one thing at once: neither undoes what the other did.

use std::collections::BTreeMap;

use api_types::{
    TemplateRole, UpdateTemplateAcl, UpdateWorkspaceAcl, UpdateWorkspaceTtlRequest, WorkspaceRole,
};
use futures::future::LocalBoxFuture;
use store::{Held, UserRef};
use uuid::Uuid;

use crate::support::Deployment;

/// Waits until so many statements wait for a lock.
pub async fn blocked(d: &Deployment, count: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND wait_event_type = 'Lock'";
    while d.db.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) < count {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Lets both begin while a third holds the row, so that neither sees what the other does.
fn together<'a, A: 'a, B: 'a>(
    d: &'a Deployment,
    what: Held,
    id: Uuid,
    one: impl Future<Output = A> + 'a,
    two: impl Future<Output = B> + 'a,
) -> LocalBoxFuture<'a, (A, B)> {
    Box::pin(async move {
        let holder = d.db.store.begin(&d.owner.who).await.unwrap();
        holder.hold(what, id).await.unwrap();
        let release = async {
            blocked(d, 2).await;
            holder.commit().await.unwrap();
        };
        let (one, two, ()) = tokio::join!(one, two, release);
        (one, two)
    })
}

#[tokio::test]
async fn settings_of_a_workspace() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.create(&d.member, &template, "dev").await.unwrap();
    let ttl = UpdateWorkspaceTtlRequest {
        ttl_ms: Some(7_200_000),
    };
    let who = &d.member.who;
    let (ttl, updates) = together(
        &d,
        Held::Workspace,
        w.id,
        d.control.workspace_set_ttl(who, w.id, ttl),
        d.control.workspace_set_autoupdates(who, w.id, "always"),
    )
    .await;
    ttl.unwrap();
    updates.unwrap();
    let w = d.control.workspace_read(who, w.id, false).await.unwrap();
    assert_eq!(w.ttl_ms, Some(7_200_000));
    assert_eq!(w.automatic_updates.as_str(), "always");
}

#[tokio::test]
async fn access_lists() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.create(&d.member, &template, "dev").await.unwrap();
    let users = [
        testkit::user(&d.db, "ann", &[]).await,
        testkit::user(&d.db, "ben", &[]).await,
    ];
    let who = &d.owner.who;
    let [ann, ben] = users.each_ref().map(|user| UpdateTemplateAcl {
        user_perms: BTreeMap::from([(user.id.to_string(), TemplateRole::Use)]),
        ..Default::default()
    });
    let (one, two) = together(
        &d,
        Held::Template,
        template.id,
        d.control.template_acl_set(who, template.id, ann),
        d.control.template_acl_set(who, template.id, ben),
    )
    .await;
    one.unwrap();
    two.unwrap();
    let acl = d.control.template_acl_read(who, template.id).await.unwrap();
    assert_eq!(acl.users.len(), 2);

    let [ann, ben] = users.each_ref().map(|user| UpdateWorkspaceAcl {
        user_roles: BTreeMap::from([(user.id.to_string(), WorkspaceRole::Use)]),
        ..Default::default()
    });
    let (one, two) = together(
        &d,
        Held::Workspace,
        w.id,
        d.control.workspace_acl_set(who, w.id, ann),
        d.control.workspace_acl_set(who, w.id, ben),
    )
    .await;
    one.unwrap();
    two.unwrap();
    let acl = d.control.workspace_acl_read(who, w.id).await.unwrap();
    assert_eq!(acl.users.len(), 2);
}

#[tokio::test]
async fn two_owners_do_not_leave_the_deployment_without_one() {
    let d = Deployment::new().await;
    let [ann, ben] = [
        testkit::user(&d.db, "ann", &["owner"]).await,
        testkit::user(&d.db, "ben", &["owner"]).await,
    ];
    let owner = UserRef::Id(d.owner.id);
    d.control
        .user_roles_set(&ann.who, &owner, &[])
        .await
        .unwrap();
    let (users, by) = ([ann.id, ben.id], [&ben.who, &ann.who]);
    let holder = d.db.store.begin(by[0]).await.unwrap();
    for id in users {
        holder.hold(Held::User, id).await.unwrap();
    }
    let release = async {
        blocked(&d, 2).await;
        holder.commit().await.unwrap();
    };
    let [first, second] = users.map(UserRef::Id);
    let (one, two, ()) = tokio::join!(
        d.control.user_roles_set(by[0], &first, &[]),
        d.control.user_delete(by[1], &second),
        release
    );
    let refused = match (one, two) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(())) => refused,
        other => panic!("one of the two must be refused: {other:?}"),
    };
    assert_eq!(refused.status(), 409, "{refused:?}");
}

#[tokio::test]
async fn nothing_is_made_of_what_is_being_deleted() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let who = &d.owner.who;
    let deleting = d.db.store.begin(who).await.unwrap();
    let row = deleting.template_read(who, template.id).await.unwrap();
    assert_eq!(deleting.template_lock(template.id).await.unwrap(), 0);
    deleting.template_delete(who, &row).await.unwrap();
    let release = async {
        blocked(&d, 1).await;
        deleting.commit().await.unwrap();
    };
    let (made, ()) = tokio::join!(d.create(&d.member, &template, "late"), release);
    assert_eq!(made.unwrap_err().status(), 404);
    let count = "SELECT count(*) FROM workspaces";
    let left = d.db.query_one(count, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(left, 0);
}
