//! The rules of template parameters: which values a parameter takes. Used by the provider's data source, and open to
//! whoever has to judge values before a build.

mod form_type;
mod validation;

pub use form_type::{FormType, ParameterType};
pub use validation::{Monotonic, Validation};

use std::collections::BTreeSet;

use crate::diagnostics::Diagnostic;
use crate::text::go_bool;

/// A value that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterOption {
    /// What people see.
    pub name: String,
    /// What the template gets.
    pub value: String,
}

/// A parameter as a template declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Type of its value.
    pub ty: ParameterType,
    /// How it is asked for, where the template says so.
    pub form_type: Option<FormType>,
    /// The value it has without input; none makes it required.
    pub default: Option<String>,
    /// What can be chosen; empty where the value is free.
    pub options: Vec<ParameterOption>,
    /// Further conditions.
    pub validation: Option<Validation>,
}

/// What came out of judging a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The value: input, else default, else empty.
    pub value: String,
    /// How it is asked for.
    pub form_type: FormType,
}

/// Whose value is judged: errors about the default point at it.
#[derive(Clone, Copy)]
enum Source {
    Default,
    Input,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "Default value",
            Self::Input => "Value",
        }
    }

    fn locate(self, diagnostic: Diagnostic) -> Diagnostic {
        match self {
            Self::Default => diagnostic.at_attribute("default"),
            Self::Input => diagnostic,
        }
    }
}

impl Parameter {
    /// Judges the declaration and the value that it results in. `previous` is the value of the last build.
    ///
    /// # Errors
    /// What is wrong with the declaration or the value.
    pub fn resolve(
        &self,
        input: Option<&str>,
        previous: Option<&str>,
    ) -> Result<Resolved, Vec<Diagnostic>> {
        let form_type = self
            .ty
            .form_type(self.form_type, !self.options.is_empty())
            .map_err(|reason| {
                vec![
                    Diagnostic::error("Invalid form_type for parameter")
                        .detail(reason)
                        .at_attribute("form_type"),
                ]
            })?;
        let option_type = if form_type == FormType::MultiSelect {
            ParameterType::String
        } else {
            self.ty
        };
        let choices = self.check_options(option_type)?;

        // A required parameter without input is reported by whoever asks for it; templates must import without any.
        let given = input.or(self.default.as_deref());
        if given.is_none() && self.validation.is_none() {
            return Ok(Resolved {
                value: String::new(),
                form_type,
            });
        }
        let value = given.unwrap_or_default();
        let source = if input.is_none() && self.default.is_some() {
            Source::Default
        } else {
            Source::Input
        };
        let judge = || {
            if !choices.is_empty() {
                Self::check_choice(value, form_type, &choices, source)?;
            }
            if let Some(validation) = &self.validation {
                validation
                    .check(self.ty, value, previous)
                    .map_err(|reason| {
                        Diagnostic::error(format!(
                            "Invalid parameter {} according to 'validation' block",
                            source.name().to_lowercase()
                        ))
                        .detail(reason)
                    })?;
            }
            Ok(())
        };
        judge().map_err(|diagnostic: Diagnostic| vec![source.locate(diagnostic)])?;
        self.ty.check(value).map_err(|reason| {
            vec![
                Diagnostic::error(format!(
                    "Parameter value is not of type {:?}",
                    self.ty.as_str()
                ))
                .detail(reason),
            ]
        })?;
        Ok(Resolved {
            value: value.to_owned(),
            form_type,
        })
    }

    fn check_options(&self, ty: ParameterType) -> Result<BTreeSet<&str>, Vec<Diagnostic>> {
        let mut names = BTreeSet::new();
        let mut values = BTreeSet::new();
        let mut diagnostics = Vec::new();
        for option in &self.options {
            if !names.insert(option.name.as_str()) {
                return Err(vec![
                    Diagnostic::error("Option names must be unique.").detail(format!(
                        "multiple options found with the same name {:?}",
                        option.name
                    )),
                ]);
            }
            if !values.insert(option.value.as_str()) {
                return Err(vec![
                    Diagnostic::error("Option values must be unique.").detail(format!(
                        "multiple options found with the same value {:?}",
                        option.value
                    )),
                ]);
            }
            if let Err(reason) = ty.check(&option.value) {
                diagnostics.push(
                    Diagnostic::error(format!(
                        "Option {:?} with value={:?} is not of type {:?}",
                        option.name,
                        option.value,
                        ty.as_str()
                    ))
                    .detail(reason),
                );
            }
        }
        if diagnostics.is_empty() {
            Ok(values)
        } else {
            Err(diagnostics)
        }
    }

    fn check_choice(
        value: &str,
        form_type: FormType,
        choices: &BTreeSet<&str>,
        source: Source,
    ) -> Result<(), Diagnostic> {
        let name = source.name();
        if form_type == FormType::MultiSelect {
            let chosen = parse_list(value).map_err(|reason| {
                Diagnostic::error(
                    "When using list(string) type, value must be a json encoded list of strings",
                )
                .detail(reason)
            })?;
            let missing: Vec<&str> = chosen
                .iter()
                .map(String::as_str)
                .filter(|chosen| !choices.contains(chosen))
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            return Err(Diagnostic::error(format!("{name}s must be a valid option")).detail(format!(
                "{name} {value:?} is not a valid option, values {:?} are missing from the options",
                missing.join(", ")
            )));
        }
        if choices.contains(value) {
            return Ok(());
        }
        let hint = if value.is_empty() {
            ". The value is empty: give a default or enter a value"
        } else {
            ""
        };
        Err(
            Diagnostic::error(format!("{name} must be a valid option{hint}")).detail(format!(
                "the value {value:?} must be defined as one of options"
            )),
        )
    }
}

