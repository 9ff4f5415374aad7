//! Scopes of credentials: which actions, and on which things.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::action::Action::{self, *};
use crate::grants::Grants;
use crate::resource::{CRUD, ResourceType as R};

/// Entries of an allow list at most; more is no list but a query.
pub const MAX_ALLOW_ENTRIES: usize = 128;

/// A scope or allow-list entry that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// No such scope, or one that users may not ask for.
    #[error("scope {0:?} does not exist or cannot be requested")]
    Unknown(String),
    /// Not `*:*`, `type:*` or `type:uuid`.
    #[error("allow list entry {0:?} is not of the form type:*, type:uuid or *:*")]
    Entry(String),
    /// Too many entries.
    #[error("an allow list has at most {MAX_ALLOW_ENTRIES} entries")]
    TooMany,
}

/// What a credential may be used for: nothing beyond it, whatever the roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Names of the scopes, canonical.
    pub names: Vec<String>,
    /// The actions.
    pub grants: Grants,
    /// The things.
    pub allow: AllowList,
}

impl Scope {
    /// Everything.
    pub fn all() -> Self {
        Scope {
            names: vec!["coder:all".to_owned()],
            grants: Grants::all(),
            allow: AllowList::everything(),
        }
    }

    /// What a workspace's agent may: all that its owner may, on its own
    /// workspace and template only; nothing on users if the agent is so
    /// restricted (`api_key_scope = "no_user_data"`).
    pub fn agent(
        workspace: Uuid,
        template: Uuid,
        version: Uuid,
        owner: Uuid,
        no_user_data: bool,
    ) -> Self {
        let one = |kind, id| AllowEntry {
            kind: Some(kind),
            id: Some(id),
        };
        let (name, grants) = if no_user_data {
            ("no_user_data", Grants::NONE.and_all_except(&[R::User]))
        } else {
            ("coder:all", Grants::all())
        };
        Scope {
            names: vec![name.to_owned()],
            grants,
            allow: AllowList(vec![
                one(R::Workspace, workspace),
                one(R::Template, template),
                one(R::Template, version),
                one(R::User, owner),
                AllowEntry {
                    kind: Some(R::BoundaryLog),
                    id: None,
                },
            ]),
        }
    }

    /// From stored names and allow list. Names that are no longer known grant
    /// nothing, so that a key never gains by a removal.
    pub fn from_stored(names: &[String], allow: &[String]) -> Self {
        let mut grants = Grants::NONE;
        for name in names {
            if let Some(more) = expand(name) {
                grants.add(&more);
            }
        }
        let allow = AllowList(
            allow
                .iter()
                .filter_map(|entry| entry.parse().ok())
                .collect(),
        );
        Scope {
            names: names.to_vec(),
            grants,
            allow,
        }
    }

    /// Whether the scope is the unrestricted one.
    pub fn is_all(&self) -> bool {
        self.grants == Grants::all() && self.allow.is_everything()
    }

    /// Whether this scope may do all that `other` may: a key may mint only
    /// keys that it covers.
    pub fn covers(&self, other: &Scope) -> bool {
        let grants = R::ALL
            .iter()
            .all(|&kind| other.grants.on(kind).minus(self.grants.on(kind)).is_empty());
        grants
            && other
                .allow
                .0
                .iter()
                .all(|entry| self.allow.0.iter().any(|mine| mine.covers(*entry)))
    }
}

/// Brings an alias to its stored name.
pub(crate) fn canonical(name: &str) -> &str {
    match name {
        "all" => "coder:all",
        "application_connect" => "coder:application_connect",
        other => other,
    }
}

/// What a scope of this name grants; none if there is no such scope.
fn expand(name: &str) -> Option<Grants> {
    let template_read = Grants::NONE.and(R::Template, &[Read]);
    let member_read = template_read.and(R::OrganizationMember, &[Read]);
    Some(match canonical(name) {
        "coder:all" => Grants::all(),
        "coder:application_connect" => Grants::NONE.and(R::Workspace, &[ApplicationConnect]),
        "no_user_data" => Grants::NONE.and_all_except(&[R::User]),
        "coder:workspaces.create" => member_read
            .and(R::Template, &[Use])
            .and(R::Workspace, &[Create, Read, Update, Start, Stop]),
        "coder:workspaces.operate" => member_read.and(R::Workspace, &[Read, Update, Start, Stop]),
        "coder:workspaces.delete" => member_read
            .and(R::Template, &[Use])
            .and(R::Workspace, &[Read, Delete]),
        "coder:workspaces.access" => {
            member_read.and(R::Workspace, &[Read, Ssh, ApplicationConnect])
        }
        "coder:templates.build" => template_read
            .and(R::File, &[Create, Read])
            .and(R::ProvisionerJobs, &[Read]),
        "coder:templates.author" => Grants::NONE
            .and(R::Template, &[Create, Read, Update, Delete, ViewInsights])
            .and(R::File, &[Create, Read]),
        "coder:apikeys.manage_self" => Grants::NONE.and(R::ApiKey, CRUD),
        low => {
            let (kind, action) = low.split_once(':')?;
            let kind: R = kind.parse().ok()?;
            if action == "*" {
                Grants::NONE.and_all(kind)
            } else {
                let action: Action = action.parse().ok()?;
                kind.actions()
                    .has(action)
                    .then(|| Grants::NONE.and(kind, &[action]))?
            }
        }
    })
}

