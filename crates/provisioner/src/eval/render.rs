//! Rendering a template's form: parameters, presets and tags for one owner and set of values.

use std::collections::BTreeMap;

use rpc::proto::provisioner::Role;

use super::parameter::{self, RenderedParameter, RenderedPreset};
use super::prior::Prior;
use super::scope::Bound;
use super::world::{World, keyed};
use super::{Value, convert};
use crate::archive::{self, ArchiveError, Limits};
use crate::hcl::{Configuration, Files, HclError, variables};

/// The code of the diagnostic that a parameter needs a value.
pub const CODE_REQUIRED: &str = "required";

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// A workspace cannot be built like this.
    Error,
    /// It can.
    Warning,
}

/// Something that is wrong with a template or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// In a few words.
    pub summary: String,
    /// In full.
    pub detail: String,
    /// For programs; empty if there is none.
    pub code: String,
}

impl Diagnostic {
    pub(crate) fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            code: String::new(),
        }
    }

    pub(crate) fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(summary, detail)
        }
    }

    /// Whether a workspace cannot be built because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Whose workspace it will be. Secrets are not told to forms.
#[derive(Debug, Clone, Default)]
pub struct Owner {
    /// User id.
    pub id: String,
    /// User name.
    pub name: String,
    /// Name for people.
    pub full_name: String,
    /// Address.
    pub email: String,
    /// Public SSH key.
    pub ssh_public_key: String,
    /// Names of groups.
    pub groups: Vec<String>,
    /// How they sign in.
    pub login_type: String,
    /// Roles.
    pub roles: Vec<Role>,
}

impl Owner {
    fn as_value(&self) -> Value {
        let texts = |items: &[String]| Value::List(items.iter().map(Value::text).collect());
        let roles = self.roles.iter().map(|r| {
            let fields = [("name", &r.name), ("org_id", &r.org_id)];
            Value::Map(fields.map(|(k, v)| (k.to_owned(), Value::text(v))).into())
        });
        let fields = [
            ("id", Value::text(&self.id)),
            ("name", Value::text(&self.name)),
            ("full_name", Value::text(&self.full_name)),
            ("email", Value::text(&self.email)),
            ("ssh_public_key", Value::text(&self.ssh_public_key)),
            ("groups", texts(&self.groups)),
            ("login_type", Value::text(&self.login_type)),
            ("rbac_roles", Value::List(roles.collect())),
            ("ssh_private_key", Value::Unknown),
            ("session_token", Value::Unknown),
            ("oidc_access_token", Value::Unknown),
        ];
        Value::Map(fields.map(|(k, v)| (k.to_owned(), v)).into())
    }
}

/// A form for one owner and set of values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rendered {
    /// Parameters by order, then name.
    pub parameters: Vec<RenderedParameter>,
    /// Presets.
    pub presets: Vec<RenderedPreset>,
    /// Tags that choose a provisioner.
    pub tags: BTreeMap<String, String>,
    /// What is wrong apart from single parameters.
    pub diagnostics: Vec<Diagnostic>,
}

impl Rendered {
    /// All errors: those of the whole and those of parameters, with the parameter's name.
    pub fn errors(&self) -> impl Iterator<Item = (Option<&str>, &Diagnostic)> {
        let whole = self.diagnostics.iter().map(|d| (None, d));
        let single = self
            .parameters
            .iter()
            .flat_map(|p| p.diagnostics.iter().map(|d| (Some(p.name.as_str()), d)));
        whole.chain(single).filter(|(_, d)| d.is_error())
    }
}

/// A template version whose form can be rendered, as often as somebody types.
#[derive(Debug, Clone)]
pub struct Renderer {
    files: Files,
    configuration: Configuration,
    prior: Prior,
    variables: BTreeMap<String, String>,
}

/// Why a template version cannot be rendered at all.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Its archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Its files cannot be parsed.
    #[error(transparent)]
    Hcl(#[from] HclError),
}

