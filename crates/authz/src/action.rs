//! The verbs of the access model, and sets of them.

use std::fmt;

/// A name that is no action, resource type or scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {name:?}")]
pub struct UnknownName {
    /// What kind of name was expected.
    pub what: &'static str,
    /// The name as given.
    pub name: String,
}

macro_rules! actions {
    ($($variant:ident = $name:literal,)+) => {
        /// A verb that a right allows or denies. Which verbs a resource knows
        /// stands in [`crate::ResourceType::actions`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each variant is its wire name")]
        pub enum Action { $($variant,)+ }

        impl Action {
            /// Every action, in declaration order.
            pub const ALL: &'static [Action] = &[$(Action::$variant,)+];

            /// The name on the wire and in the database.
            pub const fn name(self) -> &'static str {
                match self { $(Action::$variant => $name,)+ }
            }
        }

        impl std::str::FromStr for Action {
            type Err = UnknownName;
            fn from_str(name: &str) -> Result<Self, UnknownName> {
                match name {
                    $($name => Ok(Action::$variant),)+
                    _ => Err(UnknownName { what: "action", name: name.to_owned() }),
                }
            }
        }
    };
}

actions! {
    Create = "create",
    Read = "read",
    Update = "update",
    Delete = "delete",
    Use = "use",
    Ssh = "ssh",
    ApplicationConnect = "application_connect",
    ViewInsights = "view_insights",
    Start = "start",
    Stop = "stop",
    Assign = "assign",
    Unassign = "unassign",
    ReadPersonal = "read_personal",
    UpdatePersonal = "update_personal",
    CreateAgent = "create_agent",
    DeleteAgent = "delete_agent",
    UpdateAgent = "update_agent",
    Share = "share",
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of actions, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct ActionSet(u32);

impl ActionSet {
    /// No action.
    pub const NONE: ActionSet = ActionSet(0);

    /// The set of the given actions.
    pub const fn of(actions: &[Action]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < actions.len() {
            bits |= 1 << actions[i] as u32;
            i += 1;
        }
        ActionSet(bits)
    }

    /// Whether `action` is in the set.
    pub const fn has(self, action: Action) -> bool {
        self.0 & (1 << action as u32) != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: ActionSet) -> Self {
        ActionSet(self.0 | other.0)
    }

    /// This set without the other.
    #[must_use]
    pub const fn minus(self, other: ActionSet) -> Self {
        ActionSet(self.0 & !other.0)
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The actions of the set, in declaration order.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.iter().copied().filter(move |&a| self.has(a))
    }
}

impl fmt::Debug for ActionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(Action::name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for &action in Action::ALL {
            assert_eq!(action.name().parse(), Ok(action));
        }
        assert!("Read".parse::<Action>().is_err());
    }

    #[test]
    fn sets() {
        let set = ActionSet::of(&[Action::Create, Action::Share]);
        assert!(set.has(Action::Share) && !set.has(Action::Read));
        assert_eq!(
            set.minus(ActionSet::of(&[Action::Share])),
            ActionSet::of(&[Action::Create])
        );
        assert_eq!(set.iter().count(), 2);
    }
}