/// Low-level scopes that users may ask for; each type also as `type:*`.
const PUBLIC: &[(R, &[Action])] = &[
    (
        R::Workspace,
        &[
            Create,
            Read,
            Update,
            Delete,
            Ssh,
            Start,
            Stop,
            ApplicationConnect,
        ],
    ),
    (R::Template, &[Create, Read, Update, Delete, Use]),
    (R::ApiKey, CRUD),
    (R::File, &[Create, Read]),
    (R::User, &[Read, ReadPersonal, UpdatePersonal]),
    (R::UserSecret, CRUD),
    (R::UserSkill, CRUD),
    (R::Organization, &[Read, Update, Delete]),
    (R::ChatModelConfig, &[Read, Share]),
];

const COMPOSITE: &[&str] = &[
    "coder:all",
    "coder:application_connect",
    "coder:workspaces.create",
    "coder:workspaces.operate",
    "coder:workspaces.delete",
    "coder:workspaces.access",
    "coder:templates.build",
    "coder:templates.author",
    "coder:apikeys.manage_self",
];

/// Names of the scopes that users may ask for, sorted.
pub fn public_scopes() -> Vec<String> {
    let mut names: Vec<String> = COMPOSITE.iter().map(|&s| s.to_owned()).collect();
    for (kind, actions) in PUBLIC {
        names.extend(actions.iter().map(|action| format!("{kind}:{action}")));
        // Sharing a model is no reason to hand out all rights on it.
        if *kind != R::ChatModelConfig {
            names.push(format!("{kind}:*"));
        }
    }
    names.sort();
    names
}

/// The stored name of a scope that users may ask for.
///
/// # Errors
/// [`ScopeError::Unknown`] for any other name.
pub fn is_public_scope(name: &str) -> Result<String, ScopeError> {
    let name = canonical(name);
    if public_scopes()
        .binary_search_by(|known| known.as_str().cmp(name))
        .is_ok()
    {
        Ok(name.to_owned())
    } else {
        Err(ScopeError::Unknown(name.to_owned()))
    }
}

/// One entry of an allow list; `None` stands for `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AllowEntry {
    /// The resource type.
    pub kind: Option<R>,
    /// The id.
    pub id: Option<Uuid>,
}

impl AllowEntry {
    fn covers(self, other: AllowEntry) -> bool {
        (self.kind.is_none() || self.kind == other.kind)
            && (self.id.is_none() || self.id == other.id)
    }
}

impl FromStr for AllowEntry {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let bad = || ScopeError::Entry(text.to_owned());
        let (kind, id) = text.split_once(':').ok_or_else(bad)?;
        let kind = if kind == "*" {
            None
        } else {
            Some(kind.parse().map_err(|_| bad())?)
        };
        let id = if id == "*" {
            None
        } else {
            Some(id.parse().map_err(|_| bad())?)
        };
        if kind.is_none() && id.is_some() {
            return Err(bad());
        }
        Ok(AllowEntry { kind, id })
    }
}

impl fmt::Display for AllowEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.map_or("*", R::name))?;
        match self.id {
            Some(id) => write!(f, ":{id}"),
            None => f.write_str(":*"),
        }
    }
}

/// The things a credential reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowList(pub Vec<AllowEntry>);

impl AllowList {
    /// No restriction.
    pub fn everything() -> Self {
        AllowList(vec![AllowEntry {
            kind: None,
            id: None,
        }])
    }

    /// Checks and normalises a requested list: wider entries absorb narrower
    /// ones, sorted; an empty list means everything.
    ///
    /// # Errors
    /// On a malformed entry, or too many.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, ScopeError> {
        if entries.is_empty() {
            return Ok(AllowList::everything());
        }
        if entries.len() > MAX_ALLOW_ENTRIES {
            return Err(ScopeError::TooMany);
        }
        let parsed: Vec<AllowEntry> = entries
            .iter()
            .map(|e| e.as_ref().parse())
            .collect::<Result<_, _>>()?;
        let mut kept: Vec<AllowEntry> = Vec::new();
        for entry in parsed.iter().copied() {
            let absorbed = parsed
                .iter()
                .any(|&wide| wide != entry && wide.covers(entry));
            if !absorbed && !kept.contains(&entry) {
                kept.push(entry);
            }
        }
        kept.sort_by_key(ToString::to_string);
        Ok(AllowList(kept))
    }

    /// Whether there is no restriction.
    pub fn is_everything(&self) -> bool {
        self.0
            .iter()
            .any(|entry| entry.kind.is_none() && entry.id.is_none())
    }

    /// Whether an object is within the list. An object without id is a set of
    /// things, or a thing to be made: within only if the whole type is.
    pub fn admits(&self, kind: R, id: Option<Uuid>) -> bool {
        self.0.iter().any(|entry| {
            entry.kind.is_none_or(|k| k == kind) && entry.id.is_none_or(|wanted| Some(wanted) == id)
        })
    }

    /// Ids of a type that the list admits; none if the whole type is admitted.
    pub(crate) fn ids(&self, kind: R) -> Option<Vec<Uuid>> {
        if self
            .0
            .iter()
            .any(|e| e.kind.is_none_or(|k| k == kind) && e.id.is_none())
        {
            return None;
        }
        Some(
            self.0
                .iter()
                .filter(|e| e.kind == Some(kind))
                .filter_map(|e| e.id)
                .collect(),
        )
    }

    /// The entries as stored.
    pub fn to_stored(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}
