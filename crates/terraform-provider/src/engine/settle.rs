//! The last step before a state is stored: what is still unknown or unset takes the form that the older provider kit
//! stored, which state readers rely on.

use crate::schema::{Block, Type};
use crate::value::{Object, Value};

/// Settles the state of a created resource: unset attributes of the resource itself are null, those of its blocks are
/// zero.
pub fn settle_resource(state: &mut Object, block: &Block) {
    settle(state, block, false);
}

/// Settles the state of a data source: as for a resource, but blocks that are absent and texts that are empty are null.
pub fn settle_data(state: &mut Object, block: &Block) {
    for value in state.values_mut() {
        if value.as_str() == Some("") {
            *value = Value::Null;
        }
    }
    for nested in block.blocks {
        if matches!(state.get(nested.name), Some(Value::Sequence(elements)) if elements.is_empty())
        {
            state.insert(nested.name.to_owned(), Value::Null);
        }
    }
    settle(state, block, false);
}

fn settle(object: &mut Object, block: &Block, nested: bool) {
    for attribute in block.attributes {
        let value = object.entry(attribute.name.to_owned()).or_default();
        if value.is_unknown() {
            *value = Value::Null;
        }
        if value.is_null() && nested {
            *value = zero(&attribute.ty);
        }
    }
    for nested in block.blocks {
        match object
            .entry(nested.name.to_owned())
            .or_insert_with(|| Value::Sequence(Vec::new()))
        {
            Value::Sequence(elements) => {
                for element in elements {
                    if let Value::Map(element) = element {
                        settle(element, nested.block, true);
                    }
                }
            }
            value @ Value::Unknown => *value = Value::Sequence(Vec::new()),
            _ => {}
        }
    }
}

fn zero(ty: &Type) -> Value {
    match ty {
        Type::String => Value::text(""),
        Type::Number => Value::int(0),
        Type::Bool => Value::Bool(false),
        Type::MapOfString => Value::Map(Object::new()),
        Type::ListOfString | Type::ListOfObject(_) => Value::Sequence(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::{settle_data, settle_resource};
    use crate::schema::{Attribute, Block, Nested};
    use crate::value::{Object, Value, field};

    const ITEM: Block = Block::new(
        "",
        &[
            Attribute::string("s"),
            Attribute::number("n"),
            Attribute::bool("b"),
        ],
        &[],
    );
    const BLOCK: Block = Block::new(
        "",
        &[Attribute::string("top"), Attribute::implied_id()],
        &[Nested::list("item", &ITEM)],
    );

    #[test]
    fn nothing_is_left_unknown_and_blocks_hold_zeros() {
        let item = Value::Map(Object::from([("s".to_owned(), Value::Unknown)]));
        let mut state = Object::from([
            ("id".to_owned(), Value::Unknown),
            ("item".to_owned(), Value::Sequence(vec![item])),
        ]);
        settle_resource(&mut state, &BLOCK);
        assert_eq!(
            (field(&state, "id"), field(&state, "top")),
            (&Value::Null, &Value::Null)
        );
        let item = field(&state, "item").elements()[0].as_object().unwrap();
        assert_eq!(field(item, "s"), &Value::text(""));
        assert_eq!(field(item, "n"), &Value::int(0));
        assert_eq!(field(item, "b"), &Value::Bool(false));
    }

    #[test]
    fn absent_blocks_are_empty_in_resources_and_null_in_data() {
        let empty = || Object::from([("item".to_owned(), Value::Sequence(vec![]))]);
        let mut resource = empty();
        settle_resource(&mut resource, &BLOCK);
        assert_eq!(field(&resource, "item"), &Value::Sequence(vec![]));
        let mut data = empty();
        settle_data(&mut data, &BLOCK);
        assert_eq!(field(&data, "item"), &Value::Null);
    }
}
