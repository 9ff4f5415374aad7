//! The decision, case by case.

use std::collections::HashMap;

use authz::{
    AccessList, Action, AllowList, Grants, Membership, Object, Policy, ResourceType as R, Scope,
    Sharing, Subject, System, UserSubject, is_public_scope, may_assign, public_scopes,
};
use uuid::Uuid;

const ME: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const ORG: Uuid = Uuid::from_u128(10);
const ELSEWHERE: Uuid = Uuid::from_u128(11);
const GROUP: Uuid = Uuid::from_u128(20);

struct Who {
    site: Vec<&'static str>,
    org: Vec<&'static str>,
    sharing: Sharing,
    policy: Policy,
    scope: Scope,
}

impl Who {
    fn new(site: &[&'static str], org: &[&'static str]) -> Self {
        Who {
            site: site.to_vec(),
            org: org.to_vec(),
            sharing: Sharing::Everyone,
            policy: Policy::default(),
            scope: Scope::all(),
        }
    }

    fn subject(self) -> Subject {
        let owned = |roles: &[&str]| roles.iter().map(|&role| role.to_owned()).collect();
        let user = UserSubject {
            id: ME,
            username: "me".to_owned(),
            roles: owned(&self.site),
            service_account: false,
            organizations: vec![Membership {
                organization: ORG,
                roles: owned(&self.org),
                custom: Grants::NONE,
                sharing: self.sharing,
            }],
            groups: vec![GROUP],
        };
        Subject::user(user, self.scope, &self.policy)
    }
}

const ACCESS: &str = "organization-workspace-access";
const BAN: &str = "organization-workspace-creation-ban";

fn mine() -> Object {
    Object::new(R::Workspace).owner(ME).org(ORG)
}

fn may(who: &Subject, action: Action, object: &Object) -> bool {
    who.may(action, object).is_ok()
}

#[test]
fn a_ban_beats_the_organization_but_not_the_site() {
    let banned = Who::new(&[], &[ACCESS, BAN]).subject();
    assert!(!may(&banned, Action::Create, &mine()));
    assert!(may(&banned, Action::Start, &mine()));
    assert!(!may(
        &Who::new(&[], &["organization-admin", BAN]).subject(),
        Action::Create,
        &mine()
    ));
    assert!(may(
        &Who::new(&["owner"], &[BAN]).subject(),
        Action::Create,
        &mine()
    ));
}

#[test]
fn without_the_default_role_members_have_no_workspaces() {
    assert!(!may(&Who::new(&[], &[]).subject(), Action::Create, &mine()));
    assert!(may(
        &Who::new(&[], &[ACCESS]).subject(),
        Action::Create,
        &mine()
    ));
}

#[test]
fn any_organization_means_one_that_allows() {
    let who = Who::new(&[], &[ACCESS]).subject();
    let somewhere = Object::new(R::Workspace).owner(ME).any_org();
    assert!(may(&who, Action::Create, &somewhere));
    assert!(!may(
        &who,
        Action::Create,
        &Object::new(R::Template).any_org()
    ));
    let admin = Who::new(&[], &["organization-admin"]).subject();
    assert!(may(
        &admin,
        Action::Create,
        &Object::new(R::Template).any_org()
    ));
}

#[test]
fn access_lists_admit_users_everywhere_and_groups_within() {
    let who = Who::new(&[], &[BAN]).subject();
    let list = |id: Uuid, actions: &[&str]| {
        AccessList(HashMap::from([(
            id,
            actions.iter().map(|&a| a.to_owned()).collect(),
        )]))
    };
    let thing = |org, users, groups| {
        Object::new(R::Workspace)
            .owner(OTHER)
            .org(org)
            .acl(users, groups)
    };
    let none = AccessList::default;
    let by_user = thing(ELSEWHERE, list(ME, &["read"]), none());
    assert!(may(&who, Action::Read, &by_user) && !may(&who, Action::Ssh, &by_user));
    // Negative rights do not stop an access list.
    assert!(may(
        &who,
        Action::Delete,
        &thing(ELSEWHERE, list(ME, &["*"]), none())
    ));
    assert!(may(
        &who,
        Action::Ssh,
        &thing(ORG, none(), list(GROUP, &["ssh"]))
    ));
    assert!(!may(
        &who,
        Action::Ssh,
        &thing(ELSEWHERE, none(), list(GROUP, &["ssh"]))
    ));
    // Everyone's group has the organization's id.
    assert!(may(
        &who,
        Action::Ssh,
        &thing(ORG, none(), list(ORG, &["ssh"]))
    ));
    assert!(!may(
        &who,
        Action::Ssh,
        &thing(ORG, list(OTHER, &["*"]), none())
    ));
}

