//! The tables in the form that the plugin protocol wants.

use serde_json::{Value as Json, json};

use super::{Attribute, Block, Nested, Nesting, Presence, Type};
use crate::proto::tfplugin5 as tf;

/// The message that describes one resource, data source or the provider itself.
pub fn schema_message(version: i64, block: &Block) -> tf::Schema {
    tf::Schema {
        version,
        block: Some(block_message(block)),
    }
}

fn block_message(block: &Block) -> tf::schema::Block {
    tf::schema::Block {
        version: 0,
        attributes: block.attributes.iter().map(attribute_message).collect(),
        block_types: block.blocks.iter().map(nested_message).collect(),
        description: block.description.to_owned(),
        description_kind: tf::StringKind::Plain.into(),
        deprecated: false,
    }
}

fn attribute_message(attribute: &Attribute) -> tf::schema::Attribute {
    tf::schema::Attribute {
        name: attribute.name.to_owned(),
        r#type: type_json(&attribute.ty).to_string().into_bytes(),
        description: attribute.description.to_owned(),
        required: attribute.presence == Presence::Required,
        optional: matches!(
            attribute.presence,
            Presence::Optional | Presence::OptionalComputed
        ),
        computed: attribute.is_computed(),
        sensitive: attribute.sensitive,
        description_kind: tf::StringKind::Plain.into(),
        deprecated: attribute.deprecated.is_some(),
        write_only: false,
    }
}

fn nested_message(nested: &Nested) -> tf::schema::NestedBlock {
    use tf::schema::nested_block::NestingMode;
    let mut block = block_message(nested.block);
    block.deprecated = nested.deprecated.is_some();
    tf::schema::NestedBlock {
        type_name: nested.name.to_owned(),
        block: Some(block),
        nesting: match nested.nesting {
            Nesting::List => NestingMode::List,
            Nesting::Set => NestingMode::Set,
        }
        .into(),
        min_items: nested.min_items,
        max_items: nested.max_items,
    }
}

fn type_json(ty: &Type) -> Json {
    match ty {
        Type::String => json!("string"),
        Type::Number => json!("number"),
        Type::Bool => json!("bool"),
        Type::MapOfString => json!(["map", "string"]),
        Type::ListOfString => json!(["list", "string"]),
        Type::ListOfObject(fields) => {
            let fields: serde_json::Map<_, _> = fields
                .iter()
                .map(|(name, ty)| ((*name).to_owned(), type_json(ty)))
                .collect();
            json!(["list", ["object", fields]])
        }
    }
}
