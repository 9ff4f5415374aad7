//! Who may do what.
//!
//! Owns the roles, the scopes of API keys, access lists, the decision
//! ([`authorize`]) and its translation to a condition for SQL ([`filter`]).
//! Pure: no clock, no I/O, no knowledge of tables. A [`Subject`] carries its
//! rights already expanded to bit sets, so that a decision is a few masks and
//! needs no cache.
//!
//! The model is Coder v2's: rights at four levels (site, user, organization,
//! member of an organization), negative rights, access lists on objects, and
//! scopes that narrow what a key may do.

#![allow(
    clippy::enum_glob_use,
    clippy::wildcard_imports,
    reason = "tables of rights read as tables without a path before each word"
)]

mod action;
mod assign;
mod decide;
mod filter;
mod grants;
mod object;
mod resource;
mod roles;
mod scope;
mod subject;
mod system;

pub use action::{Action, ActionSet, UnknownName};
pub use assign::may_assign;
pub use decide::{Denied, authorize};
pub use filter::{Columns, Param, SqlFilter, filter};
pub use grants::{Grants, Vote, Votes};
pub use object::{AccessList, Object};
pub use resource::ResourceType;
pub use roles::{
    Policy, RoleInfo, Sharing, is_built_in, names as role_names, org_roles, site_roles,
};
pub use scope::{AllowEntry, AllowList, Scope, ScopeError, is_public_scope, public_scopes};
pub use subject::{Membership, Origin, Subject, UserSubject};
pub use system::System;
