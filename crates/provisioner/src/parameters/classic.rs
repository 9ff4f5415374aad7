//! Resolution by the parameters that were stored at import.

use std::collections::BTreeMap;

use rpc::proto::provisioner::{ParameterFormType, RichParameter};
use terraform_provider::parameter as rules;

use super::values::{Invalid, Values, immutable};

/// The values of a start: request (or preset), else the build before, else the default. Names that
/// the template does not know are left out.
///
/// # Errors
/// All that is wrong, sorted by name.
pub fn resolve(
    parameters: &[RichParameter],
    values: &Values,
) -> Result<BTreeMap<String, String>, Vec<Invalid>> {
    let mut resolved = BTreeMap::new();
    let mut invalid = Vec::new();
    for parameter in parameters {
        match one(parameter, values) {
            Ok(value) => {
                resolved.insert(parameter.name.clone(), value);
            }
            Err(problem) => invalid.push(problem),
        }
    }
    invalid.sort();
    if invalid.is_empty() {
        Ok(resolved)
    } else {
        Err(invalid)
    }
}

fn one(p: &RichParameter, values: &Values) -> Result<String, Invalid> {
    let (asked, before) = (values.asked(&p.name), values.before(&p.name));
    if let (Some(asked), Some(before)) = (asked, before)
        && !p.mutable
        && !values.first_build
        && asked != before
    {
        return Err(immutable(&p.name, before));
    }
    let kept = before.filter(|_| !p.ephemeral);
    match asked.or(kept) {
        Some(value) => {
            check(p, value, before).map_err(|detail| Invalid::new(&p.name, detail))?;
            Ok(value.to_owned())
        }
        None if p.required => Err(Invalid::new(
            &p.name,
            "the parameter is required: give it a value",
        )),
        None => Ok(p.default_value.clone()),
    }
}

/// Whether a parameter takes a value. `previous` is the value of the build before.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn check(p: &RichParameter, value: &str, previous: Option<&str>) -> Result<(), String> {
    let declared = declaration(p)?;
    declared
        .resolve(Some(value), previous)
        .map(drop)
        .map_err(|found| {
            let texts: Vec<_> = found
                .into_iter()
                .map(|d| {
                    if d.detail.is_empty() {
                        d.summary
                    } else {
                        d.detail
                    }
                })
                .collect();
            texts.join("; ")
        })
}

fn declaration(p: &RichParameter) -> Result<rules::Parameter, String> {
    let ty = rules::ParameterType::parse(&p.r#type)
        .ok_or_else(|| format!("the template gives it the unknown type {:?}", p.r#type))?;
    let conditions = !p.validation_regex.is_empty()
        || p.validation_min.is_some()
        || p.validation_max.is_some()
        || !p.validation_monotonic.is_empty();
    Ok(rules::Parameter {
        ty,
        form_type: form_type(p.form_type()),
        default: (!p.required).then(|| p.default_value.clone()),
        options: p
            .options
            .iter()
            .map(|o| rules::ParameterOption {
                name: o.name.clone(),
                value: o.value.clone(),
            })
            .collect(),
        validation: conditions.then(|| rules::Validation {
            min: p.validation_min.map(i64::from),
            max: p.validation_max.map(i64::from),
            monotonic: rules::Monotonic::parse(&p.validation_monotonic),
            regex: p.validation_regex.clone(),
            error: p.validation_error.clone(),
        }),
    })
}

fn form_type(form_type: ParameterFormType) -> Option<rules::FormType> {
    use rules::FormType as F;
    Some(match form_type {
        ParameterFormType::Default | ParameterFormType::FormError => return None,
        ParameterFormType::Radio => F::Radio,
        ParameterFormType::Dropdown => F::Dropdown,
        ParameterFormType::Input => F::Input,
        ParameterFormType::Textarea => F::TextArea,
        ParameterFormType::Slider => F::Slider,
        ParameterFormType::Checkbox => F::Checkbox,
        ParameterFormType::Switch => F::Switch,
        ParameterFormType::Tagselect => F::TagSelect,
        ParameterFormType::Multiselect => F::MultiSelect,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(name: &str) -> RichParameter {
        RichParameter {
            name: name.into(),
            r#type: "string".into(),
            mutable: true,
            default_value: "d".into(),
            ..RichParameter::default()
        }
    }

    fn map(values: &[(&str, &str)]) -> BTreeMap<String, String> {
        values
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn values_win_in_order() {
        let values = Values {
            previous: map(&[("a", "1"), ("b", "1"), ("c", "1"), ("gone", "1")]),
            request: map(&[("a", "2"), ("b", "2"), ("unknown", "2")]),
            preset: map(&[("a", "3")]),
            first_build: false,
        };
        let resolved = resolve(&[p("a"), p("b"), p("c"), p("e")], &values).unwrap();
        assert_eq!(
            resolved,
            map(&[("a", "3"), ("b", "2"), ("c", "1"), ("e", "d")])
        );
    }

    #[test]
    fn all_complaints_come_at_once() {
        let number = RichParameter {
            r#type: "number".into(),
            validation_min: Some(1),
            validation_monotonic: "increasing".into(),
            ..p("number")
        };
        let required = RichParameter {
            required: true,
            ..p("required")
        };
        let fixed = RichParameter {
            mutable: false,
            ..p("fixed")
        };
        let values = Values {
            previous: map(&[("number", "5"), ("fixed", "x")]),
            request: map(&[("number", "4"), ("fixed", "y")]),
            ..Values::default()
        };
        let invalid = resolve(&[number, required, fixed], &values).unwrap_err();
        let names: Vec<_> = invalid.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["fixed", "number", "required"]);
    }

    #[test]
    fn ephemeral_values_are_not_kept() {
        let once = RichParameter {
            ephemeral: true,
            ..p("once")
        };
        let values = Values {
            previous: map(&[("once", "1")]),
            ..Values::default()
        };
        assert_eq!(resolve(&[once], &values).unwrap(), map(&[("once", "d")]));
    }
}
