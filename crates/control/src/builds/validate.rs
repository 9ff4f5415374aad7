//! Whether a value may be given to a parameter: its type, its options, its bounds. Pure.

use api_types::{TemplateVersionParameter as Parameter, ValidationMonotonicOrder as Monotonic};

/// Longest value of a parameter.
pub(crate) const MAX_VALUE: usize = 1 << 20;

/// Refuses a value in words for people. `previous` is the value of the build before.
pub(super) fn validate(p: &Parameter, value: &str, previous: Option<&str>) -> Result<(), String> {
    if !p.options.is_empty() {
        return by_options(p, value);
    }
    match p.r#type.as_str() {
        "number" => number(p, value, previous),
        "bool" => match value {
            "true" | "false" => Ok(()),
            _ => Err(format!("{value:?} is not a boolean: write true or false")),
        },
        "list(string)" => list(value).map(drop),
        _ => string(p, value),
    }
}

fn by_options(p: &Parameter, value: &str) -> Result<(), String> {
    let allowed: Vec<&str> = p.options.iter().map(|o| o.value.as_str()).collect();
    let unknown = |v: &str| format!("{v:?} is not one of the options: {}", allowed.join(", "));
    if p.r#type == "list(string)" && p.form_type == "multi-select" {
        return match list(value)?.iter().find(|v| !allowed.contains(&v.as_str())) {
            Some(v) => Err(unknown(v)),
            None => Ok(()),
        };
    }
    if allowed.contains(&value) {
        Ok(())
    } else {
        Err(unknown(value))
    }
}

fn list(value: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(value).map_err(|_| {
        format!("{value:?} is not a list of strings: write JSON such as [\"a\", \"b\"]")
    })
}

fn number(p: &Parameter, value: &str, previous: Option<&str>) -> Result<(), String> {
    let number = parse(value).ok_or_else(|| format!("{value:?} is not a number"))?;
    let bounded = p.validation_min.is_some() || p.validation_max.is_some();
    if bounded && number.fract() != 0.0 {
        return Err(format!("{value:?} is not a whole number"));
    }
    let below = p.validation_min.is_some_and(|min| number < f64::from(min));
    let above = p.validation_max.is_some_and(|max| number > f64::from(max));
    if below || above {
        return Err(bounds(p, value));
    }
    match (&p.validation_monotonic, previous.and_then(parse)) {
        (Monotonic::Increasing, Some(before)) if number < before => Err(format!(
            "the value must not become smaller: it was {before}"
        )),
        (Monotonic::Decreasing, Some(before)) if number > before => {
            Err(format!("the value must not become larger: it was {before}"))
        }
        _ => Ok(()),
    }
}

fn parse(value: &str) -> Option<f64> {
    value.parse::<f64>().ok().filter(|n| n.is_finite())
}

fn bounds(p: &Parameter, value: &str) -> String {
    let show = |bound: Option<i32>| bound.map(|b| b.to_string()).unwrap_or_default();
    if p.validation_error.is_empty() {
        return match (p.validation_min, p.validation_max) {
            (Some(min), Some(max)) => format!("{value} is not between {min} and {max}"),
            (Some(min), None) => format!("{value} is less than the minimum {min}"),
            (_, max) => format!("{value} is more than the maximum {}", show(max)),
        };
    }
    p.validation_error
        .replace("{min}", &show(p.validation_min))
        .replace("{max}", &show(p.validation_max))
        .replace("{value}", value)
}

fn string(p: &Parameter, value: &str) -> Result<(), String> {
    if p.validation_regex.is_empty() {
        return Ok(());
    }
    let regex = regex::RegexBuilder::new(&p.validation_regex)
        .size_limit(1 << 20)
        .build()
        .map_err(|e| format!("the template's pattern cannot be used: {e}"))?;
    if regex.is_match(value) {
        return Ok(());
    }
    let error = p.validation_error.replace("{value}", value);
    Err(format!(
        "{error} (value {value:?} does not match {:?})",
        p.validation_regex
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::TemplateVersionParameterOption as Choice;

    fn of(kind: &str) -> Parameter {
        Parameter {
            name: "p".into(),
            r#type: kind.into(),
            ..Default::default()
        }
    }

    fn ok(p: &Parameter, value: &str) -> bool {
        validate(p, value, None).is_ok()
    }

    #[test]
    fn types() {
        assert!(ok(&of("string"), "anything") && ok(&of("string"), ""));
        assert!(ok(&of("number"), "1.5") && !ok(&of("number"), "x") && !ok(&of("number"), "NaN"));
        assert!(ok(&of("bool"), "true") && !ok(&of("bool"), "yes"));
        assert!(ok(&of("list(string)"), "[\"a\"]") && !ok(&of("list(string)"), "a"));
    }

    #[test]
    fn bounds_and_their_words() {
        let mut p = of("number");
        p.validation_min = Some(1);
        p.validation_max = Some(5);
        assert!(ok(&p, "1") && ok(&p, "5") && !ok(&p, "0") && !ok(&p, "6") && !ok(&p, "1.5"));
        p.validation_error = "{value} not in {min}-{max}".into();
        assert_eq!(validate(&p, "9", None).unwrap_err(), "9 not in 1-5");
    }

    #[test]
    fn monotonic_looks_at_the_build_before() {
        let mut p = of("number");
        p.validation_monotonic = Monotonic::Increasing;
        assert!(validate(&p, "3", Some("2")).is_ok());
        assert!(validate(&p, "1", Some("2")).is_err());
        assert!(validate(&p, "1", Some("not a number")).is_ok());
    }

    #[test]
    fn options_and_patterns() {
        let mut p = of("string");
        p.options = vec![Choice {
            value: "a".into(),
            ..Default::default()
        }];
        assert!(ok(&p, "a") && !ok(&p, "b"));
        let mut multi = of("list(string)");
        multi.form_type = "multi-select".into();
        multi.options.clone_from(&p.options);
        assert!(ok(&multi, "[\"a\"]") && ok(&multi, "[]") && !ok(&multi, "[\"b\"]"));
        let mut r = of("string");
        r.validation_regex = "^x+$".into();
        assert!(ok(&r, "xx") && !ok(&r, "y"));
        r.validation_regex = "(".into();
        assert!(!ok(&r, "x"));
    }
}