/// Reads the JSON form of a list of strings.
///
/// # Errors
/// A sentence that names the value.
pub fn parse_list(value: &str) -> Result<Vec<String>, String> {
    // Null elements count as empty strings and a null list as an empty one, as in every deployed template.
    serde_json::from_str::<Option<Vec<Option<String>>>>(value)
        .map(|list| {
            list.unwrap_or_default()
                .into_iter()
                .map(Option::unwrap_or_default)
                .collect()
        })
        .map_err(|_| format!("value {value:?} is not a valid list of strings"))
}

impl ParameterType {
    /// Whether a text is a value of this type.
    ///
    /// # Errors
    /// A sentence that names the value.
    pub fn check(self, value: &str) -> Result<(), String> {
        match self {
            Self::String => Ok(()),
            Self::Number if go_bool::is_float(value) => Ok(()),
            Self::Number => Err(format!("{value:?} is not a number")),
            Self::Bool if go_bool::parse_bool(value).is_some() => Ok(()),
            Self::Bool => Err(format!("{value:?} is not a bool")),
            Self::ListOfString => parse_list(value).map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(ty: ParameterType) -> Parameter {
        Parameter {
            ty,
            form_type: None,
            default: None,
            options: Vec::new(),
            validation: None,
        }
    }

    fn options(values: &[&str]) -> Vec<ParameterOption> {
        values
            .iter()
            .map(|value| ParameterOption {
                name: format!("<{value}>"),
                value: (*value).to_owned(),
            })
            .collect()
    }

    fn error(parameter: &Parameter, input: Option<&str>) -> String {
        let diagnostics = parameter.resolve(input, None).unwrap_err();
        format!("{}: {}", diagnostics[0].summary, diagnostics[0].detail)
    }

    #[test]
    fn the_value_is_the_input_else_the_default_else_empty() {
        let mut number = parameter(ParameterType::Number);
        assert_eq!(number.resolve(None, None).unwrap().value, "");
        number.default = Some("1.5".to_owned());
        assert_eq!(number.resolve(None, None).unwrap().value, "1.5");
        assert_eq!(number.resolve(Some("2"), None).unwrap().value, "2");
        assert!(error(&number, Some("")).contains("is not a number"));
        assert!(error(&number, Some("x")).contains("not of type \"number\""));
        let boolean = parameter(ParameterType::Bool);
        assert_eq!(boolean.resolve(Some("T"), None).unwrap().value, "T");
        assert!(error(&boolean, Some("yes")).contains("is not a bool"));
    }

    #[test]
    fn a_choice_must_be_an_option() {
        let mut choice = parameter(ParameterType::String);
        choice.options = options(&["a", "b"]);
        assert_eq!(
            choice.resolve(Some("a"), None).unwrap().form_type,
            FormType::Radio
        );
        assert!(error(&choice, Some("c")).contains("must be defined as one of options"));
        assert!(error(&choice, Some("")).contains("The value is empty"));
        assert_eq!(choice.resolve(None, None).unwrap().value, "");
        choice.default = Some("c".to_owned());
        let diagnostics = choice.resolve(None, None).unwrap_err();
        assert!(diagnostics[0].summary.starts_with("Default value"));
        assert_eq!(diagnostics[0].path.len(), 1);
    }

    #[test]
    fn each_element_of_a_multi_select_must_be_an_option() {
        let mut list = parameter(ParameterType::ListOfString);
        list.form_type = Some(FormType::MultiSelect);
        list.options = options(&["a", "b"]);
        assert_eq!(
            list.resolve(Some(r#"["a","b"]"#), None).unwrap().value,
            r#"["a","b"]"#
        );
        assert!(error(&list, Some(r#"["a","x"]"#)).contains("\"x\" are missing"));
        assert!(error(&list, Some("a")).contains("json encoded"));
        list.form_type = None;
        assert!(error(&list, Some("[]")).contains("is not of type \"list(string)\""));
        list.options = options(&["[\"a\"]"]);
        assert_eq!(
            list.resolve(Some("[\"a\"]"), None).unwrap().form_type,
            FormType::Radio
        );
    }

    #[test]
    fn options_are_unique_and_of_the_type() {
        let mut number = parameter(ParameterType::Number);
        number.options = options(&["1", "1"]);
        assert!(error(&number, Some("1")).contains("unique"));
        number.options = options(&["1", "x", "y"]);
        assert_eq!(number.resolve(Some("1"), None).unwrap_err().len(), 2);
    }

    #[test]
    fn without_a_value_a_validation_judges_the_empty_text() {
        let mut text = parameter(ParameterType::String);
        text.validation = Some(Validation {
            regex: "^a".into(),
            error: "no".into(),
            ..Validation::default()
        });
        assert!(error(&text, None).contains("(value \"\" does not match \"^a\")"));
    }
}
