//! What the agents of chats may do with templates and workspaces. The numbers are those of the
//! table of cases that people were promised; most others stand in the tests of `chat`.

use api_types::{CreateWorkspaceRequest, UpdateChatRequest, UpdateTemplateMeta};
use authz::Subject;
use rpc::proto::provisionerd::completed_job::{TemplateImport, Type};
use store::chats::ChatRow;
use testkit::TestUser;
use uuid::Uuid;

use crate::support::{Deployment, ORG, machine};

/// A chat of a user, and who its agent acts as.
async fn chat(d: &Deployment, owner: &TestUser) -> (ChatRow, Subject) {
    let made = testkit::chat(&d.db.store, owner.id).await;
    let chat = row(d, owner, made.id).await;
    let who = d.control.chat_acting(&chat).await.unwrap();
    (chat, who)
}

async fn row(d: &Deployment, owner: &TestUser, chat: Uuid) -> ChatRow {
    let conn = d.db.store.conn().await.unwrap();
    conn.chat_read(&owner.who, chat).await.unwrap()
}

fn new(template: Uuid, name: &str) -> CreateWorkspaceRequest {
    CreateWorkspaceRequest {
        template_id: Some(template),
        name: name.into(),
        ..CreateWorkspaceRequest::default()
    }
}

async fn workspaces(d: &Deployment) -> i64 {
    let sql = "SELECT count(*) FROM workspaces";
    d.db.store.query_one(sql, &[]).await.unwrap().get(0)
}

/// A template whose agents somebody starts by hand.
async fn external(d: &Deployment, name: &str) -> api_types::Template {
    let version = d.version(&d.owner.who, None).await;
    let job = d.acquire().await;
    let import = TemplateImport {
        start_resources: vec![machine()],
        plan: b"{}".to_vec(),
        has_external_agents: true,
        ..Default::default()
    };
    d.complete(&job, Type::TemplateImport(import)).await;
    let request = api_types::CreateTemplateRequest {
        name: name.into(),
        template_version_id: version.id,
        ..Default::default()
    };
    let made = d.control.template_create(&d.owner.who, &ORG, request).await;
    made.unwrap()
}

#[tokio::test]
async fn row_30_a_template_with_external_agents_is_refused_with_the_way_out() {
    let d = Deployment::new().await;
    let template = external(&d, "abroad").await;
    let (chat, who) = chat(&d, &d.member).await;
    let admitted = d.control.chat_template_admitted(&who, &chat, template.id);
    let error = admitted.await.unwrap_err();
    for word in ["list_templates", "attaches it"] {
        assert!(error.message.contains(word), "{error}");
    }
    let made = d
        .control
        .chat_workspace_create(&who, &chat, new(template.id, "no"));
    assert!(made.await.is_err());
    assert_eq!(workspaces(&d).await, 0);
    assert_eq!(row(&d, &d.member, chat.id).await.workspace_id, None);
    // It may be read about, and people may make workspaces of it.
    let read = d.control.chat_template_read(&who, &chat, template.id).await;
    assert!(read.is_ok());
    d.create(&d.member, &template, "by-hand").await.unwrap();
}

#[tokio::test]
async fn row_31_other_templates_are_not_and_the_chat_is_attached_at_once() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let (chat, who) = chat(&d, &d.member).await;
    let c = &d.control;
    let key = control::ChatSetting::WorkspaceTtl;
    c.chat_setting_set(&d.owner.who, key, "7200000")
        .await
        .unwrap();
    let made = c.chat_workspace_create(&who, &chat, new(template.id, "dev"));
    let made = made.await.unwrap();
    assert_eq!((made.owner_id, made.ttl_ms), (d.member.id, Some(7_200_000)));
    let bound = row(&d, &d.member, chat.id).await;
    assert_eq!(
        (bound.workspace_id, bound.build_id),
        (Some(made.id), Some(made.latest_build.id)),
        "before the build has ended"
    );
    // The name is taken now, and nothing is changed by a try.
    let again = c.chat_workspace_create(&who, &chat, new(template.id, "dev"));
    let error = again.await.unwrap_err();
    assert!(
        error.status() == 409 && error.validations[0].field == "name",
        "{error:?}"
    );
    d.build(b"s").await;
    let stop = c.chat_workspace_stop(&who, &chat, made.id).await.unwrap();
    assert_eq!(row(&d, &d.member, chat.id).await.build_id, Some(stop.id));
    d.build(b"s").await;
    let start = c.chat_workspace_start(&who, &chat, made.id, Vec::new());
    let start = start.await.unwrap();
    assert_eq!(row(&d, &d.member, chat.id).await.build_id, Some(start.id));
    // The log names the user and the chat for all of it, and for nothing that people did.
    let sql = "SELECT resource_type || ' ' || action FROM audit_logs \
               WHERE user_id = $1 AND additional_fields->>'chat_id' = $2 ORDER BY time";
    let chat_id = chat.id.to_string();
    let rows =
        d.db.store
            .query(sql, &[&d.member.id, &chat_id])
            .await
            .unwrap();
    let log: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    for entry in [
        "workspace create",
        "workspace_build start",
        "workspace_build stop",
    ] {
        assert!(log.contains(&entry.to_owned()), "{log:?}");
    }
    let sql = "SELECT count(*) FROM audit_logs WHERE additional_fields ? 'chat_id' \
               AND (user_id IS DISTINCT FROM $1 OR additional_fields->>'chat_id' <> $2)";
    let others = d.db.store.query_one(sql, &[&d.member.id, &chat_id]).await;
    assert_eq!(others.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn row_32_templates_of_other_organizations_are_refused() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    // The owner of the site may read both.
    let (mut chat, who) = chat(&d, &d.owner).await;
    chat.organization_id = Uuid::new_v4();
    let c = &d.control;
    for error in [
        c.chat_template_admitted(&who, &chat, template.id)
            .await
            .map(drop),
        c.chat_template_read(&who, &chat, template.id)
            .await
            .map(drop),
        c.chat_workspace_create(&who, &chat, new(template.id, "no"))
            .await
            .map(drop),
    ] {
        let error = error.unwrap_err();
        assert!(error.message.contains("another organization"), "{error}");
    }
    assert!(c.chat_template_list(&who, &chat).await.unwrap().is_empty());
    assert_eq!(workspaces(&d).await, 0);
}

