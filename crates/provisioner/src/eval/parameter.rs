//! One parameter or preset as a form shows it.

use std::collections::BTreeMap;
use std::rc::Rc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;
use terraform_provider::parameter as rules;

use super::expression::entries;
use super::render::{CODE_REQUIRED, Diagnostic};
use super::scope::Bound;
use super::world::{ModuleInstance, World};
use super::{EvalError, Result, Value, convert};
use crate::hcl::{Resource, constant};

/// A value that can be chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenderedOption {
    /// What people see.
    pub name: String,
    /// More about it.
    pub description: String,
    /// What the template gets; `None` if only a run knows.
    pub value: Option<String>,
    /// A picture.
    pub icon: String,
}

/// A parameter as a form shows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RenderedParameter {
    /// Its name, by which values are given.
    pub name: String,
    /// What people see.
    pub display_name: String,
    /// More about it.
    pub description: String,
    /// `string`, `number`, `bool` or `list(string)`.
    pub r#type: String,
    /// Kind of the form's field; `error` where the declaration makes none possible.
    pub form_type: String,
    /// Hints for the field.
    pub styling: serde_json::Value,
    /// Whether it may change after the first build.
    pub mutable: bool,
    /// Whether its value is for one build only.
    pub ephemeral: bool,
    /// Whether a value must be given.
    pub required: bool,
    /// The value without input, if there is one and it is known.
    pub default: Option<String>,
    /// A picture.
    pub icon: String,
    /// What can be chosen.
    pub options: Vec<RenderedOption>,
    /// Conditions.
    pub validation: Option<RenderedValidation>,
    /// Place in the form.
    pub order: i64,
    /// The value: input, else default; `None` if neither is there or only a run knows.
    pub value: Option<String>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Conditions on a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenderedValidation {
    /// What to say when they are not met.
    pub error: String,
    /// A pattern; empty for none.
    pub regex: String,
    /// Smallest number.
    pub min: Option<i64>,
    /// Largest number.
    pub max: Option<i64>,
    /// `increasing`, `decreasing` or empty.
    pub monotonic: String,
}

/// A preset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenderedPreset {
    /// Its name.
    pub name: String,
    /// Values of parameters.
    pub parameters: BTreeMap<String, String>,
    /// Whether it is chosen at first.
    pub default: bool,
    /// Workspaces to build before somebody asks.
    pub prebuild_instances: i64,
}

/// A block as it is evaluated: its content and the names bound in it.
struct Reader<'w, 'a> {
    world: &'w World<'a>,
    at: &'w Rc<ModuleInstance>,
    body: Body,
    bound: Bound,
}

impl Reader<'_, '_> {
    fn value(&self, name: &str) -> Result {
        match self.body.get_attribute(name) {
            Some(attribute) => self.world.eval(self.at, &self.bound, &attribute.value),
            None => Ok(Value::Null),
        }
    }

    /// Text; `None` if it is absent or unknown.
    fn text(&self, name: &str) -> Result<Option<String>> {
        match self.value(name)? {
            Value::Null => Ok(None),
            value => convert::text(&value),
        }
    }

    fn flag(&self, name: &str) -> Result<bool> {
        match self.value(name)? {
            Value::Null => Ok(false),
            value => Ok(convert::bool(&value)?.unwrap_or_default()),
        }
    }

    fn integer(&self, name: &str) -> Result<Option<i64>> {
        match self.value(name)? {
            Value::Null => Ok(None),
            value => Ok(convert::number(&value)?.map(|n| n as i64)),
        }
    }

    /// The blocks of a type: written out, given as a list in JSON, or made by `dynamic`.
    fn blocks(&self, name: &str) -> Result<Vec<Reader<'_, '_>>> {
        let reader = |body: &Body, bound: Bound| Reader {
            world: self.world,
            at: self.at,
            body: body.clone(),
            bound,
        };
        let mut found: Vec<_> = self
            .body
            .get_blocks(name)
            .map(|b| reader(&b.body, self.bound.clone()))
            .collect();
        for dynamic in self.body.get_blocks("dynamic") {
            if dynamic.labels.first().is_none_or(|l| l.as_str() != name) {
                continue;
            }
            let Some(content) = dynamic.body.get_blocks("content").next() else {
                continue;
            };
            let Some(each) = dynamic.body.get_attribute("for_each") else {
                continue;
            };
            let iterator = match dynamic.body.get_attribute("iterator").map(|a| &a.value) {
                Some(Expression::Variable(word)) => word.as_str().to_owned(),
                Some(other) => constant::string(other).unwrap_or_else(|| name.to_owned()),
                None => name.to_owned(),
            };
            let collection = self.world.eval(self.at, &self.bound, &each.value)?;
            // What is not known yet adds no options yet.
            for (key, value) in entries(&collection)?.unwrap_or_default() {
                let pair = [("key".to_owned(), key), ("value".to_owned(), value)];
                let bound = self.bound.with(&iterator, Value::Map(pair.into()));
                found.push(reader(&content.body, bound));
            }
        }
        Ok(found)
    }
}

