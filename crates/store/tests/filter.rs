//! The filter in SQL against the decision in Rust: for each subject, action
//! and row they must agree.

use std::collections::HashMap;

use authz::{
    AccessList, Action, Columns, Grants, Membership, Object, Param, Policy, ResourceType, Scope,
    Sharing, Subject, System, UserSubject, filter,
};
use uuid::Uuid;

const ME: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const ORGS: [Uuid; 3] = [
    Uuid::from_u128(10),
    Uuid::from_u128(11),
    Uuid::from_u128(12),
];
const GROUP: Uuid = Uuid::from_u128(20);

fn user(site: &[&str], orgs: &[(Uuid, &[&str])], scope: Scope) -> Subject {
    let owned = |roles: &[&str]| roles.iter().map(|&role| role.to_owned()).collect();
    let user = UserSubject {
        id: ME,
        username: "me".to_owned(),
        roles: owned(site),
        service_account: false,
        organizations: orgs
            .iter()
            .map(|(organization, roles)| Membership {
                organization: *organization,
                roles: owned(roles),
                custom: Grants::NONE,
                sharing: Sharing::Everyone,
            })
            .collect(),
        groups: vec![GROUP],
    };
    Subject::user(user, scope, &Policy::default())
}

fn subjects(id: Uuid) -> Vec<Subject> {
    let access: &[&str] = &["organization-workspace-access"];
    let ban: &[&str] = &[
        "organization-workspace-access",
        "organization-workspace-creation-ban",
    ];
    let one = format!("workspace:{id}");
    vec![
        user(&[], &[], Scope::all()),
        user(&[], &[(ORGS[0], access), (ORGS[1], ban)], Scope::all()),
        user(
            &[],
            &[(ORGS[0], &["organization-admin"]), (ORGS[1], access)],
            Scope::all(),
        ),
        user(&["owner"], &[(ORGS[1], ban)], Scope::all()),
        user(&["auditor"], &[(ORGS[0], &[])], Scope::all()),
        user(
            &["owner"],
            &[],
            Scope::from_stored(&["coder:all".to_owned()], std::slice::from_ref(&one)),
        ),
        user(
            &[],
            &[(ORGS[0], access)],
            Scope::from_stored(&["workspace:read".to_owned()], &[one]),
        ),
        Subject::system(System::Tailnet),
        Subject::system(System::KeyRotator),
    ]
}

#[tokio::test]
async fn the_filter_agrees_with_the_decision() {
    let db = testkit::db().await;
    let sql =
        "CREATE TABLE things (id uuid, owner uuid, org uuid, user_acl jsonb, group_acl jsonb)";
    db.execute(sql, &[]).await.unwrap();
    let list = |id: Uuid, action: &str| AccessList(HashMap::from([(id, vec![action.to_owned()])]));
    let none = AccessList::default;
    let lists = [
        (none(), none()),
        (list(ME, "read"), none()),
        (list(ME, "*"), none()),
        (list(OTHER, "*"), none()),
        (none(), list(GROUP, "read")),
        (none(), list(ORGS[0], "ssh")),
    ];
    let mut things = Vec::new();
    for owner in [ME, OTHER] {
        for org in ORGS {
            for (users, groups) in &lists {
                let object = Object::new(ResourceType::Workspace)
                    .id(Uuid::new_v4())
                    .owner(owner)
                    .org(org)
                    .acl(users.clone(), groups.clone());
                let (users, groups) = (
                    serde_json::to_value(users).unwrap(),
                    serde_json::to_value(groups).unwrap(),
                );
                let insert = "INSERT INTO things VALUES ($1, $2, $3, $4, $5)";
                db.execute(insert, &[&object.id, &owner, &org, &users, &groups])
                    .await
                    .unwrap();
                things.push(object);
            }
        }
    }
    let columns = Columns {
        id: "id",
        owner: Some("owner"),
        organization: Some("org"),
        user_acl: Some("user_acl"),
        group_acl: Some("group_acl"),
    };
    for who in subjects(things[3].id.unwrap()) {
        for action in [
            Action::Read,
            Action::Create,
            Action::Ssh,
            Action::Share,
            Action::Delete,
        ] {
            let (condition, params) =
                filter(&who, action, ResourceType::Workspace).render(&columns, 1);
            let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = params
                .iter()
                .map(|param| match param {
                    Param::Id(v) => v as _,
                    Param::Ids(v) => v as _,
                    Param::Text(v) => v as _,
                    Param::Texts(v) => v as _,
                })
                .collect();
            let sql = format!("SELECT id FROM things WHERE {condition}");
            let rows = db
                .query(&sql, &values)
                .await
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
            let mut passed: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
            let mut allowed: Vec<Uuid> = things
                .iter()
                .filter(|thing| who.may(action, thing).is_ok())
                .filter_map(|t| t.id)
                .collect();
            passed.sort();
            allowed.sort();
            assert_eq!(passed, allowed, "{who:?} {action}: {sql}");
        }
    }
}