#[tokio::test]
async fn row_41_an_external_workspace_may_be_attached() {
    let d = Deployment::new().await;
    let template = external(&d, "abroad").await;
    let made = d.create(&d.member, &template, "abroad").await.unwrap();
    let (chat, _) = chat(&d, &d.member).await;
    let request = UpdateChatRequest {
        workspace_id: Some(made.id),
        ..UpdateChatRequest::default()
    };
    let c = &d.control;
    c.chat_update(&d.member.who, chat.id, request)
        .await
        .unwrap();
    assert_eq!(
        row(&d, &d.member, chat.id).await.workspace_id,
        Some(made.id)
    );
    let sql = "SELECT count(*) FROM audit_logs WHERE resource_type = 'chat' AND resource_id = $1 \
               AND user_id = $2 AND action = 'write'";
    let log = d.db.store.query_one(sql, &[&chat.id, &d.member.id]).await;
    assert_eq!(log.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test]
async fn what_the_owner_may_not_do_its_agent_may_not_either() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let theirs = d.running(&d.owner, &template, "theirs").await;
    let (chat, who) = chat(&d, &d.member).await;
    let c = &d.control;
    // Workspaces of others are not there, whatever a text told the model.
    assert_eq!(
        c.chat_workspace_stop(&who, &chat, theirs.id)
            .await
            .unwrap_err()
            .status(),
        404
    );
    let start = c.chat_workspace_start(&who, &chat, theirs.id, Vec::new());
    assert_eq!(start.await.unwrap_err().status(), 404);
    // A template that is closed to agents, though not to people.
    let meta = UpdateTemplateMeta {
        agents_allowed: Some(false),
        ..UpdateTemplateMeta::default()
    };
    c.template_update(&d.owner.who, template.id, meta)
        .await
        .unwrap();
    assert!(c.chat_template_list(&who, &chat).await.unwrap().is_empty());
    let refused = c.chat_workspace_create(&who, &chat, new(template.id, "no"));
    assert!(refused.await.unwrap_err().message.contains("not opened"));
    // A template that the owner may not read is not there.
    let sql = "UPDATE templates SET agents_allowed = true, group_acl = '{}' WHERE id = $1";
    d.db.store.execute(sql, &[&template.id]).await.unwrap();
    let refused = c.chat_workspace_create(&who, &chat, new(template.id, "no"));
    assert!(
        refused
            .await
            .unwrap_err()
            .message
            .contains("no such template")
    );
    // Without the right to have workspaces, asked at that moment.
    let sql = "UPDATE templates SET group_acl = \
               jsonb_build_object(organization_id::text, '[\"read\", \"use\"]'::jsonb)";
    d.db.store.execute(sql, &[]).await.unwrap();
    let sql = "UPDATE organizations SET default_org_member_roles = '{}'";
    d.db.store.execute(sql, &[]).await.unwrap();
    let who = c.chat_acting(&chat).await.unwrap();
    let refused = c.chat_workspace_create(&who, &chat, new(template.id, "no"));
    assert_eq!(refused.await.unwrap_err().status(), 403);
    assert_eq!(workspaces(&d).await, 1);
    // Nor does the agent of a suspended user act at all.
    let sql = "UPDATE users SET status = 'suspended' WHERE id = $1";
    d.db.store.execute(sql, &[&d.member.id]).await.unwrap();
    assert_eq!(c.chat_acting(&chat).await.unwrap_err().status(), 403);
}

#[tokio::test]
async fn own_use_of_templates_is_counted() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    d.running(&d.member, &template, "one").await;
    d.running(&d.owner, &template, "two").await;
    let gone = d.running(&d.member, &template, "three").await;
    let old = d.running(&d.member, &template, "four").await;
    let sql = "UPDATE workspaces SET deleted = true WHERE id = $1";
    d.db.store.execute(sql, &[&gone.id]).await.unwrap();
    let sql = "UPDATE workspaces SET last_used_at = now() - interval '61 days' WHERE id = $1";
    d.db.store.execute(sql, &[&old.id]).await.unwrap();
    let (chat, who) = chat(&d, &d.member).await;
    let list = d.control.chat_template_list(&who, &chat).await.unwrap();
    let usage = list[0].1;
    assert_eq!(
        (usage.workspaces, usage.deleted, usage.developers),
        (1, 1, 2)
    );
    assert!(usage.last_used_at.is_some());
    let sql = "UPDATE template_versions SET readme = '# Hello'";
    d.db.store.execute(sql, &[]).await.unwrap();
    let ids = vec![template.id, Uuid::new_v4()];
    let readmes = d
        .control
        .chat_template_readmes(&who, &chat, ids)
        .await
        .unwrap();
    assert_eq!(readmes.len(), 1);
    assert_eq!(readmes[&template.id], "# Hello");
}
