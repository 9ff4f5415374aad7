//! Brings flags, environment, file and defaults together.

use std::{collections::BTreeMap, time::Duration};

use super::{Kind, OptionError, Spec, Support, parse_duration, table, value, yaml};

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The table.
    Default,
    /// The YAML file.
    Yaml,
    /// An environment variable.
    Environment,
    /// A flag.
    Flag,
}

impl Source {
    /// How the API names it.
    pub fn name(self) -> &'static str {
        match self {
            Source::Default => "default",
            Source::Yaml => "yaml",
            Source::Environment => "env",
            Source::Flag => "flag",
        }
    }
}

/// What was given from outside. Each function gives the raw value of an option.
pub struct Sources<'a> {
    /// Values of a flag; several for a repeated list flag.
    pub flag: &'a dyn Fn(&str) -> Option<Vec<String>>,
    /// An environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Path and text of the YAML file.
    pub file: Option<(&'a str, &'a str)>,
}

#[derive(Debug, Clone)]
struct Entry {
    text: String,
    source: Source,
}

/// All options with their values. Names are flags; asking for one that is not
/// in the table is a mistake in this program and gives the empty value.
#[derive(Debug, Clone)]
pub struct Options {
    entries: BTreeMap<&'static str, Entry>,
}

impl Options {
    /// Resolves every option of the table.
    ///
    /// # Errors
    /// The first value that has not the right form or is not honoured.
    pub fn resolve(sources: &Sources<'_>) -> Result<Self, OptionError> {
        let file = match sources.file {
            Some((path, text)) => yaml::read(path, text)?,
            None => BTreeMap::new(),
        };
        let mut entries = BTreeMap::new();
        for spec in table() {
            let (raw, source, origin) = pick(spec, sources, &file);
            let text = value::check(spec.kind, &raw).map_err(|problem| OptionError::Value {
                flag: spec.flag,
                origin: origin.clone(),
                problem,
            })?;
            if source != Source::Default && !honoured(spec, &text) {
                return Err(OptionError::NotHonoured {
                    flag: spec.flag,
                    origin,
                });
            }
            entries.insert(spec.flag, Entry { text, source });
        }
        Ok(Options { entries })
    }

    /// The defaults.
    pub fn defaults() -> Self {
        let entries = table()
            .iter()
            .map(|spec| {
                let text = spec.default.to_owned();
                (
                    spec.flag,
                    Entry {
                        text,
                        source: Source::Default,
                    },
                )
            })
            .collect();
        Options { entries }
    }

    /// The value as text.
    pub fn text(&self, flag: &str) -> &str {
        debug_assert!(self.entries.contains_key(flag), "no option {flag}");
        self.entries.get(flag).map_or("", |entry| &entry.text)
    }

    /// Whether a boolean option is on.
    pub fn on(&self, flag: &str) -> bool {
        self.text(flag) == "true"
    }

    /// A duration.
    pub fn duration(&self, flag: &str) -> Duration {
        parse_duration(self.text(flag)).unwrap_or_default()
    }

    /// A whole number.
    pub fn int(&self, flag: &str) -> i64 {
        self.text(flag).parse().unwrap_or_default()
    }

    /// The parts of a list, without empty ones.
    pub fn list(&self, flag: &str) -> Vec<String> {
        self.text(flag)
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Where the value came from.
    pub fn source(&self, flag: &str) -> Source {
        self.entries
            .get(flag)
            .map_or(Source::Default, |entry| entry.source)
    }

    /// Sets one value, as if by flag: for defaults that the program computes.
    pub fn set(&mut self, flag: &'static str, text: impl Into<String>) {
        let text = text.into();
        self.entries.insert(
            flag,
            Entry {
                text,
                source: Source::Flag,
            },
        );
    }

    /// The options as a YAML file (`--write-config`). Secrets are not in it.
    pub fn to_yaml(&self) -> String {
        yaml::write(self)
    }
}

/// The raw value, its source, and how an error names that source.
fn pick(
    spec: &'static Spec,
    sources: &Sources<'_>,
    file: &BTreeMap<&'static str, String>,
) -> (String, Source, String) {
    if let Some(values) = (sources.flag)(spec.flag) {
        let origin = format!("--{}", spec.flag);
        let value = match spec.kind {
            Kind::List => values.join(","),
            _ => values.last().cloned().unwrap_or_default(),
        };
        return (value, Source::Flag, origin);
    }
    let env = spec.env();
    if !env.is_empty()
        && let Some(value) = (sources.env)(&env)
        && (!value.is_empty() || spec.kind == Kind::Address)
    {
        return (value, Source::Environment, format!("the variable {env}"));
    }
    if let Some(value) = file.get(spec.flag) {
        let path = spec.yaml_path().unwrap_or_default().join(".");
        return (value.clone(), Source::Yaml, format!("the key {path}"));
    }
    (
        spec.default.to_owned(),
        Source::Default,
        "the default".to_owned(),
    )
}

fn honoured(spec: &Spec, text: &str) -> bool {
    match spec.support {
        Support::Full => true,
        Support::Only(values) => text == spec.default || values.contains(&text),
    }
}
