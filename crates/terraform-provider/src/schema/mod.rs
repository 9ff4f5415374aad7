//! How the shape of a resource is written down: constant tables, so that starting the provider builds nothing.

mod attribute;
mod check;
mod wire;

pub use attribute::{Attribute, Constant, Presence, Type};
pub use check::{Check, Finding};
pub use wire::schema_message;

/// A block: attributes and further blocks.
#[derive(Debug)]
pub struct Block {
    /// What it is for, shown in documentation and by editors.
    pub description: &'static str,
    /// Its attributes.
    pub attributes: &'static [Attribute],
    /// The blocks that may stand in it.
    pub blocks: &'static [Nested],
}

/// How many blocks of one name make a value, and whether their order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// An ordered list.
    List,
    /// A set: order does not count, equal blocks count once.
    Set,
}

/// Blocks of one name within another block.
#[derive(Debug)]
pub struct Nested {
    /// Name of the blocks.
    pub name: &'static str,
    /// List or set.
    pub nesting: Nesting,
    /// Fewest blocks; 0 for no lower limit.
    pub min_items: i64,
    /// Most blocks; 0 for no upper limit.
    pub max_items: i64,
    /// Whether the provider fills it in when the configuration has none.
    pub computed: bool,
    /// What to say to those who use it, if it is discouraged.
    pub deprecated: Option<&'static str>,
    /// Siblings (attributes or blocks) that may not be given beside it.
    pub conflicts_with: &'static [&'static str],
    /// Contents of each block.
    pub block: &'static Block,
}

impl Block {
    /// A block.
    pub const fn new(
        description: &'static str,
        attributes: &'static [Attribute],
        blocks: &'static [Nested],
    ) -> Self {
        Self {
            description,
            attributes,
            blocks,
        }
    }

    /// The attribute of that name.
    #[cfg(test)]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
    }
}

impl Nested {
    /// A list of blocks.
    pub const fn list(name: &'static str, block: &'static Block) -> Self {
        Self {
            name,
            nesting: Nesting::List,
            min_items: 0,
            max_items: 0,
            computed: false,
            deprecated: None,
            conflicts_with: &[],
            block,
        }
    }

    /// A set of blocks.
    pub const fn set(name: &'static str, block: &'static Block) -> Self {
        let mut nested = Self::list(name, block);
        nested.nesting = Nesting::Set;
        nested
    }

    /// Allows one block at most.
    pub const fn at_most_one(mut self) -> Self {
        self.max_items = 1;
        self
    }

    /// Demands one block at least.
    pub const fn at_least_one(mut self) -> Self {
        self.min_items = 1;
        self
    }

    /// The provider fills it in when the configuration has none.
    pub const fn computed(mut self) -> Self {
        self.computed = true;
        self
    }

    /// Discourages its use.
    pub const fn deprecated(mut self, advice: &'static str) -> Self {
        self.deprecated = Some(advice);
        self
    }

    /// Names the siblings that may not be given beside it.
    pub const fn conflicts_with(mut self, siblings: &'static [&'static str]) -> Self {
        self.conflicts_with = siblings;
        self
    }
}
