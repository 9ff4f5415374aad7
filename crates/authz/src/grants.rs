//! Rights as bit sets: what is allowed and what is denied, per resource type.

use crate::action::{Action, ActionSet};
use crate::resource::ResourceType;

/// A set of actions for each resource type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Grants([ActionSet; ResourceType::COUNT]);

impl Grants {
    /// Nothing.
    pub const NONE: Grants = Grants([ActionSet::NONE; ResourceType::COUNT]);

    /// Everything that makes sense on anything.
    pub const fn all() -> Self {
        Grants::NONE.and_all_except(&[])
    }

    /// Adds actions on a resource; actions it does not know are left out.
    #[must_use]
    pub const fn and(mut self, kind: ResourceType, actions: &[Action]) -> Self {
        let known = kind.actions();
        let mut i = 0;
        while i < actions.len() {
            if known.has(actions[i]) {
                self.0[kind as usize] = self.0[kind as usize].or(ActionSet::of(&[actions[i]]));
            }
            i += 1;
        }
        self
    }

    /// Adds one action on each of the resources.
    #[must_use]
    pub const fn and_each(mut self, action: Action, kinds: &[ResourceType]) -> Self {
        let mut i = 0;
        while i < kinds.len() {
            self = self.and(kinds[i], &[action]);
            i += 1;
        }
        self
    }

    /// Adds all actions of a resource.
    #[must_use]
    pub const fn and_all(mut self, kind: ResourceType) -> Self {
        self.0[kind as usize] = kind.actions();
        self
    }

    /// Adds all actions of all resources but the named.
    #[must_use]
    pub const fn and_all_except(mut self, except: &[ResourceType]) -> Self {
        let mut i = 0;
        while i < ResourceType::COUNT {
            let kind = ResourceType::ALL[i];
            let mut skip = false;
            let mut j = 0;
            while j < except.len() {
                skip = skip || except[j] as usize == kind as usize;
                j += 1;
            }
            if !skip {
                self.0[i] = kind.actions();
            }
            i += 1;
        }
        self
    }

    /// Takes actions away.
    #[must_use]
    pub const fn without(mut self, kind: ResourceType, actions: &[Action]) -> Self {
        self.0[kind as usize] = self.0[kind as usize].minus(ActionSet::of(actions));
        self
    }

    /// The rights that these `type:action` name, as roles that organizations make themselves are
    /// stored; what is not known grants nothing.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grants = Grants::NONE;
        for name in names {
            let Some((kind, action)) = name.split_once(':') else {
                continue;
            };
            if let (Ok(kind), Ok(action)) = (kind.parse::<ResourceType>(), action.parse()) {
                grants = grants.and(kind, &[action]);
            }
        }
        grants
    }

    /// Adds all of another set.
    pub fn add(&mut self, other: &Grants) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.or(theirs);
        }
    }

    /// Whether the action on the resource is in the set.
    pub const fn has(&self, kind: ResourceType, action: Action) -> bool {
        self.0[kind as usize].has(action)
    }

    /// The actions on one resource.
    pub const fn on(&self, kind: ResourceType) -> ActionSet {
        self.0[kind as usize]
    }
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let some = ResourceType::ALL
            .iter()
            .filter(|&&kind| !self.on(kind).is_empty());
        f.debug_map()
            .entries(some.map(|&kind| (kind, self.on(kind))))
            .finish()
    }
}

/// What one level says about an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vote {
    /// Some right at this level is negative: it wins over the positive ones.
    Deny,
    /// Nothing at this level speaks of it.
    Abstain,
    /// Allowed.
    Allow,
}

/// The rights of one level: positive and negative ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Votes {
    /// Positive rights.
    pub allow: Grants,
    /// Negative rights.
    pub deny: Grants,
}

impl Votes {
    /// A level that says nothing.
    pub const NONE: Votes = Votes {
        allow: Grants::NONE,
        deny: Grants::NONE,
    };

    /// What this level says.
    pub const fn vote(&self, kind: ResourceType, action: Action) -> Vote {
        if self.deny.has(kind, action) {
            Vote::Deny
        } else if self.allow.has(kind, action) {
            Vote::Allow
        } else {
            Vote::Abstain
        }
    }
}
