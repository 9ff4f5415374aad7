//! One parameter of a template, whichever way the server described it.

use api_types::{PreviewParameter, TemplateVersionParameter};

/// What may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Shown.
    pub name: String,
    /// Explains.
    pub description: String,
    /// Sent.
    pub value: String,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Key.
    pub name: String,
    /// Shown in place of the key.
    pub display_name: String,
    /// Explains.
    pub description: String,
    /// `string`, `number`, `bool` or `list(string)`.
    pub kind: String,
    /// Its only values, if any.
    pub choices: Vec<Choice>,
    /// Value when none is given.
    pub default: Option<String>,
    /// May change after the workspace has been created.
    pub mutable: bool,
    /// Holds for one build only.
    pub ephemeral: bool,
    /// Must not be shown while typed.
    pub masked: bool,
    /// Smallest and largest number.
    pub range: (Option<i64>, Option<i64>),
    /// Says what a valid value is.
    pub error: String,
}

impl Definition {
    /// Name for people.
    pub fn title(&self) -> &str {
        if self.display_name.is_empty() {
            &self.name
        } else {
            &self.display_name
        }
    }

    /// Whether a value must be given.
    pub fn required(&self) -> bool {
        self.default.is_none()
    }

    /// Whether `value` is among the choices (each element, for lists).
    pub fn offers(&self, value: &str) -> bool {
        let known = |v: &str| self.choices.iter().any(|c| c.value == v);
        if self.choices.is_empty() || known(value) {
            return true;
        }
        self.kind == "list(string)"
            && serde_json::from_str::<Vec<String>>(value)
                .is_ok_and(|list| list.iter().all(|v| known(v)))
    }

    /// Why `value` cannot be right; the server has the last word.
    pub fn check(&self, value: &str) -> anyhow::Result<()> {
        let problem = match self.kind.as_str() {
            "bool" if !matches!(value, "true" | "false") => Some("answer true or false".to_owned()),
            "number" => match value.parse::<f64>() {
                Err(_) => Some("that is not a number".to_owned()),
                Ok(n) if self.range.0.is_some_and(|min| n < min as f64) => {
                    Some(format!("at least {}", self.range.0.unwrap_or_default()))
                }
                Ok(n) if self.range.1.is_some_and(|max| n > max as f64) => {
                    Some(format!("at most {}", self.range.1.unwrap_or_default()))
                }
                Ok(_) => None,
            },
            "list(string)" if serde_json::from_str::<Vec<String>>(value).is_err() => {
                Some("give a JSON list of texts, such as [\"a\",\"b\"]".to_owned())
            }
            _ if value.is_empty() && self.required() => Some("a value is required".to_owned()),
            _ => None,
        };
        match problem {
            Some(_) if !self.error.is_empty() => anyhow::bail!("{}", self.error),
            Some(problem) => anyhow::bail!("{problem}"),
            None => Ok(()),
        }
    }
}

impl From<TemplateVersionParameter> for Definition {
    fn from(p: TemplateVersionParameter) -> Self {
        Self {
            default: (!p.required).then_some(p.default_value),
            description: if p.description_plaintext.is_empty() {
                p.description
            } else {
                p.description_plaintext
            },
            choices: p
                .options
                .into_iter()
                .map(|o| Choice {
                    name: o.name,
                    description: o.description,
                    value: o.value,
                })
                .collect(),
            range: (
                p.validation_min.map(i64::from),
                p.validation_max.map(i64::from),
            ),
            name: p.name,
            display_name: p.display_name,
            kind: p.r#type,
            mutable: p.mutable,
            ephemeral: p.ephemeral,
            masked: false,
            error: p.validation_error,
        }
    }
}

impl From<PreviewParameter> for Definition {
    fn from(p: PreviewParameter) -> Self {
        let validation = p.validations.first();
        Self {
            default: (!p.required).then_some(if p.default_value.valid {
                p.default_value.value
            } else {
                String::new()
            }),
            choices: p
                .options
                .into_iter()
                .map(|o| Choice {
                    name: o.name,
                    description: o.description,
                    value: o.value.value,
                })
                .collect(),
            range: validation.map_or((None, None), |v| (v.validation_min, v.validation_max)),
            error: validation
                .map(|v| v.validation_error.clone())
                .unwrap_or_default(),
            masked: p.styling.mask_input.unwrap_or(false),
            name: p.name,
            display_name: p.display_name,
            description: p.description,
            kind: p.r#type.to_string(),
            mutable: p.mutable,
            ephemeral: p.ephemeral,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A mutable text parameter.
    pub fn text(name: &str, default: Option<&str>) -> Definition {
        Definition {
            name: name.into(),
            display_name: String::new(),
            description: String::new(),
            kind: "string".into(),
            choices: Vec::new(),
            default: default.map(Into::into),
            mutable: true,
            ephemeral: false,
            masked: false,
            range: (None, None),
            error: String::new(),
        }
    }

    /// Gives `definition` these choices.
    pub fn choices(mut definition: Definition, values: &[&str]) -> Definition {
        definition.choices = values
            .iter()
            .map(|v| Choice {
                name: v.to_uppercase(),
                description: String::new(),
                value: (*v).into(),
            })
            .collect();
        definition
    }

    #[test]
    fn lists_are_checked_element_by_element() {
        let mut p = choices(text("ides", None), &["vim", "emacs"]);
        p.kind = "list(string)".into();
        assert!(p.offers("[\"vim\",\"emacs\"]") && !p.offers("[\"nano\"]") && !p.offers("vim,"));
    }

    #[test]
    fn values_are_checked_by_kind() {
        let mut p = text("n", Some("1"));
        p.kind = "number".into();
        p.range = (Some(1), Some(8));
        assert!(p.check("4").is_ok());
        assert!(p.check("0").is_err() && p.check("9").is_err() && p.check("four").is_err());
        p.kind = "bool".into();
        assert!(p.check("true").is_ok() && p.check("yes").is_err());
        p.kind = "list(string)".into();
        assert!(p.check("[]").is_ok() && p.check("a").is_err());
        assert!(text("t", None).check("").is_err() && text("t", Some("")).check("").is_ok());
    }
}
