//! The decision as an SQL condition: which rows of a table a subject may act
//! upon, so that lists are cut in the database.

use std::fmt::Write as _;

use uuid::Uuid;

use crate::action::Action;
use crate::grants::Vote;
use crate::resource::ResourceType;
use crate::subject::Subject;

/// Where a table keeps the facts that rights depend on: SQL expressions,
/// written by us, never by users.
#[derive(Debug, Clone, Copy, Default)]
pub struct Columns {
    /// The id.
    pub id: &'static str,
    /// The owner; rows of the type have none if absent.
    pub owner: Option<&'static str>,
    /// The organization; rows of the type have none if absent.
    pub organization: Option<&'static str>,
    /// Access list of users, `jsonb`.
    pub user_acl: Option<&'static str>,
    /// Access list of groups, `jsonb`.
    pub group_acl: Option<&'static str>,
}

/// A typed parameter of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// `uuid`.
    Id(Uuid),
    /// `uuid[]`.
    Ids(Vec<Uuid>),
    /// `text`.
    Text(String),
    /// `text[]`.
    Texts(Vec<String>),
}

/// What of a type a subject may act upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFilter {
    roles: Roles,
    acl: Option<Acl>,
    /// Only these ids, by the scope's allow list.
    only: Option<Vec<Uuid>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Roles {
    All,
    None,
    Some {
        /// Organizations whose rows are all allowed.
        organizations: Vec<Uuid>,
        /// The subject, and the organizations where its own rows are allowed.
        own: Option<(Uuid, Vec<Uuid>)>,
        /// The subject, if its own rows outside organizations are allowed.
        own_outside: Option<Uuid>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Acl {
    user: Uuid,
    actions: Vec<String>,
    groups: Vec<String>,
    organizations: Vec<Uuid>,
}

/// The rows of a type on which `who` may do `action`.
pub fn filter(who: &Subject, action: Action, kind: ResourceType) -> SqlFilter {
    if !who.scope().grants.has(kind, action) {
        return SqlFilter {
            roles: Roles::None,
            acl: None,
            only: None,
        };
    }
    let only = who.scope().allow.ids(kind);
    let acl = who.user_id().map(|user| {
        let organizations: Vec<Uuid> = who.organization_ids().collect();
        let groups = who
            .groups()
            .iter()
            .chain(&organizations)
            .map(Uuid::to_string)
            .collect();
        Acl {
            user,
            actions: vec![action.name().to_owned(), "*".to_owned()],
            groups,
            organizations,
        }
    });
    let roles = match who.site().vote(kind, action) {
        Vote::Allow => Roles::All,
        Vote::Deny => Roles::None,
        Vote::Abstain => {
            let mut organizations = Vec::new();
            let mut own = Vec::new();
            for (id, rights) in who.organizations_by_id() {
                match rights.org.vote(kind, action) {
                    Vote::Allow => organizations.push(id),
                    Vote::Abstain if rights.member.vote(kind, action) == Vote::Allow => {
                        own.push(id);
                    }
                    _ => {}
                }
            }
            let outside = who.own().vote(kind, action) == Vote::Allow;
            Roles::Some {
                organizations,
                own: who
                    .user_id()
                    .map(|id| (id, own))
                    .filter(|(_, orgs)| !orgs.is_empty()),
                own_outside: who.user_id().filter(|_| outside),
            }
        }
    };
    SqlFilter { roles, acl, only }
}

impl SqlFilter {
    /// Whether no row can pass, so that the query need not be asked.
    pub fn is_empty(&self) -> bool {
        self.roles == Roles::None && self.acl.is_none()
    }

    /// The condition for a table, in parentheses, and its parameters; the
    /// first is numbered `first`. Only few different texts arise, so prepared
    /// statements are reused.
    pub fn render(&self, columns: &Columns, first: usize) -> (String, Vec<Param>) {
        let mut sql = Sql {
            first,
            params: Vec::new(),
        };
        let mut any: Vec<String> = Vec::new();
        match &self.roles {
            Roles::All => any.push("TRUE".to_owned()),
            Roles::None => {}
            Roles::Some {
                organizations,
                own,
                own_outside,
            } => {
                sql.by_roles(columns, organizations, own.as_ref(), *own_outside, &mut any);
            }
        }
        if self.roles != Roles::All
            && let Some(acl) = &self.acl
        {
            sql.by_acl(columns, acl, &mut any);
        }
        let mut text = if any.is_empty() {
            "FALSE".to_owned()
        } else {
            any.join(" OR ")
        };
        if let Some(only) = &self.only {
            let ids = sql.param(Param::Ids(only.clone()));
            text = format!("({text}) AND {} = ANY({ids})", columns.id);
        }
        (format!("({text})"), sql.params)
    }
}

/// Parameters collected while a condition is written.
struct Sql {
    first: usize,
    params: Vec<Param>,
}

impl Sql {
    /// Adds a parameter and gives its placeholder.
    fn param(&mut self, value: Param) -> String {
        let cast = match value {
            Param::Id(_) => "uuid",
            Param::Ids(_) => "uuid[]",
            Param::Text(_) => "text",
            Param::Texts(_) => "text[]",
        };
        self.params.push(value);
        format!("${}::{cast}", self.first + self.params.len() - 1)
    }

    fn by_roles(
        &mut self,
        columns: &Columns,
        organizations: &[Uuid],
        own: Option<&(Uuid, Vec<Uuid>)>,
        own_outside: Option<Uuid>,
        any: &mut Vec<String>,
    ) {
        if let Some(org) = columns.organization {
            if !organizations.is_empty() {
                let ids = self.param(Param::Ids(organizations.to_vec()));
                any.push(format!("{org} = ANY({ids})"));
            }
            if let (Some(owner), Some((user, orgs))) = (columns.owner, own) {
                let user = self.param(Param::Id(*user));
                let ids = self.param(Param::Ids(orgs.clone()));
                any.push(format!("({owner} = {user} AND {org} = ANY({ids}))"));
            }
        }
        if let (Some(owner), Some(user)) = (columns.owner, own_outside) {
            let user = self.param(Param::Id(user));
            let mut text = format!("{owner} = {user}");
            if let Some(org) = columns.organization {
                let _ = write!(text, " AND {org} IS NULL");
            }
            any.push(format!("({text})"));
        }
    }

    fn by_acl(&mut self, columns: &Columns, acl: &Acl, any: &mut Vec<String>) {
        if columns.user_acl.is_none() && columns.group_acl.is_none() {
            return;
        }
        let actions = self.param(Param::Texts(acl.actions.clone()));
        if let Some(list) = columns.user_acl {
            let user = self.param(Param::Text(acl.user.to_string()));
            any.push(format!("({list} -> {user}) ?| {actions}"));
        }
        if let (Some(list), Some(org)) = (columns.group_acl, columns.organization) {
            let groups = self.param(Param::Texts(acl.groups.clone()));
            let orgs = self.param(Param::Ids(acl.organizations.clone()));
            any.push(format!(
                "({org} = ANY({orgs}) AND EXISTS (SELECT 1 FROM jsonb_each({list}) AS entry \
                 WHERE entry.key = ANY({groups}) AND entry.value ?| {actions}))"
            ));
        }
    }
}
