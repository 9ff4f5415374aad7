//! Types of parameters, and the form fields that can ask for each.

/// Type of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterType {
    /// Any text.
    String,
    /// A decimal number.
    Number,
    /// A boolean.
    Bool,
    /// A list of strings, in JSON.
    ListOfString,
}

/// How a form asks for a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormType {
    /// One of several buttons.
    Radio,
    /// A slider between minimum and maximum.
    Slider,
    /// A line of text.
    Input,
    /// One of a folded list.
    Dropdown,
    /// A box to tick.
    Checkbox,
    /// A switch.
    Switch,
    /// Several of a list.
    MultiSelect,
    /// Free words.
    TagSelect,
    /// Lines of text.
    TextArea,
    /// None: the declaration is invalid. Previews use it; no template can ask for it with success.
    Error,
}

impl ParameterType {
    /// All types, as `type` spells them.
    pub const NAMES: &'static [&'static str] = &["string", "number", "bool", "list(string)"];

    /// Reads the spelling of `type`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "string" => Self::String,
            "number" => Self::Number,
            "bool" => Self::Bool,
            "list(string)" => Self::ListOfString,
            _ => return None,
        })
    }

    /// The spelling of `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::ListOfString => "list(string)",
        }
    }

    /// The form fields that can ask for this type; the first is the default.
    pub fn form_types(self, has_options: bool) -> &'static [FormType] {
        use FormType::{
            Checkbox, Dropdown, Input, MultiSelect, Radio, Slider, Switch, TagSelect, TextArea,
        };
        match (self, has_options) {
            (Self::ListOfString, true) => &[Radio, MultiSelect],
            (Self::String | Self::Number | Self::Bool, true) => &[Radio, Dropdown],
            (Self::String, false) => &[Input, TextArea],
            (Self::Number, false) => &[Input, Slider],
            (Self::Bool, false) => &[Checkbox, Switch],
            (Self::ListOfString, false) => &[TagSelect],
        }
    }

    /// The form field to use, given the one that the template asks for.
    ///
    /// # Errors
    /// A sentence that says which fields fit.
    pub fn form_type(
        self,
        wanted: Option<FormType>,
        has_options: bool,
    ) -> Result<FormType, String> {
        let allowed = self.form_types(has_options);
        let Some(wanted) = wanted else {
            return Ok(allowed[0]);
        };
        if allowed.contains(&wanted) {
            return Ok(wanted);
        }
        let condition = match (self.form_types(!has_options).contains(&wanted), has_options) {
            (true, true) => " when options exist",
            (true, false) => " when options do not exist",
            (false, _) => "",
        };
        let allowed: Vec<&str> = allowed.iter().map(|form_type| form_type.as_str()).collect();
        Err(format!(
            "\"form_type\" attribute={:?} is not supported for \"type\"={:?}{condition}, choose one of {}",
            wanted.as_str(),
            self.as_str(),
            allowed.join(", ")
        ))
    }
}

impl FormType {
    /// All form fields, as `form_type` spells them.
    pub const NAMES: &'static [&'static str] = &[
        "radio",
        "slider",
        "input",
        "dropdown",
        "checkbox",
        "switch",
        "multi-select",
        "tag-select",
        "textarea",
        "error",
    ];

    /// Reads the spelling of `form_type`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "radio" => Self::Radio,
            "slider" => Self::Slider,
            "input" => Self::Input,
            "dropdown" => Self::Dropdown,
            "checkbox" => Self::Checkbox,
            "switch" => Self::Switch,
            "multi-select" => Self::MultiSelect,
            "tag-select" => Self::TagSelect,
            "textarea" => Self::TextArea,
            "error" => Self::Error,
            _ => return None,
        })
    }

    /// The spelling of `form_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Radio => "radio",
            Self::Slider => "slider",
            Self::Input => "input",
            Self::Dropdown => "dropdown",
            Self::Checkbox => "checkbox",
            Self::Switch => "switch",
            Self::MultiSelect => "multi-select",
            Self::TagSelect => "tag-select",
            Self::TextArea => "textarea",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FormType, ParameterType};

    #[test]
    fn spellings_are_read_back() {
        for name in ParameterType::NAMES {
            assert_eq!(ParameterType::parse(name).unwrap().as_str(), *name);
        }
        for name in FormType::NAMES {
            assert_eq!(FormType::parse(name).unwrap().as_str(), *name);
        }
        assert_eq!(FormType::parse(""), None);
        assert_eq!(ParameterType::parse("list"), None);
    }

    #[test]
    fn a_field_that_does_not_fit_is_refused_with_those_that_do() {
        let error = ParameterType::Number
            .form_type(Some(FormType::Slider), true)
            .unwrap_err();
        assert!(
            error.contains("when options exist") && error.contains("radio, dropdown"),
            "{error}"
        );
        let error = ParameterType::Bool
            .form_type(Some(FormType::Radio), false)
            .unwrap_err();
        assert!(error.contains("when options do not exist"), "{error}");
        let error = ParameterType::String
            .form_type(Some(FormType::Error), false)
            .unwrap_err();
        assert!(!error.contains("when"), "{error}");
        assert_eq!(
            ParameterType::ListOfString.form_type(None, false),
            Ok(FormType::TagSelect)
        );
    }
}