/// A parameter that cannot even be counted.
pub(super) fn broken(resource: &Resource, error: &EvalError) -> RenderedParameter {
    RenderedParameter {
        name: resource.name.clone(),
        form_type: "error".to_owned(),
        diagnostics: vec![problem(resource, error)],
        ..RenderedParameter::default()
    }
}

fn problem(resource: &Resource, error: &EvalError) -> Diagnostic {
    Diagnostic::error(
        format!("coder_parameter {:?} cannot be evaluated", resource.name),
        format!("{} line {}: {error}", resource.file, resource.line),
    )
}

/// Evaluates one instance of a `coder_parameter` block.
pub(super) fn render(
    world: &World<'_>,
    at: &Rc<ModuleInstance>,
    resource: &Resource,
    bound: &Bound,
) -> RenderedParameter {
    let reader = Reader {
        world,
        at,
        body: resource.body.clone(),
        bound: bound.clone(),
    };
    match read(&reader) {
        Ok(parameter) => judge(world, parameter),
        Err(error) => broken(resource, &error),
    }
}

fn read(reader: &Reader<'_, '_>) -> Result<RenderedParameter> {
    let text = |name: &str| reader.text(name).map(Option::unwrap_or_default);
    let name = text("name")?;
    let or = |text: String, other: &str| {
        if text.is_empty() {
            other.to_owned()
        } else {
            text
        }
    };
    let mut options = Vec::new();
    for option in reader.blocks("option")? {
        options.push(RenderedOption {
            name: option.text("name")?.unwrap_or_default(),
            description: option.text("description")?.unwrap_or_default(),
            value: option.text("value")?,
            icon: option.text("icon")?.unwrap_or_default(),
        });
    }
    let validation = match reader.blocks("validation")?.first() {
        None => None,
        Some(v) => Some(RenderedValidation {
            error: v.text("error")?.unwrap_or_default(),
            regex: v.text("regex")?.unwrap_or_default(),
            min: v.integer("min")?,
            max: v.integer("max")?,
            monotonic: v.text("monotonic")?.unwrap_or_default(),
        }),
    };
    let default = reader.value("default")?;
    let styling = match reader.text("styling")? {
        Some(json) => serde_json::from_str(&json)
            .map_err(|e| EvalError::new(format!("styling is not JSON: {e}")))?,
        None => serde_json::Value::Object(serde_json::Map::new()),
    };
    Ok(RenderedParameter {
        display_name: text("display_name")?,
        description: text("description")?,
        r#type: or(text("type")?, "string"),
        form_type: text("form_type")?,
        styling,
        mutable: reader.flag("mutable")?,
        ephemeral: reader.flag("ephemeral")?,
        required: default == Value::Null,
        default: convert::text(match &default {
            Value::Null => &Value::Unknown,
            known => known,
        })?,
        icon: text("icon")?,
        options,
        validation,
        order: reader.integer("order")?.unwrap_or_default(),
        value: None,
        diagnostics: Vec::new(),
        name,
    })
}

