//! The `validation` block of a parameter.

use super::{ParameterType, parse_list};
use crate::text::go_regex;

/// In which direction a number may change from build to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Monotonic {
    /// Never down.
    Increasing,
    /// Never up.
    Decreasing,
    /// What the template says is neither; judged when a value is.
    Invalid(String),
}

/// Conditions on a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validation {
    /// Smallest number.
    pub min: Option<i64>,
    /// Largest number.
    pub max: Option<i64>,
    /// Direction of change.
    pub monotonic: Option<Monotonic>,
    /// An expression of Go's syntax that a text must match; empty for none.
    pub regex: String,
    /// What to say when the conditions are not met; empty for words of our own. `{min}`, `{max}` and `{value}` stand
    /// for the numbers.
    pub error: String,
}

impl Monotonic {
    /// Reads the spelling of `monotonic`; empty is none.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" => None,
            "increasing" => Some(Self::Increasing),
            "decreasing" => Some(Self::Decreasing),
            other => Some(Self::Invalid(other.to_owned())),
        }
    }
}

impl Validation {
    /// Checks a value, and that the conditions fit its type.
    ///
    /// # Errors
    /// A sentence, the template's own where it gives one.
    pub fn check(
        &self,
        ty: ParameterType,
        value: &str,
        previous: Option<&str>,
    ) -> Result<(), String> {
        if ty != ParameterType::Number {
            let ty = ty.as_str();
            if self.min.is_some() {
                return Err(format!("a min cannot be specified for a {ty} type"));
            }
            if self.max.is_some() {
                return Err(format!("a max cannot be specified for a {ty} type"));
            }
            if self.monotonic.is_some() {
                return Err(format!(
                    "monotonic validation can only be specified for number types, not {ty} types"
                ));
            }
        }
        if ty != ParameterType::String && !self.regex.is_empty() {
            return Err(format!(
                "a regex cannot be specified for a {} type",
                ty.as_str()
            ));
        }
        match ty {
            ParameterType::String => self.check_text(value),
            ParameterType::Number => self.check_number(value, previous),
            ParameterType::Bool if value == "true" || value == "false" => Ok(()),
            ParameterType::Bool => {
                Err("boolean value can be either \"true\" or \"false\"".to_owned())
            }
            ParameterType::ListOfString => parse_list(value).map(drop),
        }
    }

    fn check_text(&self, value: &str) -> Result<(), String> {
        if self.regex.is_empty() {
            return Ok(());
        }
        let regex = go_regex::compile(&self.regex)
            .map_err(|e| format!("compile regex {:?}: {e}", self.regex))?;
        if self.error.is_empty() {
            return Err("an error must be specified with a regex validation".to_owned());
        }
        if regex.is_match(value) {
            return Ok(());
        }
        Err(format!(
            "{} (value {value:?} does not match {:?})",
            self.error, self.regex
        ))
    }

    fn check_number(&self, value: &str, previous: Option<&str>) -> Result<(), String> {
        let number: i64 = value
            .parse()
            .map_err(|_| self.words(value, || format!("value {value:?} is not a whole number")))?;
        if let Some(min) = self.min.filter(|min| number < *min) {
            return Err(self.words(value, || {
                format!("value {number} is less than the minimum {min}")
            }));
        }
        if let Some(max) = self.max.filter(|max| number > *max) {
            return Err(self.words(value, || {
                format!("value {number} is more than the maximum {max}")
            }));
        }
        // A previous value that is no number is passed over: nobody could ever correct it.
        let previous: Option<i64> = previous.and_then(|previous| previous.parse().ok());
        match (&self.monotonic, previous) {
            (Some(Monotonic::Invalid(_)), _) => {
                Err("number monotonicity can be either \"increasing\" or \"decreasing\"".to_owned())
            }
            (Some(Monotonic::Increasing), Some(previous)) if number < previous => Err(format!(
                "parameter value '{number}' must be equal or greater than previous value: {previous}"
            )),
            (Some(Monotonic::Decreasing), Some(previous)) if number > previous => Err(format!(
                "parameter value '{number}' must be equal or lower than previous value: {previous}"
            )),
            _ => Ok(()),
        }
    }

