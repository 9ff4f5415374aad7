//! Values of Terraform variables: `*.auto.tfvars` files of the template, a
//! file that is named, and flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use api_types::VariableValue;
use clap::Args;

use crate::csv;
use crate::parameters::flags::read_file;

/// Variable files are short.
const MAX_FILE: u64 = 8 << 20;

/// Flags about variables.
#[derive(Debug, Clone, Args)]
pub struct VariableFlags {
    /// Value of a Terraform variable, as name=value; may be repeated.
    #[arg(long, value_name = "name=value")]
    pub variable: Vec<String>,

    /// Short for --variable.
    #[arg(long, value_name = "name=value")]
    pub var: Vec<String>,

    /// YAML file with values of Terraform variables by name.
    #[arg(long, value_name = "file")]
    pub variables_file: Option<PathBuf>,
}

impl VariableFlags {
    /// Every value: flags stand above the named file, that above the files of
    /// the template in `directory`.
    pub fn values(&self, directory: Option<&Path>) -> Result<Vec<VariableValue>> {
        let mut values = BTreeMap::new();
        for path in directory.map(discover).transpose()?.unwrap_or_default() {
            values.extend(read_tfvars(&path)?);
        }
        if let Some(path) = self
            .variables_file
            .as_deref()
            .filter(|p| !p.as_os_str().is_empty())
        {
            values.extend(read_file(path)?);
        }
        values.extend(csv::pairs(&self.variable).context("--variable")?);
        values.extend(csv::pairs(&self.var).context("--var")?);
        Ok(values
            .into_iter()
            .map(|(name, value)| VariableValue { name, value })
            .collect())
    }
}

/// The variable files that Terraform would read by itself, in its order.
fn discover(directory: &Path) -> Result<Vec<PathBuf>> {
    let rank = |name: &str| match name {
        "terraform.tfvars" => Some(0),
        "terraform.tfvars.json" => Some(1),
        _ if name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json") => Some(2),
        _ => None,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)
        .with_context(|| format!("cannot read the directory {}", directory.display()))?
    {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default()
            .to_owned();
        if let Some(rank) = rank(&name) {
            found.push((rank, name, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, _, path)| path).collect())
}

fn read_tfvars(path: &Path) -> Result<BTreeMap<String, String>> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(MAX_FILE).read_to_string(&mut text))
        .with_context(|| format!("cannot read {}", path.display()))?;
    let is_json = path.extension().is_some_and(|e| e == "json");
    let parsed: Result<BTreeMap<String, serde_json::Value>> = if is_json {
        serde_json::from_str(&text).map_err(Into::into)
    } else {
        hcl::from_str(&text).map_err(Into::into)
    };
    let parsed = parsed.with_context(|| format!("{} holds no variable values", path.display()))?;
    Ok(parsed
        .into_iter()
        .map(|(name, value)| (name, as_text(value)))
        .collect())
}

/// Texts as they are, everything else as JSON, which Terraform reads.
fn as_text(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_layered() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(
            "terraform.tfvars",
            "a = \"tfvars\"\nb = \"tfvars\"\nlist = [\"x\", \"y\"]\n",
        );
        write("z.auto.tfvars.json", "{\"b\": \"auto\", \"n\": 3}");
        write("values.yaml", "c: file\na: file\n");
        let flags = VariableFlags {
            variable: vec!["c=lost".into()],
            var: vec!["c=flag".into()],
            variables_file: Some(dir.path().join("values.yaml")),
        };
        let values = flags.values(Some(dir.path())).unwrap();
        let got: Vec<(&str, &str)> = values
            .iter()
            .map(|v| (v.name.as_str(), v.value.as_str()))
            .collect();
        assert_eq!(
            got,
            [
                ("a", "file"),
                ("b", "auto"),
                ("c", "flag"),
                ("list", "[\"x\",\"y\"]"),
                ("n", "3")
            ]
        );
    }

    #[test]
    fn broken_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("terraform.tfvars"), "a = [").unwrap();
        let flags = VariableFlags {
            variable: Vec::new(),
            var: Vec::new(),
            variables_file: None,
        };
        assert!(
            format!("{:#}", flags.values(Some(dir.path())).unwrap_err())
                .contains("terraform.tfvars")
        );
    }
}
