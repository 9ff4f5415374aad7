//! The decision.

use crate::action::Action;
use crate::grants::Vote;
use crate::object::Object;
use crate::subject::Subject;

/// The subject may not do it. Says what was asked, for logs; users get the
/// words of their endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{who} may not {action} {kind}")]
pub struct Denied {
    /// Name of the subject.
    pub who: String,
    /// The action asked for.
    pub action: Action,
    /// The kind of object.
    pub kind: crate::ResourceType,
}

/// Decides whether `who` may do `action` on `object`.
///
/// Allowed when the roles or an access list allow it, and the scope of the
/// credential does too. A negative right beats positive ones of its own level
/// and of narrower levels, never a site-wide grant nor an access list.
///
/// # Errors
/// [`Denied`] when not.
pub fn authorize(who: &Subject, action: Action, object: &Object) -> Result<(), Denied> {
    if in_scope(who, action, object)
        && (by_role(who, action, object) || by_acl(who, action, object))
    {
        Ok(())
    } else {
        Err(Denied {
            who: who.name().to_owned(),
            action,
            kind: object.kind,
        })
    }
}

fn in_scope(who: &Subject, action: Action, object: &Object) -> bool {
    who.scope().grants.has(object.kind, action) && who.scope().allow.admits(object.kind, object.id)
}

fn by_role(who: &Subject, action: Action, object: &Object) -> bool {
    let kind = object.kind;
    match who.site().vote(kind, action) {
        Vote::Allow => return true,
        Vote::Deny => return false,
        Vote::Abstain => {}
    }
    // Without an id the owner never is the subject: system subjects share the nil id.
    let owns = object.owner.is_some() && object.owner == who.user_id();
    if let Some(organization) = object.organization {
        let Some(rights) = who.organization(organization) else {
            return false;
        };
        return match rights.org.vote(kind, action) {
            Vote::Allow => true,
            Vote::Deny => false,
            Vote::Abstain => owns && rights.member.vote(kind, action) == Vote::Allow,
        };
    }
    if object.any_organization {
        return who
            .organizations()
            .any(|rights| match rights.org.vote(kind, action) {
                Vote::Allow => true,
                Vote::Deny => false,
                Vote::Abstain => owns && rights.member.vote(kind, action) == Vote::Allow,
            });
    }
    owns && who.own().vote(kind, action) == Vote::Allow
}

fn by_acl(who: &Subject, action: Action, object: &Object) -> bool {
    if who
        .user_id()
        .is_some_and(|id| object.user_acl.allows(id, action))
    {
        return true;
    }
    let member = object
        .organization
        .is_some_and(|o| who.organization(o).is_some());
    member
        && object
            .group_acl
            .0
            .keys()
            .any(|&g| who.in_group(g) && object.group_acl.allows(g, action))
}
