//! Which values a build's parameters get, from the request, a preset, the build before and
//! the template. Pure.

use std::collections::BTreeMap;

use api_types::{
    Preset, TemplateVersionParameter as Parameter, ValidationError,
    WorkspaceBuildParameter as Value,
};
use uuid::Uuid;

use super::validate::{MAX_VALUE, validate};
use crate::{Error, Result};

/// Most values that a request may give.
const MAX_VALUES: usize = 1000;

/// Where values come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources<'a> {
    /// Of the build before.
    pub last: &'a [Value],
    /// Of the request.
    pub requested: &'a [Value],
    /// Of the preset that the request names: these win.
    pub preset: Option<&'a Preset>,
    /// No build has been before.
    pub first_build: bool,
}

/// Refuses values that no template could take.
pub(crate) fn check_values(values: &[Value]) -> Result<()> {
    if values.len() > MAX_VALUES {
        return Err(Error::invalid(format!(
            "More than {MAX_VALUES} parameters."
        )));
    }
    let mut seen = std::collections::BTreeSet::new();
    for value in values {
        let problem = if value.name.contains('\0') || value.value.contains('\0') {
            "Names and values must not contain NUL characters."
        } else if value.value.len() > MAX_VALUE || value.name.len() > MAX_VALUE {
            "The name or value is too long."
        } else if !seen.insert(&value.name) {
            "The parameter is given twice."
        } else {
            continue;
        };
        return Err(Error::field("rich_parameter_values", problem));
    }
    Ok(())
}

/// The values of a start: every parameter gets one that it accepts, or the build is refused
/// with all that is wrong. Names that the template does not know are left out.
pub(crate) fn resolve(parameters: &[Parameter], from: &Sources<'_>) -> Result<Vec<Value>> {
    let last = by_name(from.last);
    let requested = by_name(from.requested);
    let preset = preset_values(from.preset);
    let mut values = Vec::with_capacity(parameters.len());
    let mut wrong = Vec::new();
    for p in parameters {
        let before = last.get(p.name.as_str()).copied();
        let asked = preset
            .get(p.name.as_str())
            .or_else(|| requested.get(p.name.as_str()))
            .copied();
        match one(p, asked, before, from.first_build) {
            Ok(value) => values.push(Value {
                name: p.name.clone(),
                value,
            }),
            Err(detail) => wrong.push(ValidationError {
                field: p.name.clone(),
                detail,
            }),
        }
    }
    if wrong.is_empty() {
        return Ok(values);
    }
    wrong.sort_by(|a, b| a.field.cmp(&b.field));
    let mut error = Error::invalid("Unable to validate parameters");
    error.validations = wrong;
    Err(error)
}

fn one(
    p: &Parameter,
    asked: Option<&str>,
    before: Option<&str>,
    first_build: bool,
) -> Result<String, String> {
    let kept = before.filter(|_| !p.ephemeral);
    if let (Some(asked), Some(before)) = (asked, before)
        && !p.mutable
        && !first_build
        && asked != before
    {
        return Err(format!(
            "the parameter cannot be changed once set: it is {before:?}"
        ));
    }
    let value = match asked.or(kept) {
        Some(value) => value,
        None if p.required => {
            return Err("the parameter is required: give it a value".to_owned());
        }
        None => return Ok(p.default_value.clone()),
    };
    validate(p, value, before)?;
    Ok(value.to_owned())
}

/// The values of a stop or deletion: those of the build before under those asked for. Nothing
/// is refused, or a broken template could never be got rid of.
pub(crate) fn carry(parameters: &[Parameter], from: &Sources<'_>) -> Vec<Value> {
    let last = by_name(from.last);
    let asked = by_name(from.requested);
    let known = |name: &str| parameters.iter().find(|p| p.name == name);
    let mut values: BTreeMap<&str, &str> = last;
    values.retain(|name, _| known(name).is_none_or(|p| !p.ephemeral));
    values.extend(asked.into_iter().filter(|(name, _)| known(name).is_some()));
    values
        .into_iter()
        .map(|(name, value)| Value {
            name: name.to_owned(),
            value: value.to_owned(),
        })
        .collect()
}

/// The preset that a build's values amount to: the one with the most values of those whose
/// values it all has.
pub(crate) fn matching_preset(presets: &[Preset], values: &[Value]) -> Option<Uuid> {
    let values = by_name(values);
    let has_all = |preset: &&Preset| {
        !preset.parameters.is_empty()
            && preset
                .parameters
                .iter()
                .all(|p| values.get(p.name.as_str()) == Some(&p.value.as_str()))
    };
    presets
        .iter()
        .filter(has_all)
        .max_by_key(|p| p.parameters.len())
        .map(|p| p.id)
}