impl Renderer {
    /// Reads a version: its archive (tar), the archive of its modules (empty if there are none),
    /// the JSON form of its plan (empty if not stored), and the values of its variables.
    ///
    /// # Errors
    /// When the archive is broken or a file cannot be parsed.
    pub fn new(
        archive: &[u8],
        modules: &[u8],
        plan: &[u8],
        values: &[(String, String)],
    ) -> Result<Self, RenderError> {
        let mut files = Files::new(archive::read_all(archive, Limits::TEMPLATE)?);
        if !modules.is_empty() {
            files.extend(archive::read_all(modules, Limits::MODULES)?);
        }
        let configuration = Configuration::read(&files)?;
        let mut variables = BTreeMap::new();
        let fixed = ["terraform.tfvars", "terraform.tfvars.json"].map(str::to_owned);
        let automatic: Vec<String> = files
            .list("")
            .filter(|n| n.ends_with(".auto.tfvars") || n.ends_with(".auto.tfvars.json"))
            .map(str::to_owned)
            .collect();
        for name in fixed.iter().chain(&automatic) {
            if let Some(content) = files.get(name) {
                variables.extend(variables::variable_file(name, content)?);
            }
        }
        variables.extend(values.iter().filter(|(_, v)| !v.is_empty()).cloned());
        Ok(Self {
            files,
            configuration,
            prior: Prior::new(plan),
            variables,
        })
    }

    /// Renders the form. `previous` are the values of the build before, for parameters that may
    /// only grow or shrink.
    pub fn render(
        &self,
        owner: &Owner,
        inputs: &BTreeMap<String, String>,
        previous: &BTreeMap<String, String>,
    ) -> Rendered {
        let world = World::new(
            &self.configuration,
            &self.files,
            &self.prior,
            &self.variables,
            owner.as_value(),
            inputs,
            previous,
        );
        let mut rendered = Rendered::default();
        for path in &self.configuration.missing {
            rendered.diagnostics.push(Diagnostic::warning(
                "A module is not at hand",
                format!("The parameters of module {path:?} are not shown, because its source was not kept with the template version."),
            ));
        }
        for at in world.modules() {
            let Some(module) = self.configuration.modules.get(&at.path) else {
                continue;
            };
            for resource in module.resources.iter().filter(|r| r.data) {
                match resource.kind.as_str() {
                    "coder_parameter" => {
                        rendered.parameters.extend(world.parameters(&at, resource));
                    }
                    "coder_workspace_preset" => {
                        let found = world.instances(&at, &resource.body);
                        let bounds = found.map(|f| keyed(&f)).unwrap_or_default();
                        for (_, bound) in bounds {
                            match parameter::preset(&world, &at, resource, &bound) {
                                Ok(preset) => rendered.presets.push(preset),
                                Err(error) => rendered.diagnostics.push(Diagnostic::error(
                                    format!("The preset {:?} cannot be evaluated", resource.name),
                                    format!("{} line {}: {error}", resource.file, resource.line),
                                )),
                            }
                        }
                    }
                    "coder_workspace_tags" => {
                        let value = match resource.attribute("tags") {
                            Some(tags) => world.eval(&at, &Bound::default(), tags),
                            None => Ok(Value::Unknown),
                        };
                        rendered.add_tags(&resource.file, resource.line, value);
                    }
                    _ => {}
                }
            }
        }
        rendered.finish()
    }
}

impl Rendered {
    fn add_tags(&mut self, file: &str, line: usize, value: super::Result) {
        let problem = match value {
            Ok(Value::Map(map)) => {
                let mut unknown = Vec::new();
                for (key, value) in map {
                    match convert::text(&value) {
                        Ok(Some(text)) => {
                            self.tags.insert(key, text);
                        }
                        _ => unknown.push(key),
                    }
                }
                if unknown.is_empty() {
                    return;
                }
                format!(
                    "the values of these tags are not known: {}",
                    unknown.join(", ")
                )
            }
            Ok(_) => "the tags are not known".to_owned(),
            Err(error) => error.to_string(),
        };
        self.diagnostics.push(Diagnostic::error(
            "The workspace tags cannot be evaluated",
            format!("{file} line {line}: {problem}"),
        ));
    }

    fn finish(mut self) -> Self {
        self.parameters
            .sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        let mut names = std::collections::BTreeSet::new();
        let mut all = std::collections::BTreeSet::new();
        for parameter in &self.parameters {
            if !names.insert(parameter.name.as_str()) {
                all.insert(parameter.name.clone());
            }
        }
        for name in all {
            self.diagnostics.push(Diagnostic::error(
                "Duplicate parameter",
                format!("Parameter names must be unique, but {name:?} occurs more than once."),
            ));
        }
        self
    }
}
