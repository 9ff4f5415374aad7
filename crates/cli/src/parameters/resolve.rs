//! Which value each parameter gets, and which question comes next. Pure: no
//! requests, no terminal.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Request;
use super::definition::Definition;
use crate::failure::Advice;

/// What is about to happen; it decides which parameters are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A new workspace: everything without a value is asked.
    Create,
    /// Another build of the same version: values stay.
    Start,
    /// A build of a newer version: what is new or no longer valid is asked.
    Update,
}

/// Decides by the sources of one request.
pub struct Resolver<'a> {
    request: &'a Request<'a>,
    last: BTreeMap<&'a str, &'a str>,
    source: BTreeMap<&'a str, &'a str>,
    preset: BTreeMap<&'a str, &'a str>,
}

impl<'a> Resolver<'a> {
    /// Takes the sources of `request`.
    pub fn new(request: &'a Request<'a>) -> Self {
        let map = |list: &'a [api_types::WorkspaceBuildParameter]| {
            list.iter()
                .map(|p| (p.name.as_str(), p.value.as_str()))
                .collect()
        };
        Self {
            request,
            last: map(request.last),
            source: map(request.source),
            preset: request
                .preset
                .map(|p| {
                    p.parameters
                        .iter()
                        .map(|p| (p.name.as_str(), p.value.as_str()))
                        .collect()
                })
                .unwrap_or_default(),
        }
    }

    /// Every value that is known before the form is, for a form that depends
    /// on values.
    pub fn inputs(&self, answers: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let given = self.request.given;
        let mut inputs = BTreeMap::new();
        let mut put = |name: &str, value: &str| {
            inputs.insert(name.to_owned(), value.to_owned());
        };
        for (name, value) in &self.last {
            if !given.always_prompt {
                put(name, value);
            }
        }
        for (name, value) in &self.source {
            put(name, value);
        }
        for (name, value) in given.values.iter().chain(&given.ephemeral) {
            put(name, value);
        }
        for (name, value) in &self.preset {
            put(name, value);
        }
        for (name, value) in answers {
            put(name, value);
        }
        inputs
    }

    /// The values that the sources give for the parameters of `form`. Values
    /// that a person gave must fit; old ones that do not are dropped.
    pub fn values(
        &self,
        form: &[Definition],
        answers: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>> {
        let given = self.request.given;
        for (name, value) in given.values.iter().chain(&given.ephemeral) {
            self.check_given(form, name, value)?;
        }
        let mut values = BTreeMap::new();
        for p in form {
            let name = p.name.as_str();
            let chosen = self
                .preset
                .get(name)
                .copied()
                .or_else(|| {
                    given
                        .values
                        .get(name)
                        .or_else(|| given.ephemeral.get(name))
                        .map(String::as_str)
                })
                .or_else(|| answers.get(name).map(String::as_str))
                .or_else(|| self.source.get(name).copied().filter(|_| !p.ephemeral))
                .or_else(|| self.kept(p));
            if let Some(value) = chosen {
                values.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(values)
    }

    /// The value of the last build, if it carries over.
    fn kept(&self, p: &Definition) -> Option<&'a str> {
        let carries = !self.request.given.always_prompt && p.mutable && !p.ephemeral;
        self.last
            .get(p.name.as_str())
            .copied()
            .filter(|v| carries && p.offers(v))
    }

    fn check_given(&self, form: &[Definition], name: &str, value: &str) -> Result<()> {
        let Some(p) = form.iter().find(|p| p.name == name) else {
            let names: Vec<&str> = form.iter().map(|p| p.name.as_str()).collect();
            return Err(Advice::error(
                format!("the template has no parameter {name:?}"),
                if names.is_empty() {
                    "It takes no parameters.".to_owned()
                } else {
                    format!("It has: {}.", names.join(", "))
                },
            ));
        };
        let given = self.request.given;
        if p.ephemeral && !given.prompt_ephemeral && !given.ephemeral.contains_key(name) {
            return Err(Advice::error(
                format!("parameter {name:?} is ephemeral: it holds for one build only"),
                "Give it by --ephemeral-parameter.",
            ));
        }
        let fixed = !p.mutable && self.request.action != Action::Create;
        if fixed && self.last.get(name).is_some_and(|last| *last != value) {
            anyhow::bail!(
                "parameter {name:?} is immutable: it keeps the value it had when the workspace was created"
            );
        }
        Ok(())
    }

    /// The first parameter that the person has to answer.
    pub fn next_question<'f>(
        &self,
        form: &'f [Definition],
        values: &BTreeMap<String, String>,
        answers: &BTreeMap<String, String>,
    ) -> Option<&'f Definition> {
        form.iter().find(|p| {
            !values.contains_key(&p.name) && !answers.contains_key(&p.name) && self.must_ask(p)
        })
    }

    fn must_ask(&self, p: &Definition) -> bool {
        let given = self.request.given;
        let new = !self.last.contains_key(p.name.as_str());
        if p.ephemeral {
            return given.prompt_ephemeral
                || (p.required() && self.request.action == Action::Create);
        }
        match self.request.action {
            Action::Create => true,
            _ if given.always_prompt && p.mutable => true,
            Action::Start => p.required() && new,
            Action::Update if p.mutable => p.required() || (!new && self.kept(p).is_none()),
            Action::Update => new,
        }
    }

    /// The default to take without asking, if that is wanted.
    pub fn default_for(&self, p: &Definition, interactive: bool) -> Option<String> {
        let silent = self.request.given.use_defaults || (self.request.yes && !interactive);
        silent.then(|| self.default(p)).flatten()
    }

    /// The answer to suggest.
    pub fn suggestion(&self, p: &Definition) -> Option<String> {
        self.last
            .get(p.name.as_str())
            .filter(|v| p.offers(v))
            .map(|v| (*v).to_owned())
            .or_else(|| self.default(p))
    }

    fn default(&self, p: &Definition) -> Option<String> {
        self.request
            .given
            .defaults
            .get(&p.name)
            .or(p.default.as_ref())
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use api_types::{Preset, PresetParameter, WorkspaceBuildParameter};

    use super::super::definition::tests::{choices, text};
    use super::super::flags::Given;
    use super::*;

    fn params(list: &[(&str, &str)]) -> Vec<WorkspaceBuildParameter> {
        list.iter()
            .map(|(n, v)| WorkspaceBuildParameter {
                name: (*n).into(),
                value: (*v).into(),
            })
            .collect()
    }

    struct Case {
        action: Action,
        given: Given,
        last: Vec<WorkspaceBuildParameter>,
        preset: Option<Preset>,
    }

    impl Case {
        fn new(action: Action) -> Self {
            Self {
                action,
                given: Given::default(),
                last: Vec::new(),
                preset: None,
            }
        }

        fn run(&self, form: &[Definition]) -> (Result<BTreeMap<String, String>>, Option<String>) {
            let request = Request {
                action: self.action,
                version: uuid::Uuid::nil(),
                owner: None,
                classic: true,
                given: &self.given,
                preset: self.preset.as_ref(),
                source: &[],
                last: &self.last,
                yes: false,
            };
            let resolver = Resolver::new(&request);
            let none = BTreeMap::new();
            let values = resolver.values(form, &none);
            let question = values.as_ref().ok().and_then(|v| {
                resolver
                    .next_question(form, v, &none)
                    .map(|q| q.name.clone())
            });
            (values, question)
        }
    }

    #[test]
    fn creation_asks_everything_without_a_value() {
        let mut case = Case::new(Action::Create);
        case.given.values.insert("a".into(), "1".into());
        let (values, question) = case.run(&[text("a", None), text("b", Some("x"))]);
        assert_eq!(values.unwrap()["a"], "1");
        assert_eq!(question.as_deref(), Some("b"));
    }

    #[test]
    fn a_start_keeps_values_and_flags_change_them() {
        let mut case = Case::new(Action::Start);
        case.last = params(&[("a", "old"), ("b", "old"), ("gone", "x")]);
        case.given.values.insert("a".into(), "new".into());
        let (values, question) = case.run(&[text("a", None), text("b", None)]);
        let values = values.unwrap();
        assert_eq!(
            (values["a"].as_str(), values["b"].as_str(), values.len()),
            ("new", "old", 2)
        );
        assert_eq!(question, None);
    }

    #[test]
    fn an_update_asks_what_is_new_or_no_longer_offered() {
        let mut case = Case::new(Action::Update);
        case.last = params(&[("size", "huge")]);
        let size = choices(text("size", Some("s")), &["s", "m"]);
        assert_eq!(case.run(&[size]).1.as_deref(), Some("size"));
        let mut fixed = text("region", Some("eu"));
        fixed.mutable = false;
        assert_eq!(case.run(&[fixed]).1.as_deref(), Some("region"));
        assert_eq!(case.run(&[text("note", Some(""))]).1, None);
    }

    #[test]
    fn presets_stand_above_flags() {
        let mut case = Case::new(Action::Create);
        case.given.values.insert("a".into(), "flag".into());
        case.preset = Some(Preset {
            parameters: vec![PresetParameter {
                name: "a".into(),
                value: "preset".into(),
            }],
            ..Preset::default()
        });
        assert_eq!(case.run(&[text("a", None)]).0.unwrap()["a"], "preset");
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        let mut case = Case::new(Action::Start);
        case.given.values.insert("nosuch".into(), "1".into());
        assert!(case.run(&[text("a", None)]).0.is_err());

        let mut fixed = text("region", None);
        fixed.mutable = false;
        let mut case = Case::new(Action::Start);
        case.last = params(&[("region", "eu")]);
        case.given.values.insert("region".into(), "us".into());
        assert!(
            case.run(&[fixed.clone()])
                .0
                .unwrap_err()
                .to_string()
                .contains("immutable")
        );
        case.given.values.insert("region".into(), "eu".into());
        assert!(case.run(&[fixed]).0.is_ok());

        let mut once = text("reset", Some("no"));
        once.ephemeral = true;
        let mut case = Case::new(Action::Start);
        case.given.values.insert("reset".into(), "yes".into());
        assert!(case.run(&[once.clone()]).0.is_err());
        case.given.values.clear();
        case.given.ephemeral.insert("reset".into(), "yes".into());
        assert_eq!(case.run(&[once]).0.unwrap()["reset"], "yes");
    }
}
