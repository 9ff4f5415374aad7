//! `coder_metadata`: what the dashboard shows beside a resource.

use super::{Resource, first_duplicate};
use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block, Check, Constant, Nested};
use crate::value::{Object, Value, field};

/// The resource.
pub const RESOURCE: Resource = Resource {
    check,
    create,
    ..Resource::new("coder_metadata", 1, &BLOCK)
};

const BLOCK: Block = Block::new(
    "Values, an icon and a cost that the dashboard shows beside a resource of the template. Values of a running workspace belong into `metadata` blocks of its `coder_agent`.",
    &[
        Attribute::number("daily_cost").about("What the resource costs a day, as a whole number of the smallest unit of your currency; it counts against the owner's quota."),
        Attribute::bool("hide").about("Whether to hide the resource in the dashboard."),
        Attribute::string("icon").about("URL of an icon, for example `/icon/database.svg`.").checked(&[Check::Url]),
        Attribute::implied_id(),
        Attribute::string("resource_id").required().about("The `id` of the resource that this is shown beside."),
    ],
    &[Nested::list("item", &ITEM)],
);

const ITEM: Block = Block::new(
    "A value.",
    &[
        Attribute::bool("is_null").computed(),
        Attribute::string("key")
            .required()
            .about("Its name, unique within this resource."),
        Attribute::bool("sensitive")
            .about(
                "Whether the dashboard hides it until asked. It is not a secret: the API shows it.",
            )
            .default(Constant::Bool(false)),
        Attribute::string("value")
            .about("The value. Simple Markdown is rendered; null leaves the item out."),
    ],
    &[],
);

fn check(planned: &Object) -> Vec<Diagnostic> {
    first_duplicate(field(planned, "item").elements(), "key")
        .map(|key| {
            Diagnostic::error(format!("duplicate resource metadata key {key:?}"))
                .at_attribute("item")
        })
        .into_iter()
        .collect()
}

/// Stored values of blocks cannot be null, so each item remembers whether its value was.
fn create(state: &mut Object, _: &Context) -> Vec<Diagnostic> {
    if let Some(Value::Sequence(items)) = state.get_mut("item") {
        for item in items {
            if let Value::Map(item) = item {
                let is_null = field(item, "value").is_null();
                item.insert("is_null".to_owned(), Value::Bool(is_null));
            }
        }
    }
    Vec::new()
}