/// Gives a parameter its value and says what is wrong with it.
fn judge(world: &World<'_>, mut p: RenderedParameter) -> RenderedParameter {
    let input = world.inputs.get(&p.name).map(String::as_str);
    let previous = world.previous.get(&p.name).map(String::as_str);
    let Some(declared) = declaration(&p) else {
        let detail = format!(
            "The type {:?} of parameter {:?} is not known.",
            p.r#type, p.name
        );
        "error".clone_into(&mut p.form_type);
        p.diagnostics
            .push(Diagnostic::error("Unknown parameter type", detail));
        return p;
    };
    if p.ephemeral && !p.mutable {
        p.diagnostics.push(Diagnostic::error(
            "Ephemeral parameters must be mutable",
            format!(
                "Parameter {:?} can be immutable or ephemeral, not both.",
                p.name
            ),
        ));
    }
    if p.ephemeral && p.required {
        p.diagnostics.push(Diagnostic::error(
            "Ephemeral parameters need a default",
            format!("Parameter {:?} has none.", p.name),
        ));
    }
    match declared
        .ty
        .form_type(declared.form_type, !p.options.is_empty())
    {
        Ok(form_type) => form_type.as_str().clone_into(&mut p.form_type),
        Err(reason) => {
            "error".clone_into(&mut p.form_type);
            p.diagnostics
                .push(Diagnostic::error("Invalid form_type for parameter", reason));
            return p;
        }
    }
    p.value = input.map(str::to_owned).or_else(|| p.default.clone());
    if input.is_none() && p.required {
        p.diagnostics.push(Diagnostic {
            code: CODE_REQUIRED.to_owned(),
            ..Diagnostic::error(
                "Required parameter not provided",
                format!("The parameter {:?} needs a value.", p.name),
            )
        });
        return p;
    }
    let unknown = p.value.is_none() || p.options.iter().any(|o| o.value.is_none());
    if !unknown && let Err(found) = declared.resolve(input, previous) {
        let found = found
            .into_iter()
            .map(|d| Diagnostic::error(d.summary, d.detail));
        p.diagnostics.extend(found);
    }
    p
}

fn declaration(p: &RenderedParameter) -> Option<rules::Parameter> {
    Some(rules::Parameter {
        ty: rules::ParameterType::parse(&p.r#type)?,
        form_type: rules::FormType::parse(&p.form_type),
        default: p.default.clone(),
        options: p
            .options
            .iter()
            .map(|o| rules::ParameterOption {
                name: o.name.clone(),
                value: o.value.clone().unwrap_or_default(),
            })
            .collect(),
        validation: p.validation.as_ref().map(|v| rules::Validation {
            min: v.min,
            max: v.max,
            monotonic: rules::Monotonic::parse(&v.monotonic),
            regex: v.regex.clone(),
            error: v.error.clone(),
        }),
    })
}

/// What references to the data source see.
pub(super) fn as_value(p: &RenderedParameter) -> Value {
    let or_unknown = |text: &Option<String>| text.clone().map_or(Value::Unknown, Value::String);
    let options = p
        .options
        .iter()
        .map(|o| {
            let fields = [
                ("name", Value::text(&o.name)),
                ("description", Value::text(&o.description)),
                ("value", or_unknown(&o.value)),
                ("icon", Value::text(&o.icon)),
            ];
            Value::Map(fields.map(|(k, v)| (k.to_owned(), v)).into())
        })
        .collect();
    let fields = [
        ("id", Value::Unknown),
        ("name", Value::text(&p.name)),
        ("display_name", Value::text(&p.display_name)),
        ("description", Value::text(&p.description)),
        ("type", Value::text(&p.r#type)),
        ("form_type", Value::text(&p.form_type)),
        ("mutable", Value::Bool(p.mutable)),
        ("ephemeral", Value::Bool(p.ephemeral)),
        ("optional", Value::Bool(!p.required)),
        (
            "default",
            p.default.clone().map_or(Value::Null, Value::String),
        ),
        ("icon", Value::text(&p.icon)),
        ("order", Value::Number(p.order as f64)),
        ("option", Value::List(options)),
        ("value", or_unknown(&p.value)),
    ];
    Value::Map(fields.map(|(k, v)| (k.to_owned(), v)).into())
}

/// Evaluates one instance of a `coder_workspace_preset` block.
pub(super) fn preset(
    world: &World<'_>,
    at: &Rc<ModuleInstance>,
    resource: &Resource,
    bound: &Bound,
) -> Result<RenderedPreset> {
    let reader = Reader {
        world,
        at,
        body: resource.body.clone(),
        bound: bound.clone(),
    };
    let mut parameters = BTreeMap::new();
    if let Value::Map(map) = reader.value("parameters")? {
        for (name, value) in map {
            if let Some(text) = convert::text(&value)? {
                parameters.insert(name, text);
            }
        }
    }
    let instances = match reader.blocks("prebuilds")?.first() {
        Some(prebuilds) => prebuilds.integer("instances")?.unwrap_or_default(),
        None => 0,
    };
    Ok(RenderedPreset {
        name: reader.text("name")?.unwrap_or_default(),
        parameters,
        default: reader.flag("default")?,
        prebuild_instances: instances,
    })
}