#[test]
fn switches_of_the_deployment_take_rights_away() {
    let mut who = Who::new(&["owner"], &[]);
    who.policy.no_owner_workspace_access = true;
    let (owner, theirs) = (
        who.subject(),
        Object::new(R::Workspace).owner(OTHER).org(ORG),
    );
    assert!(!may(&owner, Action::Ssh, &theirs) && may(&owner, Action::Delete, &theirs));
    let mut who = Who::new(&["owner"], &[ACCESS]);
    who.policy.no_workspace_sharing = true;
    assert!(
        !may(&who.subject(), Action::Share, &mine()),
        "a site denial beats a site grant"
    );
    for (sharing, shares) in [
        (Sharing::Everyone, true),
        (Sharing::ServiceAccounts, false),
        (Sharing::None, false),
    ] {
        let mut who = Who::new(&[], &[ACCESS]);
        who.sharing = sharing;
        assert_eq!(
            may(&who.subject(), Action::Share, &mine()),
            shares,
            "{sharing:?}"
        );
    }
}

#[test]
fn scopes_narrow_and_never_widen() {
    let scoped = |names: &[&str], allow: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|&t| t.to_owned()).collect::<Vec<_>>();
        let mut who = Who::new(&["owner"], &[ACCESS]);
        who.scope = Scope::from_stored(&owned(names), &owned(allow));
        who.subject()
    };
    let id = Uuid::from_u128(99);
    let connect = scoped(&["coder:application_connect"], &["*:*"]);
    assert!(may(&connect, Action::ApplicationConnect, &mine()));
    assert!(!may(&connect, Action::Read, &mine()));
    let one = scoped(&["coder:all"], &[&format!("workspace:{id}")]);
    assert!(may(&one, Action::Read, &mine().id(id)));
    assert!(!may(&one, Action::Read, &mine().id(OTHER)));
    assert!(
        !may(&one, Action::Create, &mine()),
        "what has no id yet is not on the list"
    );
    assert!(!may(&one, Action::Read, &Object::new(R::User).id(id)));
    // A name that is no longer known grants nothing, as does a broken list.
    assert!(!may(
        &scoped(&["workspace:fly"], &["*:*"]),
        Action::Read,
        &mine()
    ));
    assert!(!may(
        &scoped(&["coder:all"], &["nonsense"]),
        Action::Read,
        &mine()
    ));
    let low = scoped(&["workspace:*", "template:read"], &["*:*"]);
    assert!(
        may(&low, Action::Delete, &mine()) && !may(&low, Action::Delete, &Object::new(R::Template))
    );
    let mut who = Who::new(&[], &[]);
    who.scope = Scope::from_stored(&["license:create".to_owned()], &["*:*".to_owned()]);
    assert!(!may(
        &who.subject(),
        Action::Create,
        &Object::new(R::License)
    ));
}

#[test]
fn a_scope_covers_what_is_within_it() {
    let scope = |names: &[&str], allow: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|&t| t.to_owned()).collect::<Vec<_>>();
        Scope::from_stored(&owned(names), &owned(allow))
    };
    let all = Scope::all();
    let read = scope(&["workspace:read"], &["*:*"]);
    assert!(all.covers(&read) && !read.covers(&all) && read.covers(&read));
    let one = scope(
        &["workspace:read"],
        &["workspace:6a0d8ad8-97a5-4b7e-8b4c-5f3b5f0f5b11"],
    );
    assert!(read.covers(&one) && !one.covers(&read));
}

