//! What a provider must see again, unread by anyone else.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Opaque facts of a part, by the family that wrote them (`anthropic`, `openai`, `google`, …): the
/// signature of reasoning, ids of items, encrypted content. Kept with the part and given back
/// unchanged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Metadata of one family.
    pub fn of(family: &str, value: Value) -> Self {
        let mut map = Map::new();
        map.insert(family.to_owned(), value);
        Self(map)
    }

    /// What `family` wrote, if it wrote something.
    pub fn get(&self, family: &str) -> Option<&Value> {
        self.0.get(family)
    }

    /// The text `key` of what `family` wrote.
    pub fn text(&self, family: &str, key: &str) -> Option<&str> {
        self.get(family)?.get(key)?.as_str()
    }

    /// Whether no family wrote anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
