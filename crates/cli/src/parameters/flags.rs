//! Flags that give parameter values, the same for every command that builds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::csv;

/// Parameter files are short lists; anything larger is the wrong file.
const MAX_FILE: u64 = 8 << 20;

/// The flags.
#[derive(Debug, Clone, Default, Args)]
pub struct ParameterFlags {
    /// Value of a parameter, as name=value; may be repeated.
    #[arg(long, env = "CODER_RICH_PARAMETER", value_name = "name=value")]
    pub parameter: Vec<String>,

    /// Default of a parameter, as name=value, in place of the template's.
    #[arg(long, env = "CODER_RICH_PARAMETER_DEFAULT", value_name = "name=value")]
    pub parameter_default: Vec<String>,

    /// YAML file with values of parameters by name.
    #[arg(long, env = "CODER_RICH_PARAMETER_FILE", value_name = "file")]
    pub rich_parameter_file: Option<PathBuf>,

    /// Value of an ephemeral parameter, for this build only, as name=value.
    #[arg(long, env = "CODER_EPHEMERAL_PARAMETER", value_name = "name=value")]
    pub ephemeral_parameter: Vec<String>,

    /// Ask for ephemeral parameters too.
    #[arg(long, env = "CODER_PROMPT_EPHEMERAL_PARAMETERS")]
    pub prompt_ephemeral_parameters: bool,

    /// Take the defaults of parameters that have one, without asking.
    #[arg(long, env = "CODER_WORKSPACE_USE_PARAMETER_DEFAULTS")]
    pub use_parameter_defaults: bool,

    /// Ask for every parameter again instead of keeping its value.
    #[arg(long)]
    pub always_prompt: bool,

    /// Former name of --ephemeral-parameter.
    #[arg(long, env = "CODER_BUILD_OPTION", value_name = "name=value")]
    pub build_option: Vec<String>,

    /// Former name of --prompt-ephemeral-parameters.
    #[arg(long)]
    pub build_options: bool,
}

/// What the flags say.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Values, by flag or file.
    pub values: BTreeMap<String, String>,
    /// Values for this build only.
    pub ephemeral: BTreeMap<String, String>,
    /// Defaults that replace the template's.
    pub defaults: BTreeMap<String, String>,
    /// Ask for ephemeral parameters.
    pub prompt_ephemeral: bool,
    /// Take defaults without asking.
    pub use_defaults: bool,
    /// Ask for all again.
    pub always_prompt: bool,
}

impl Given {
    /// Whether nothing about parameters was said at all.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
            && self.ephemeral.is_empty()
            && !self.prompt_ephemeral
            && !self.always_prompt
    }
}

impl ParameterFlags {
    /// Reads flags and file; a flag stands above the file.
    pub fn given(&self) -> Result<Given> {
        let mut values = match self
            .rich_parameter_file
            .as_deref()
            .filter(|p| !p.as_os_str().is_empty())
        {
            Some(path) => read_file(path)?,
            None => BTreeMap::new(),
        };
        values.extend(csv::pairs(&nonempty(&self.parameter)).context("--parameter")?);
        let mut ephemeral: BTreeMap<_, _> = csv::pairs(&nonempty(&self.build_option))
            .context("--build-option")?
            .into_iter()
            .collect();
        ephemeral.extend(
            csv::pairs(&nonempty(&self.ephemeral_parameter)).context("--ephemeral-parameter")?,
        );
        let defaults =
            csv::pairs(&nonempty(&self.parameter_default)).context("--parameter-default")?;
        Ok(Given {
            values,
            ephemeral,
            defaults: defaults.into_iter().collect(),
            prompt_ephemeral: self.prompt_ephemeral_parameters || self.build_options,
            use_defaults: self.use_parameter_defaults,
            always_prompt: self.always_prompt,
        })
    }
}

/// An environment variable that is set but empty says nothing.
fn nonempty(values: &[String]) -> Vec<String> {
    values.iter().filter(|v| !v.is_empty()).cloned().collect()
}

/// Reads a YAML mapping of names to values; lists become JSON.
pub fn read_file(path: &Path) -> Result<BTreeMap<String, String>> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(MAX_FILE).read_to_string(&mut text))
        .with_context(|| format!("cannot read {}", path.display()))?;
    parse_file(&text).with_context(|| format!("{} is no list of values by name", path.display()))
}

fn parse_file(text: &str) -> Result<BTreeMap<String, String>> {
    let entries: BTreeMap<String, serde_yaml_ng::Value> = match serde_yaml_ng::from_str(text)? {
        Some(entries) => entries,
        None => return Ok(BTreeMap::new()),
    };
    let value = |value: serde_yaml_ng::Value| -> Result<String> {
        use serde_yaml_ng::Value;
        Ok(match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            Value::Bool(b) => b.to_string(),
            Value::Number(n) => n.to_string(),
            other => serde_json::to_string(&other)?,
        })
    };
    entries
        .into_iter()
        .map(|(name, v)| Ok((name, value(v)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_scalars_and_lists() {
        let values = parse_file("region: eu\ncpus: 4\nssd: true\ntags: [a, b]\nnote:\n").unwrap();
        let expected = [
            ("cpus", "4"),
            ("note", ""),
            ("region", "eu"),
            ("ssd", "true"),
            ("tags", "[\"a\",\"b\"]"),
        ];
        assert!(
            values
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .eq(expected)
        );
        assert!(parse_file("").unwrap().is_empty());
        assert!(parse_file("- a\n- b\n").is_err());
        assert!(parse_file("a: [").is_err());
    }

    #[test]
    fn flags_stand_above_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("values.yaml");
        std::fs::write(&path, "a: file\nb: file\n").unwrap();
        let flags = ParameterFlags {
            parameter: vec!["a=flag".into(), String::new()],
            rich_parameter_file: Some(path),
            build_option: vec!["e=old".into()],
            ephemeral_parameter: vec!["e=new".into()],
            ..ParameterFlags::default()
        };
        let given = flags.given().unwrap();
        assert_eq!(given.values["a"], "flag");
        assert_eq!(given.values["b"], "file");
        assert_eq!(given.ephemeral["e"], "new");
    }

    #[test]
    fn malformed_flags_name_the_flag() {
        let flags = ParameterFlags {
            parameter: vec!["novalue".into()],
            ..ParameterFlags::default()
        };
        assert!(format!("{:#}", flags.given().unwrap_err()).contains("--parameter"));
    }
}