/// Whether a version needs input that an automatic start cannot give.
pub(crate) fn needs_input(parameters: &[Parameter], last: &[Value]) -> bool {
    let from = Sources {
        last,
        ..Sources::default()
    };
    resolve(parameters, &from).is_err()
}

fn by_name(values: &[Value]) -> BTreeMap<&str, &str> {
    values
        .iter()
        .map(|v| (v.name.as_str(), v.value.as_str()))
        .collect()
}

fn preset_values(preset: Option<&Preset>) -> BTreeMap<&str, &str> {
    let all = preset.into_iter().flat_map(|p| &p.parameters);
    all.map(|p| (p.name.as_str(), p.value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::PresetParameter;

    fn p(name: &str) -> Parameter {
        Parameter {
            name: name.into(),
            r#type: "string".into(),
            mutable: true,
            default_value: "d".into(),
            ..Default::default()
        }
    }

    fn v(name: &str, value: &str) -> Value {
        Value {
            name: name.into(),
            value: value.into(),
        }
    }

    fn preset(id: u128, values: &[(&str, &str)]) -> Preset {
        let parameters = values
            .iter()
            .map(|(n, v)| PresetParameter {
                name: (*n).into(),
                value: (*v).into(),
            })
            .collect();
        Preset {
            id: Uuid::from_u128(id),
            parameters,
            ..Default::default()
        }
    }

    #[test]
    fn preset_beats_request_beats_last_beats_default() {
        let ps = [p("a"), p("b"), p("c"), p("e")];
        let last = [v("a", "1"), v("b", "1"), v("c", "1"), v("gone", "1")];
        let requested = [v("a", "2"), v("b", "2"), v("unknown", "2")];
        let preset = preset(1, &[("a", "3")]);
        let from = Sources {
            last: &last,
            requested: &requested,
            preset: Some(&preset),
            first_build: false,
        };
        let got = resolve(&ps, &from).unwrap();
        assert_eq!(got, [v("a", "3"), v("b", "2"), v("c", "1"), v("e", "d")]);
    }

    #[test]
    fn required_and_immutable_are_told_together() {
        let ps = [
            Parameter {
                required: true,
                ..p("z")
            },
            Parameter {
                mutable: false,
                ..p("a")
            },
        ];
        let (last, requested) = ([v("a", "1")], [v("a", "2")]);
        let from = Sources {
            last: &last,
            requested: &requested,
            ..Default::default()
        };
        let error = resolve(&ps, &from).unwrap_err();
        let fields: Vec<_> = error.validations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["a", "z"]);
        // A newly added immutable parameter may be set once.
        assert!(
            resolve(
                &ps[1..],
                &Sources {
                    requested: &requested,
                    ..Default::default()
                }
            )
            .is_ok()
        );
    }

    #[test]
    fn ephemeral_values_do_not_last() {
        let ps = [Parameter {
            ephemeral: true,
            ..p("a")
        }];
        let last = [v("a", "1")];
        let from = Sources {
            last: &last,
            ..Default::default()
        };
        assert_eq!(resolve(&ps, &from).unwrap(), [v("a", "d")]);
        assert_eq!(carry(&ps, &from), []);
    }

    #[test]
    fn a_stop_never_asks() {
        let ps = [Parameter {
            required: true,
            ..p("a")
        }];
        assert_eq!(carry(&ps, &Sources::default()), []);
        let last = [v("old", "1")];
        let from = Sources {
            last: &last,
            ..Default::default()
        };
        assert_eq!(carry(&ps, &from), [v("old", "1")]);
    }

    #[test]
    fn the_largest_matching_preset_is_found() {
        let presets = [
            preset(1, &[("a", "1")]),
            preset(2, &[("a", "1"), ("b", "2")]),
            preset(3, &[("a", "1"), ("b", "9")]),
            preset(4, &[]),
        ];
        let got = matching_preset(&presets, &[v("a", "1"), v("b", "2")]);
        assert_eq!(got, Some(Uuid::from_u128(2)));
        assert_eq!(matching_preset(&presets, &[v("a", "7")]), None);
    }

    #[test]
    fn hostile_values_are_refused() {
        assert!(check_values(&[v("a", "x\0")]).is_err());
        assert!(check_values(&[v("a", "1"), v("a", "2")]).is_err());
        assert!(check_values(&vec![v("a", "1"); MAX_VALUES + 1]).is_err());
        assert!(check_values(&[v("a", "🦀")]).is_ok());
    }
}
