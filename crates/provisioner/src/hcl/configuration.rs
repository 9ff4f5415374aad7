//! A template with all modules that it calls.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Files, HclError, Module};

/// Modules inside modules that we follow; Terraform configurations rarely nest more than three.
const MAX_MODULE_DEPTH: usize = 16;
/// Modules of one configuration.
const MAX_MODULES: usize = 1000;

/// A root module and, by path of call names (`a.b`), the modules below it.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// By module path; the root is the empty string.
    pub modules: BTreeMap<String, Module>,
    /// Paths of calls whose module is not at hand.
    pub missing: Vec<String>,
}

/// An entry of `.terraform/modules/modules.json`, written by `init`.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub struct InstalledModule {
    /// Path of call names; empty for the root.
    pub key: String,
    /// As written in the call, in full form.
    #[serde(default)]
    pub source: String,
    /// The version chosen, for modules of a registry.
    #[serde(default)]
    pub version: String,
    /// Its directory, relative to the root.
    #[serde(default)]
    pub dir: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Installed {
    #[serde(default)]
    modules: Vec<InstalledModule>,
}

/// Where `init` notes what it installed.
pub const INSTALLED_MODULES: &str = ".terraform/modules/modules.json";

impl Configuration {
    /// Reads the root module and all modules that can be found: those that `init` installed, and
    /// directories of the template.
    ///
    /// # Errors
    /// Syntax errors, with file and line. A module that is not there is noted in `missing`.
    pub fn read(files: &Files) -> Result<Self, HclError> {
        let installed = installed(files);
        let mut configuration = Self::default();
        configuration.follow(files, &installed, "", "", 0)?;
        Ok(configuration)
    }

    fn follow(
        &mut self,
        files: &Files,
        installed: &BTreeMap<String, InstalledModule>,
        path: &str,
        directory: &str,
        depth: usize,
    ) -> Result<(), HclError> {
        let module = Module::read(files, directory)?;
        let calls: Vec<_> = module
            .calls
            .iter()
            .map(|call| {
                let key = join(path, &call.name);
                let found = match installed.get(&key) {
                    Some(module) => Some(module.dir.clone()),
                    None if call.is_local() => {
                        let source = call.source.as_deref().unwrap_or_default();
                        resolve(directory, source)
                    }
                    None => None,
                };
                (key, found)
            })
            .collect();
        self.modules.insert(path.to_owned(), module);
        for (key, found) in calls {
            let found = found.filter(|d| files.list(d).next().is_some());
            match found {
                Some(dir) if depth < MAX_MODULE_DEPTH && self.modules.len() < MAX_MODULES => {
                    self.follow(files, installed, &key, &dir, depth + 1)?;
                }
                _ => self.missing.push(key),
            }
        }
        Ok(())
    }

    /// The root module.
    pub fn root(&self) -> Option<&Module> {
        self.modules.get("")
    }

    /// All resources and data sources with the path of their module.
    pub fn resources(&self) -> impl Iterator<Item = (&str, &super::Resource)> {
        self.modules
            .iter()
            .flat_map(|(path, m)| m.resources.iter().map(move |r| (path.as_str(), r)))
    }
}

/// What `init` installed, by key.
pub fn installed(files: &Files) -> BTreeMap<String, InstalledModule> {
    let Some(text) = files.get(INSTALLED_MODULES) else {
        return BTreeMap::new();
    };
    let Ok(installed) = serde_json::from_slice::<Installed>(text) else {
        return BTreeMap::new();
    };
    installed
        .modules
        .into_iter()
        .filter(|m| !m.key.is_empty())
        .map(|m| (m.key.clone(), m))
        .collect()
}

/// The path of a module called `name` from the module at `path`.
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A relative source seen from `directory`, as a path from the root; `None` if it leaves the root.
pub fn resolve(directory: &str, source: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory.split('/').filter(|p| !p.is_empty()).collect();
    for part in source.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