#[test]
fn allow_lists_are_normalised() {
    let id = "6a0d8ad8-97a5-4b7e-8b4c-5f3b5f0f5b11";
    let entries = [
        format!("workspace:{id}"),
        "workspace:*".to_owned(),
        format!("template:{id}"),
        format!("template:{id}"),
    ];
    let list = AllowList::parse(&entries).unwrap();
    assert_eq!(
        list.to_stored(),
        [format!("template:{id}"), "workspace:*".to_owned()]
    );
    assert!(AllowList::parse::<&str>(&[]).unwrap().is_everything());
    for bad in [
        "",
        "workspace",
        "workspace:",
        ":*",
        "nonsense:*",
        &format!("*:{id}"),
        "workspace:x",
    ] {
        assert!(AllowList::parse(&[bad]).is_err(), "{bad}");
    }
    assert!(AllowList::parse(&vec!["*:*"; 129]).is_err());
}

#[test]
fn public_scopes_all_exist() {
    for name in public_scopes() {
        assert_eq!(is_public_scope(&name), Ok(name.clone()));
        let scope = Scope::from_stored(std::slice::from_ref(&name), &["*:*".to_owned()]);
        assert_ne!(scope.grants, authz::Grants::NONE, "{name}");
    }
    assert_eq!(is_public_scope("all"), Ok("coder:all".to_owned()));
    for bad in [
        "",
        "*",
        "workspace",
        "license:read",
        "no_user_data",
        "workspace:share",
    ] {
        assert!(is_public_scope(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_agent_reaches_its_own_workspace_only() {
    let [workspace, template, version] = [1, 2, 3].map(|n| Uuid::from_u128(100 + n));
    let agent = |no_user_data| {
        let mut who = Who::new(&["owner"], &[ACCESS]);
        who.scope = Scope::agent(workspace, template, version, ME, no_user_data);
        who.subject()
    };
    assert!(may(&agent(false), Action::Read, &mine().id(workspace)));
    assert!(!may(&agent(false), Action::Read, &mine().id(OTHER)));
    let user = Object::new(R::User).id(ME).owner(ME);
    assert!(may(&agent(false), Action::ReadPersonal, &user));
    assert!(!may(&agent(true), Action::ReadPersonal, &user));
}

#[test]
fn parts_of_the_system_have_narrow_rights() {
    let purge = Subject::system(System::Purge);
    assert!(may(
        &purge,
        Action::Delete,
        &Object::new(R::ApiKey).owner(ME)
    ));
    assert!(!may(
        &purge,
        Action::Read,
        &Object::new(R::ApiKey).owner(ME)
    ));
    let nobody = Object::new(R::User);
    assert!(!may(
        &Subject::system(System::KeyRotator),
        Action::Read,
        &nobody
    ));
}

#[test]
fn who_may_give_which_role() {
    let owner = Who::new(&["owner"], &[]).subject();
    let user_admin = Who::new(&["user-admin"], &[]).subject();
    let org_admin = Who::new(&[], &["organization-admin"]).subject();
    let member = Who::new(&[], &[]).subject();
    let cases = [
        (&owner, "owner", None, true),
        (&owner, "organization-admin", Some(ELSEWHERE), true),
        (&user_admin, "owner", None, false),
        (
            &user_admin,
            "organization-workspace-access",
            Some(ORG),
            true,
        ),
        (&user_admin, "organization-admin", Some(ORG), false),
        (&org_admin, "organization-admin", Some(ORG), true),
        (&org_admin, "organization-admin", Some(ELSEWHERE), false),
        (&org_admin, "owner", None, false),
        (&member, "organization-workspace-access", Some(ORG), false),
    ];
    for (who, role, organization, expected) in cases {
        assert_eq!(
            may_assign(who, Action::Assign, role, organization),
            expected,
            "{who:?} {role}"
        );
    }
}
