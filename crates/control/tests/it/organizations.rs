//! Organizations, their groups, roles and access lists: what follows from a change.

use api_types::{
    CreateGroupRequest, CreateOrganizationRequest, CustomRoleRequest, Group, PatchGroupRequest,
    Permission, UpdateOrganizationRequest, UpdateWorkspaceAcl,
    UpdateWorkspaceSharingSettingsRequest, WorkspaceRole,
};
use control::groups::GroupPath;
use store::{OrganizationRef, UserRef};

use crate::support::{Deployment, ORG};

fn named(name: &str) -> CreateOrganizationRequest {
    CreateOrganizationRequest {
        name: name.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn an_organization_is_made_changed_and_deleted() {
    let d = Deployment::new().await;
    let who = &d.owner.who;
    let made = d
        .control
        .organization_create(who, named("acme"))
        .await
        .unwrap();
    assert_eq!(made.display_name, "acme");
    for (name, status) in [("ACME", 409), ("default", 400), ("a b", 400), ("", 400)] {
        let again = d.control.organization_create(who, named(name)).await;
        assert_eq!(again.unwrap_err().status(), status, "{name}");
    }
    let which = OrganizationRef::Id(made.id);
    let update = |request| d.control.organization_update(who, &which, request);
    let bad = UpdateOrganizationRequest {
        default_org_member_roles: Some(vec!["owner".to_owned()]),
        ..Default::default()
    };
    assert_eq!(update(bad).await.unwrap_err().status(), 400);
    let good = UpdateOrganizationRequest {
        description: Some("Rockets".to_owned()),
        ..Default::default()
    };
    assert_eq!(update(good).await.unwrap().description, "Rockets");

    // Who made it is its first member; a second one stands in the way of its end.
    let ann = UserRef::Id(d.member.id);
    d.control.member_create(who, &which, &ann).await.unwrap();
    let held = d.control.organization_delete(who, &which).await;
    assert_eq!(held.unwrap_err().detail, "1 other members");
    d.control.member_delete(who, &which, &ann).await.unwrap();
    d.control.organization_delete(who, &which).await.unwrap();
    let gone = d.control.organization_read(who, &which).await;
    assert_eq!(gone.unwrap_err().status(), 404);
    let default = d.control.organization_delete(who, &ORG).await;
    assert_eq!(default.unwrap_err().status(), 400);
}

#[tokio::test]
async fn groups_have_members_of_their_organization() {
    let d = Deployment::new().await;
    let who = &d.owner.who;
    let create = |name: &str| CreateGroupRequest {
        name: name.to_owned(),
        ..Default::default()
    };
    let group = d.control.group_create(who, &ORG, create("devs")).await;
    let group = group.unwrap();
    for (name, status) in [("DEVS", 409), ("everyone", 400), ("", 400), ("a\0", 400)] {
        let again = d.control.group_create(who, &ORG, create(name)).await;
        assert_eq!(again.unwrap_err().status(), status, "{name:?}");
    }
    let which = GroupPath::Id(group.id);
    let change = |request: PatchGroupRequest| d.control.group_update(who, &which, request);
    let add = |id: String| PatchGroupRequest {
        add_users: vec![id],
        ..Default::default()
    };
    let changed = change(add(d.member.id.to_string())).await.unwrap();
    assert_eq!(changed.members[0].username, "member");
    assert_eq!(changed.total_member_count, 1);
    for bad in ["x".to_owned(), uuid::Uuid::new_v4().to_string()] {
        assert_eq!(change(add(bad)).await.unwrap_err().status(), 400);
    }
    let much = PatchGroupRequest {
        quota_allowance: Some(i64::MAX),
        ..Default::default()
    };
    assert_eq!(change(much).await.unwrap_err().status(), 400);

    let everyone = GroupPath::Name(ORG, "Everyone".to_owned());
    let all = d.control.group_read(who, &everyone).await.unwrap();
    assert_eq!(all.members.len(), 2);
    // Lists carry members as well, as far as the reader may know them.
    let rosters = |groups: Vec<Group>| -> Vec<(String, Vec<String>)> {
        let names = |group: Group| group.members.into_iter().map(|m| m.username).collect();
        let of = |group: Group| (group.name.clone(), names(group));
        groups.into_iter().map(of).collect()
    };
    let listed = d.control.group_list(who, Some(&ORG), None).await.unwrap();
    let everybody = all.members.iter().map(|m| m.username.clone()).collect();
    let devs = ("devs".to_owned(), vec!["member".to_owned()]);
    assert_eq!(
        rosters(listed),
        [("Everyone".to_owned(), everybody), devs.clone()]
    );
    let own = d.control.group_list(&d.member.who, Some(&ORG), None).await;
    let own = own.unwrap();
    assert!(own.iter().all(|g| g.total_member_count >= 1));
    let alone = ("Everyone".to_owned(), vec!["member".to_owned()]);
    assert_eq!(rosters(own), [alone, devs]);
    let page = d.control.group_summaries(who, &ORG).await.unwrap();
    assert_eq!(page[0].total_member_count, 2);

    let add = add(d.member.id.to_string());
    let refused = d.control.group_update(who, &everyone, add).await;
    assert_eq!(refused.unwrap_err().status(), 403);
    let refused = d.control.group_delete(who, &everyone).await;
    assert_eq!(refused.unwrap_err().status(), 400);
    d.control.group_delete(who, &which).await.unwrap();
    assert_eq!(
        d.control
            .group_read(who, &which)
            .await
            .unwrap_err()
            .status(),
        404
    );
}

#[tokio::test]
async fn a_role_of_an_organizations_own_grants_what_it_says() {
    let d = Deployment::new().await;
    let who = &d.owner.who;
    let role = |name: &str, kind: &str, action: &str, negate| CustomRoleRequest {
        name: name.to_owned(),
        display_name: "Watcher".to_owned(),
        organization_permissions: vec![Permission {
            negate,
            resource_type: kind.to_owned(),
            action: action.to_owned(),
        }],
        ..Default::default()
    };
    let create = |request| d.control.custom_role_create(who, &ORG, request);
    for bad in [
        role("watcher", "workspace", "fly", false),
        role("watcher", "*", "read", false),
        role("watcher", "workspace", "read", true),
        role("organization-admin", "workspace", "read", false),
        role("no name", "workspace", "read", false),
        CustomRoleRequest {
            site_permissions: vec![Permission::default()],
            ..role("watcher", "workspace", "read", false)
        },
    ] {
        assert_eq!(
            create(bad.clone()).await.unwrap_err().status(),
            400,
            "{bad:?}"
        );
    }
    let good = role("watcher", "workspace", "read", false);
    create(good.clone()).await.unwrap();
    assert_eq!(create(good).await.unwrap_err().status(), 409);

    let template = d.template("host", vec![]).await;
    let w = d.create(&d.owner, &template, "dev").await.unwrap();
    let subject = || async {
        let policy = authz::Policy::default();
        let read = d.db.subject_read(d.member.id, authz::Scope::all(), &policy);
        read.await.unwrap()
    };
    let seen = d
        .control
        .workspace_read(&subject().await, w.id, false)
        .await;
    assert_eq!(seen.unwrap_err().status(), 404);
    let member = UserRef::Id(d.member.id);
    let roles = ["watcher".to_owned()];
    let given = d.control.member_roles_set(who, &ORG, &member, &roles).await;
    assert_eq!(given.unwrap().roles[0].display_name, "Watcher");
    d.control
        .workspace_read(&subject().await, w.id, false)
        .await
        .unwrap();

    d.control
        .custom_role_delete(who, &ORG, "watcher")
        .await
        .unwrap();
    let seen = d
        .control
        .workspace_read(&subject().await, w.id, false)
        .await;
    assert_eq!(seen.unwrap_err().status(), 404);
    let built_in = d
        .control
        .custom_role_delete(who, &ORG, "organization-admin");
    assert_eq!(built_in.await.unwrap_err().status(), 400);
}

#[tokio::test]
async fn roles_of_all_members_are_given_by_those_who_may_give_them() {
    let d = Deployment::new().await;
    let who = &d.owner.who;
    let permission = |kind: &str| Permission {
        resource_type: kind.to_owned(),
        action: "update".to_owned(),
        ..Default::default()
    };
    let editor = CustomRoleRequest {
        name: "editor".to_owned(),
        organization_permissions: vec![permission("organization")],
        ..Default::default()
    };
    d.control
        .custom_role_create(who, &ORG, editor)
        .await
        .unwrap();
    let member = UserRef::Id(d.member.id);
    let roles = ["editor".to_owned()];
    let given = d.control.member_roles_set(who, &ORG, &member, &roles);
    given.await.unwrap();
    let policy = authz::Policy::default();
    let editor = d.db.subject_read(d.member.id, authz::Scope::all(), &policy);
    let editor = editor.await.unwrap();

    let set = |who, roles: &[&str]| {
        let request = UpdateOrganizationRequest {
            description: Some("Rockets".to_owned()),
            default_org_member_roles: Some(roles.iter().map(|&role| role.into()).collect()),
            ..Default::default()
        };
        d.control.organization_update(who, &ORG, request)
    };
    let now = d.control.organization_read(who, &ORG).await.unwrap();
    let now: Vec<&str> = now
        .default_org_member_roles
        .iter()
        .map(|r| &r[..])
        .collect();
    let more = [&now[..], &["organization-admin"]].concat();
    set(&editor, &now).await.unwrap();
    assert_eq!(set(&editor, &more).await.unwrap_err().status(), 403);
    set(who, &more).await.unwrap();
    // Nor do they take roles away.
    assert_eq!(set(&editor, &now).await.unwrap_err().status(), 403);
}

#[tokio::test]
async fn a_workspace_is_shared_until_the_organization_says_no() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let bob = testkit::user(&d.db, "bob", &[]).await;
    let share = |role: &str| UpdateWorkspaceAcl {
        user_roles: [(bob.id.to_string(), WorkspaceRole::from(role))].into(),
        ..Default::default()
    };
    let set = |request| d.control.workspace_acl_set(&d.member.who, w.id, request);
    for bad in [
        share("owner"),
        UpdateWorkspaceAcl {
            user_roles: [("x".to_owned(), WorkspaceRole::Use)].into(),
            ..Default::default()
        },
        UpdateWorkspaceAcl {
            group_roles: [(bob.id.to_string(), WorkspaceRole::Use)].into(),
            ..Default::default()
        },
        UpdateWorkspaceAcl {
            user_roles: [(d.member.id.to_string(), WorkspaceRole::Use)].into(),
            ..Default::default()
        },
    ] {
        assert_eq!(set(bad.clone()).await.unwrap_err().status(), 400, "{bad:?}");
    }
    let read = || d.control.workspace_read(&bob.who, w.id, false);
    assert_eq!(read().await.unwrap_err().status(), 404);
    set(share("use")).await.unwrap();
    read().await.unwrap();
    let list = d.control.workspace_acl_read(&bob.who, w.id).await.unwrap();
    assert_eq!(list.users[0].role, WorkspaceRole::Use);
    // Whom it is shared with may not share it on.
    let on = d
        .control
        .workspace_acl_set(&bob.who, w.id, UpdateWorkspaceAcl::default());
    assert_eq!(on.await.unwrap_err().status(), 403);

    let none = UpdateWorkspaceSharingSettingsRequest {
        sharing_disabled: Some(true),
        ..Default::default()
    };
    d.control
        .organization_sharing_set(&d.owner.who, &ORG, none)
        .await
        .unwrap();
    assert_eq!(read().await.unwrap_err().status(), 404);
    assert_eq!(set(share("use")).await.unwrap_err().status(), 403);
}