    /// The template's words, else ours. Bounds that are not set read as 0.
    fn words(&self, value: &str, ours: impl FnOnce() -> String) -> String {
        if self.error.is_empty() {
            return ours();
        }
        let number = |bound: Option<i64>| bound.unwrap_or_default().to_string();
        let mut words = String::new();
        let mut rest = self.error.as_str();
        while let Some(brace) = rest.find('{') {
            words.push_str(&rest[..brace]);
            rest = &rest[brace..];
            let (text, length) = [
                ("{min}", number(self.min)),
                ("{max}", number(self.max)),
                ("{value}", value.into()),
            ]
            .into_iter()
            .find(|(placeholder, _)| rest.starts_with(placeholder))
            .map_or_else(
                || ("{".to_owned(), 1),
                |(placeholder, text)| (text, placeholder.len()),
            );
            words.push_str(&text);
            rest = &rest[length..];
        }
        words + rest
    }
}

#[cfg(test)]
mod tests {
    use super::{Monotonic, Validation};
    use crate::parameter::ParameterType::{Bool, ListOfString, Number, String as Text};

    fn bounds(min: i64, max: i64) -> Validation {
        Validation {
            min: Some(min),
            max: Some(max),
            ..Validation::default()
        }
    }

    #[test]
    fn numbers_keep_to_their_bounds() {
        let v = bounds(1, 10);
        assert_eq!(v.check(Number, "10", None), Ok(()));
        assert!(
            v.check(Number, "11", None)
                .unwrap_err()
                .contains("more than the maximum 10")
        );
        assert!(
            v.check(Number, "0", None)
                .unwrap_err()
                .contains("less than the minimum 1")
        );
        assert!(
            v.check(Number, "1.5", None)
                .unwrap_err()
                .contains("not a whole number")
        );
        assert!(v.check(Number, "99999999999999999999", None).is_err());
    }

    #[test]
    fn the_templates_words_are_used_with_their_placeholders() {
        let v = Validation {
            error: "{min}<={value}<={max} {x".into(),
            ..bounds(1, 10)
        };
        assert_eq!(v.check(Number, "11", None).unwrap_err(), "1<=11<=10 {x");
        // A value is text, not a pattern.
        assert_eq!(
            v.check(Number, "{min}", None).unwrap_err(),
            "1<={min}<=10 {x"
        );
    }

    #[test]
    fn monotonic_compares_with_the_previous_number() {
        let v = Validation {
            monotonic: Monotonic::parse("increasing"),
            ..Validation::default()
        };
        assert_eq!(v.check(Number, "2", Some("2")), Ok(()));
        assert!(v.check(Number, "1", Some("2")).is_err());
        assert_eq!(v.check(Number, "1", Some("x")), Ok(()));
        assert_eq!(v.check(Number, "1", None), Ok(()));
        let v = Validation {
            monotonic: Monotonic::parse("decreasing"),
            ..Validation::default()
        };
        assert!(v.check(Number, "3", Some("2")).is_err());
        let v = Validation {
            monotonic: Monotonic::parse("sideways"),
            ..Validation::default()
        };
        assert!(v.check(Number, "3", None).is_err());
    }

    #[test]
    fn conditions_must_fit_the_type() {
        for ty in [Text, Bool, ListOfString] {
            assert!(
                bounds(1, 2)
                    .check(ty, "true", None)
                    .unwrap_err()
                    .contains("a min cannot")
            );
            let v = Validation {
                monotonic: Some(Monotonic::Increasing),
                ..Validation::default()
            };
            assert!(v.check(ty, "true", None).unwrap_err().contains("monotonic"));
        }
        let v = Validation {
            regex: "a".into(),
            error: "e".into(),
            ..Validation::default()
        };
        assert!(
            v.check(Bool, "true", None)
                .unwrap_err()
                .contains("a regex cannot")
        );
        assert!(Validation::default().check(Bool, "T", None).is_err());
        assert_eq!(
            Validation::default().check(ListOfString, "[\"a\"]", None),
            Ok(())
        );
        assert!(
            Validation::default()
                .check(ListOfString, "a", None)
                .is_err()
        );
    }

    #[test]
    fn a_regex_needs_an_error_and_tells_what_did_not_match() {
        let mut v = Validation {
            regex: "^a+$".into(),
            ..Validation::default()
        };
        assert!(
            v.check(Text, "aa", None)
                .unwrap_err()
                .contains("an error must be specified")
        );
        v.error = "only a".into();
        assert_eq!(v.check(Text, "aa", None), Ok(()));
        assert_eq!(
            v.check(Text, "b", None).unwrap_err(),
            "only a (value \"b\" does not match \"^a+$\")"
        );
        v.regex = "(".into();
        assert!(
            v.check(Text, "b", None)
                .unwrap_err()
                .contains("compile regex")
        );
    }
}
