//! Attributes: their types, who sets them, defaults and checks.

use super::Check;
use crate::value::Value;

/// The types that attributes of this provider have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A string.
    String,
    /// A number; only whole ones are accepted from configurations.
    Number,
    /// A boolean.
    Bool,
    /// A map of strings.
    MapOfString,
    /// A list of strings.
    ListOfString,
    /// A list of objects with these attributes.
    ListOfObject(&'static [(&'static str, Type)]),
}

impl Type {
    /// The type in words, for errors.
    pub const fn described(&self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::MapOfString => "a map of strings",
            Self::ListOfString => "a list of strings",
            Self::ListOfObject(_) => "a list of objects",
        }
    }
}

/// Who gives an attribute its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The configuration must.
    Required,
    /// The configuration may.
    Optional,
    /// Only the provider does.
    Computed,
    /// The configuration may, and the provider does where it does not.
    OptionalComputed,
}

/// A default value.
#[derive(Debug, Clone, Copy)]
pub enum Constant {
    /// A string.
    Text(&'static str),
    /// A whole number.
    Int(i64),
    /// A boolean.
    Bool(bool),
}

impl Constant {
    /// The default as a value.
    pub fn value(self) -> Value {
        match self {
            Self::Text(text) => Value::text(text),
            Self::Int(number) => Value::int(number),
            Self::Bool(value) => Value::Bool(value),
        }
    }
}

/// An attribute of a block.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Who sets it.
    pub presence: Presence,
    /// What it is for, shown in documentation and by editors.
    pub description: &'static str,
    /// Whether hosts hide it in their output.
    pub sensitive: bool,
    /// What to say to those who use it, if it is discouraged.
    pub deprecated: Option<&'static str>,
    /// Its value where the configuration gives none.
    pub default: Option<Constant>,
    /// What its value must satisfy.
    pub checks: &'static [Check],
    /// Siblings (attributes or blocks) that may not be given beside it.
    pub conflicts_with: &'static [&'static str],
}

impl Attribute {
    const fn new(name: &'static str, ty: Type) -> Self {
        Self {
            name,
            ty,
            presence: Presence::Optional,
            description: "",
            sensitive: false,
            deprecated: None,
            default: None,
            checks: &[],
            conflicts_with: &[],
        }
    }

    /// An optional string.
    pub const fn string(name: &'static str) -> Self {
        Self::new(name, Type::String)
    }

    /// An optional number.
    pub const fn number(name: &'static str) -> Self {
        Self::new(name, Type::Number)
    }

    /// An optional boolean.
    pub const fn bool(name: &'static str) -> Self {
        Self::new(name, Type::Bool)
    }

    /// An optional map of strings.
    pub const fn string_map(name: &'static str) -> Self {
        Self::new(name, Type::MapOfString)
    }

    /// A list of strings, set by the provider.
    pub const fn string_list(name: &'static str) -> Self {
        Self::new(name, Type::ListOfString).computed()
    }

    /// A list of objects, set by the provider.
    pub const fn object_list(name: &'static str, fields: &'static [(&'static str, Type)]) -> Self {
        Self::new(name, Type::ListOfObject(fields)).computed()
    }

    /// The identifier that every resource has and the provider chooses. Hosts let a configuration set it, as they
    /// always did for providers of this protocol version.
    pub const fn implied_id() -> Self {
        let mut id = Self::string("id");
        id.presence = Presence::OptionalComputed;
        id
    }

    /// Demands a value.
    pub const fn required(mut self) -> Self {
        self.presence = Presence::Required;
        self
    }

    /// Reserves the value to the provider.
    pub const fn computed(mut self) -> Self {
        self.presence = Presence::Computed;
        self
    }

    /// Lets the provider choose where the configuration gives no value.
    pub const fn optional_computed(mut self) -> Self {
        self.presence = Presence::OptionalComputed;
        self
    }

    /// Describes the attribute.
    pub const fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Hides the value in output.
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Discourages its use.
    pub const fn deprecated(mut self, advice: &'static str) -> Self {
        self.deprecated = Some(advice);
        self
    }

    /// Sets a default.
    pub const fn default(mut self, default: Constant) -> Self {
        self.default = Some(default);
        self
    }

    /// Sets what the value must satisfy.
    pub const fn checked(mut self, checks: &'static [Check]) -> Self {
        self.checks = checks;
        self
    }

    /// Names the siblings that may not be given beside it.
    pub const fn conflicts_with(mut self, siblings: &'static [&'static str]) -> Self {
        self.conflicts_with = siblings;
        self
    }

    /// Whether the provider may set it.
    pub const fn is_computed(&self) -> bool {
        matches!(
            self.presence,
            Presence::Computed | Presence::OptionalComputed
        )
    }
}
