//! The base of the store against a real PostgreSQL.

use std::time::Duration;

use authz::{Subject, System};
use store::{AuditAction, AuditEntry, MigrateError, OrganizationRef, StoreError};

fn system() -> Subject {
    Subject::system(System::Core)
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let db = testkit::db().await;
    let (a, b) = tokio::join!(db.migrate(), db.migrate());
    a.unwrap();
    b.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let db = testkit::db().await;
    let newer = "INSERT INTO schema_migrations (version, name) VALUES (9999, 'future')";
    db.execute(newer, &[]).await.unwrap();
    let error = db.migrate().await.unwrap_err();
    assert!(
        matches!(error, MigrateError::Newer { found: 9999, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn uncommitted_work_is_undone_and_the_connection_clean() {
    let db = testkit::db().await;
    let organization = testkit::default_organization(&db).await;
    for _ in 0..10 {
        let tx = db.begin(&system()).await.unwrap();
        tx.execute("UPDATE organizations SET name = 'changed'", &[])
            .await
            .unwrap();
        let entry = AuditEntry::new(AuditAction::Write, "organization", organization, "x");
        tx.audit(entry).await.unwrap();
    }
    let conn = db.conn().await.unwrap();
    let row = conn
        .organization_read(&system(), &OrganizationRef::Default)
        .await
        .unwrap();
    assert_eq!(row.name, "coder");
    let count = db
        .query_one("SELECT count(*) FROM audit_logs", &[])
        .await
        .unwrap();
    assert_eq!(count.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn notifications_come_with_the_commit() {
    let db = testkit::db().await;
    let mut listener = db.listen("test channel").await.unwrap();
    let tx = db.begin(&system()).await.unwrap();
    tx.notify("test channel", "one").await.unwrap();
    drop(tx);
    let tx = db.begin(&system()).await.unwrap();
    tx.notify("test channel", "two").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(listener.recv().await, "two");
}

#[tokio::test]
async fn a_lost_listening_connection_is_told_and_repaired() {
    let db = testkit::db().await;
    let mut listener = db.listen("repair").await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'";
    assert_eq!(db.query(kill, &[]).await.unwrap().len(), 1);
    assert_eq!(listener.recv().await, "", "something may have been missed");
    loop {
        db.notify("repair", "back").await.unwrap();
        let next = tokio::time::timeout(Duration::from_millis(200), listener.recv()).await;
        if next.as_deref() == Ok("back") {
            break;
        }
    }
}

#[tokio::test]
async fn bad_values_are_told_apart_from_bugs() {
    let db = testkit::db().await;
    let conn = db.conn().await.unwrap();
    let name = OrganizationRef::Name("a\0b".to_owned());
    let error = conn.organization_read(&system(), &name).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid(_)), "{error:?}");
    let again = "INSERT INTO organizations (id, name) VALUES (gen_random_uuid(), 'CODER')";
    let error = conn.execute(again, &[]).await.unwrap_err();
    assert!(error.is_conflict("organizations_name_key"), "{error:?}");
    let error = conn.execute("SELECT nonsense", &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::Internal(_)), "{error:?}");
    assert!(db.listen("bad\"name").await.is_err());
}

#[tokio::test]
async fn strangers_see_no_organization() {
    let db = testkit::db().await;
    let member = testkit::user(&db, "member", &[]).await;
    let conn = db.conn().await.unwrap();
    let own = testkit::default_organization(&db).await;
    conn.execute(
        "INSERT INTO organizations (id, name) VALUES (gen_random_uuid(), 'other')",
        &[],
    )
    .await
    .unwrap();
    let seen = conn.organization_list(&member.who, None).await.unwrap();
    assert_eq!(seen.iter().map(|o| o.id).collect::<Vec<_>>(), [own]);
    let other = OrganizationRef::Name("other".to_owned());
    let error = conn
        .organization_read(&member.who, &other)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::NotFound));
    let owner = testkit::user(&db, "owner", &["owner"]).await;
    assert_eq!(
        conn.organization_list(&owner.who, None)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        conn.organization_member_list(&owner.who, own)
            .await
            .unwrap()
            .len(),
        2
    );
}
