//! The whole policy as a file that people read: role by resource by action.
//!
//! A change of rights shows as a change of `matrix.txt`; write it anew with
//! `UPDATE_GOLDEN=1 cargo test -p authz`.

use std::fmt::Write as _;

use authz::{
    Action, Grants, Membership, Object, Policy, ResourceType, Scope, Sharing, Subject, UserSubject,
    org_roles, role_names, site_roles,
};
use uuid::Uuid;

const ME: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const ORG: Uuid = Uuid::from_u128(10);
const ELSEWHERE: Uuid = Uuid::from_u128(11);

fn subject(role: &str, service_account: bool) -> Subject {
    let in_org = role.starts_with("organization-");
    let roles = |wanted: bool| {
        if wanted {
            vec![role.to_owned()]
        } else {
            Vec::new()
        }
    };
    let user = UserSubject {
        id: ME,
        username: "me".to_owned(),
        roles: roles(!in_org),
        service_account,
        organizations: vec![Membership {
            organization: ORG,
            roles: roles(in_org),
            custom: Grants::NONE,
            sharing: Sharing::Everyone,
        }],
        groups: Vec::new(),
    };
    Subject::user(user, Scope::all(), &Policy::default())
}

/// The places in which a thing can stand to the subject.
fn places(kind: ResourceType) -> [(&'static str, Object); 5] {
    let thing = || Object::new(kind);
    [
        ("own", thing().owner(ME)),
        ("own in org", thing().owner(ME).org(ORG)),
        ("in org", thing().owner(OTHER).org(ORG)),
        ("elsewhere", thing().owner(OTHER).org(ELSEWHERE)),
        ("nobody's", thing()),
    ]
}

fn matrix() -> String {
    let mut text = String::from(
        "What each role may do, to things in each place (own: of no organization).\n\
         Roles of an organization are held there, with the rights that every member has;\n\
         the default role organization-workspace-access is not.\n",
    );
    let site = site_roles().iter().map(|role| role.name);
    let org = org_roles().iter().map(|role| role.name);
    let roles = std::iter::once(role_names::MEMBER).chain(site).chain(org);
    for (role, service) in roles
        .map(|role| (role, false))
        .chain([("service account", true)])
    {
        let who = subject(role, service);
        let _ = write!(text, "\n{role}\n");
        for &kind in ResourceType::ALL {
            for (place, object) in places(kind) {
                let allowed: Vec<&str> = kind
                    .actions()
                    .iter()
                    .filter(|&action| who.may(action, &object).is_ok())
                    .map(Action::name)
                    .collect();
                let all = allowed.len() == kind.actions().iter().count();
                if !allowed.is_empty() {
                    let shown = if all {
                        "all".to_owned()
                    } else {
                        allowed.join(" ")
                    };
                    let _ = writeln!(text, "  {kind} {place}: {shown}");
                }
            }
        }
    }
    text
}

#[test]
fn the_policy_is_as_written() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix.txt");
    let now = matrix();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<String> = now
        .lines()
        .filter(|line| !written.lines().any(|known| known == *line))
        .map(|line| format!("+ {line}"))
        .chain(
            written
                .lines()
                .filter(|line| !now.lines().any(|known| known == *line))
                .map(|line| format!("- {line}")),
        )
        .collect();
    assert!(
        now == written,
        "rights changed; see the head of this file\n{}",
        changed.join("\n")
    );
}
