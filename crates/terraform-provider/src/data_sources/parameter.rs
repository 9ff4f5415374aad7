//! `coder_parameter`: what the owner chooses when the workspace is made.

use super::{DataSource, set, set_random_id};
use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::parameter::{
    FormType, Monotonic, Parameter, ParameterOption, ParameterType, Validation,
};
use crate::schema::{Attribute, Block, Check, Constant, Nested};
use crate::value::{Object, Value, field, text};

/// The data source.
pub const DATA_SOURCE: DataSource = DataSource {
    name: "coder_parameter",
    version: 1,
    block: &BLOCK,
    read,
};

const BLOCK: Block = Block::new(
    "Something that the owner chooses when the workspace is made.",
    &[
        Attribute::string("default").about("The value without input. A parameter that has none must be answered."),
        Attribute::string("description").about("What it is for. Markdown is rendered."),
        Attribute::string("display_name").about("What it is called in forms."),
        Attribute::bool("ephemeral")
            .about("Whether its value holds for one build only.")
            .default(Constant::Bool(false)),
        Attribute::string("form_type")
            .about("How forms ask for it: `radio`, `slider`, `input`, `dropdown`, `checkbox`, `switch`, `multi-select`, `tag-select` or `textarea`. What fits depends on the type and on whether there are options.")
            .default(Constant::Text(""))
            .checked(&[Check::OneOf(FormType::NAMES)]),
        Attribute::string("icon").about("URL of an icon, for example `/icon/memory.svg`.").checked(&[Check::Url]),
        Attribute::implied_id(),
        Attribute::bool("mutable")
            .about("Whether it may change after the workspace was made. Think of what depends on it: a disk of another region is a new disk.")
            .default(Constant::Bool(false)),
        Attribute::string("name").required().about("Its name, by which its value is remembered."),
        Attribute::bool("optional").computed().about("Whether it has a default."),
        Attribute::number("order").about("Place among the parameters: the lowest comes first, equal ones are sorted by name."),
        Attribute::string("styling")
            .about("How forms show it, as JSON: `placeholder`, `disabled`, `label`, `mask_input`.")
            .default(Constant::Text("{}")),
        Attribute::string("type")
            .about("Type of its value: `string`, `number`, `bool` or `list(string)`.")
            .default(Constant::Text("string"))
            .checked(&[Check::OneOf(ParameterType::NAMES)]),
        Attribute::string("value").computed().about("Its value."),
    ],
    &[Nested::list("option", &OPTION), Nested::list("validation", &VALIDATION).at_most_one()],
);

const OPTION: Block = Block::new(
    "A value to choose from.",
    &[
        Attribute::string("description").about("What choosing it means."),
        Attribute::string("icon")
            .about("URL of an icon.")
            .checked(&[Check::Url]),
        Attribute::string("name")
            .required()
            .about("What it is called in forms."),
        Attribute::string("value")
            .required()
            .about("What the parameter's value then is."),
    ],
    &[],
);

const VALIDATION: Block = Block::new(
    "What a value must satisfy.",
    &[
        Attribute::string("error")
            .about("What to say when it does not. `{min}`, `{max}` and `{value}` are filled in."),
        Attribute::number("max").about("Largest number."),
        Attribute::bool("max_disabled")
            .computed()
            .about("Whether `max` is not set."),
        Attribute::number("min").about("Smallest number."),
        Attribute::bool("min_disabled")
            .computed()
            .about("Whether `min` is not set."),
        Attribute::string("monotonic").about(
            "Which way a number may change from build to build: `increasing` or `decreasing`.",
        ),
        Attribute::string("regex")
            .about("A regular expression (RE2) that a text must match. Needs `error`.")
            .conflicts_with(&["min", "max", "monotonic"]),
    ],
    &[],
);

fn read(state: &mut Object, config: &Object, context: &Context) -> Result<(), Vec<Diagnostic>> {
    let parameter = declared(state, config)?;
    let optional = parameter.default.is_some();
    let ephemeral = field(state, "ephemeral") == &Value::Bool(true);
    if ephemeral && field(state, "mutable") != &Value::Bool(true) {
        return Err(vec![Diagnostic::error(
            "parameter can't be immutable and ephemeral",
        )]);
    }
    if ephemeral && !optional {
        return Err(vec![Diagnostic::error(
            "ephemeral parameter requires the default property",
        )]);
    }

    let name = text(state, "name");
    let input = context.environment.parameter(name);
    let previous = context.environment.previous_parameter(name);
    let resolved = parameter.resolve(input.as_deref(), previous.as_deref())?;

    set_random_id(state);
    set(state, "value", resolved.value);
    set(state, "form_type", resolved.form_type.as_str());
    set(state, "optional", optional);
    // Stored blocks cannot hold null, so the block remembers which of its bounds were.
    let given = validation_of(config);
    let stored = match state.remove("validation") {
        Some(Value::Sequence(blocks)) => blocks,
        _ => Vec::new(),
    };
    let stored = stored.into_iter().map(|block| match block {
        Value::Map(mut block) => {
            for (flag, bound) in [("min_disabled", "min"), ("max_disabled", "max")] {
                let disabled = given.is_none_or(|given| field(given, bound).is_null());
                set(&mut block, flag, disabled);
            }
            Value::Map(block)
        }
        other => other,
    });
    state.insert("validation".to_owned(), Value::Sequence(stored.collect()));
    Ok(())
}

/// The declaration that the configuration makes.
fn declared(state: &Object, config: &Object) -> Result<Parameter, Vec<Diagnostic>> {
    let ty = text(state, "type");
    let ty = ParameterType::parse(ty).ok_or_else(|| {
        vec![Diagnostic::error(format!(
            "type {ty:?} is not one of {}",
            ParameterType::NAMES.join(", ")
        ))]
    })?;
    let options = field(state, "option")
        .elements()
        .iter()
        .filter_map(Value::as_object);
    Ok(Parameter {
        ty,
        form_type: FormType::parse(text(state, "form_type")),
        default: field(config, "default").as_str().map(str::to_owned),
        options: options
            .map(|option| ParameterOption {
                name: text(option, "name").to_owned(),
                value: text(option, "value").to_owned(),
            })
            .collect(),
        validation: validation_of(config).map(|block| Validation {
            min: field(block, "min").as_int(),
            max: field(block, "max").as_int(),
            monotonic: Monotonic::parse(text(block, "monotonic")),
            regex: text(block, "regex").to_owned(),
            error: text(block, "error").to_owned(),
        }),
    })
}

fn validation_of(config: &Object) -> Option<&Object> {
    field(config, "validation").elements().first()?.as_object()
}

#[cfg(test)]
mod tests {
    use super::DATA_SOURCE;
    use crate::data_sources::testing::read;
    use crate::value::{Object, Value, field, text};

    // sha256 of "p"
    const INPUT: &str =
        "CODER_PARAMETER_148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940";

    fn block(entries: &[(&str, Value)]) -> Value {
        Value::Map(
            entries
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect::<Object>(),
        )
    }

    #[test]
    fn the_value_is_the_input_else_the_default() {
        let config = [("name", "p".into()), ("default", "d".into())];
        let state = read(&DATA_SOURCE, &config, &[]).unwrap();
        assert_eq!(
            (text(&state, "value"), text(&state, "form_type")),
            ("d", "input")
        );
        assert_eq!(field(&state, "optional"), &Value::Bool(true));
        assert_eq!(
            (field(&state, "option"), field(&state, "validation")),
            (&Value::Null, &Value::Sequence(vec![]))
        );
        assert_eq!(
            text(
                &read(&DATA_SOURCE, &config, &[(INPUT, "i")]).unwrap(),
                "value"
            ),
            "i"
        );
        assert_eq!(
            text(
                &read(&DATA_SOURCE, &config, &[(INPUT, "")]).unwrap(),
                "value"
            ),
            ""
        );
    }

    #[test]
    fn ephemeral_parameters_are_mutable_and_have_a_default() {
        let ephemeral = ("ephemeral", true.into());
        let error = read(
            &DATA_SOURCE,
            &[("name", "p".into()), ephemeral.clone()],
            &[],
        )
        .unwrap_err();
        assert!(error.contains("immutable and ephemeral"));
        let config = [("name", "p".into()), ephemeral, ("mutable", true.into())];
        assert!(
            read(&DATA_SOURCE, &config, &[])
                .unwrap_err()
                .contains("requires the default")
        );
    }

    #[test]
    fn the_validation_remembers_which_bounds_it_has() {
        let validation = Value::Sequence(vec![block(&[("min", 0.into())])]);
        let config = [
            ("name", "p".into()),
            ("type", "number".into()),
            ("default", "3".into()),
            ("validation", validation),
        ];
        let state = read(&DATA_SOURCE, &config, &[]).unwrap();
        let stored = field(&state, "validation").elements()[0]
            .as_object()
            .unwrap();
        assert_eq!(field(stored, "min_disabled"), &Value::Bool(false));
        assert_eq!(
            (field(stored, "max_disabled"), field(stored, "max")),
            (&Value::Bool(true), &Value::int(0))
        );
        assert!(
            read(&DATA_SOURCE, &config, &[(INPUT, "-1")])
                .unwrap_err()
                .contains("less than the minimum 0")
        );
    }
}
