//! One module: everything that the files of one directory declare.

use std::collections::BTreeMap;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};

use super::{Files, HclError, SourceFile, constant, merge};

/// A `resource` or `data` block.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Whether it is a `data` block.
    pub data: bool,
    /// Such as `coder_agent`.
    pub kind: String,
    /// Its name in the module.
    pub name: String,
    /// The block's content.
    pub body: Body,
    /// File in which it stands.
    pub file: String,
    /// Line at which it begins, from 1; 0 if unknown.
    pub line: usize,
}

impl Resource {
    /// Address inside its module: `type.name` or `data.type.name`.
    pub fn address(&self) -> String {
        if self.data {
            format!("data.{}.{}", self.kind, self.name)
        } else {
            format!("{}.{}", self.kind, self.name)
        }
    }

    /// An attribute's expression.
    pub fn attribute(&self, name: &str) -> Option<&Expression> {
        self.body.get_attribute(name).map(|a| &a.value)
    }
}

/// A `module` block.
#[derive(Debug, Clone)]
pub struct ModuleCall {
    /// Its name in the calling module.
    pub name: String,
    /// `source`, if it is a plain string.
    pub source: Option<String>,
    /// `version`, if it is a plain string.
    pub version: Option<String>,
    /// The block's content.
    pub body: Body,
    /// File in which it stands.
    pub file: String,
    /// Line at which it begins, from 1; 0 if unknown.
    pub line: usize,
}

impl ModuleCall {
    /// Whether the source is a directory of the same template.
    pub fn is_local(&self) -> bool {
        self.source
            .as_deref()
            .is_some_and(|s| s.starts_with("./") || s.starts_with("../"))
    }
}

/// An entry of `required_providers`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequiredProvider {
    /// Such as `coder/coder`; empty in the old form that gives a version only.
    pub source: String,
    /// The version constraint, if any.
    pub version: Option<String>,
}

/// A `variable` block.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The block's content.
    pub body: Body,
    /// File in which it stands.
    pub file: String,
    /// Line at which it begins, from 1; 0 if unknown.
    pub line: usize,
}

/// Everything that one directory declares.
#[derive(Debug, Clone, Default)]
pub struct Module {
    /// The directory, relative to the template's root; empty for the root.
    pub directory: String,
    /// `variable` blocks in the order of files and lines.
    pub variables: Vec<Variable>,
    /// Expressions of all `locals`.
    pub locals: BTreeMap<String, Expression>,
    /// Expressions of `output` blocks.
    pub outputs: BTreeMap<String, Body>,
    /// `resource` and `data` blocks in the order of files and lines.
    pub resources: Vec<Resource>,
    /// `module` blocks.
    pub calls: Vec<ModuleCall>,
    /// `required_providers`, by local name.
    pub required_providers: BTreeMap<String, RequiredProvider>,
    /// Local names of `provider` blocks.
    pub provider_blocks: Vec<String>,
    /// Whether state lives elsewhere (`backend` or `cloud`).
    pub has_backend: bool,
}

impl Module {
    /// Reads the configuration files directly in `directory`.
    ///
    /// # Errors
    /// The first syntax error, with file and line.
    pub fn read(files: &Files, directory: &str) -> Result<Self, HclError> {
        let mut sources = Vec::new();
        let mut overrides = Vec::new();
        for name in files.list(directory).filter(|n| SourceFile::is_source(n)) {
            let path = if directory.is_empty() {
                name.to_owned()
            } else {
                format!("{directory}/{name}")
            };
            let source = SourceFile::parse(&path, files.get(&path).unwrap_or_default())?;
            if SourceFile::is_override(name) {
                overrides.push(source);
            } else {
                sources.push(source);
            }
        }
        let mut blocks: Vec<(Block, String, usize)> = Vec::new();
        for source in sources {
            for block in source.body.blocks() {
                let line = source.line(block.span());
                blocks.push((block.clone(), source.path.clone(), line));
            }
        }
        for source in &overrides {
            for over in source.body.blocks() {
                let base = blocks.iter_mut().find(|(b, _, _)| merge::same(b, over));
                match base {
                    Some((base, _, _)) => merge::apply(&mut base.body, &over.body),
                    None => {
                        blocks.push((over.clone(), source.path.clone(), source.line(over.span())));
                    }
                }
            }
        }
        let mut module = Self {
            directory: directory.to_owned(),
            ..Self::default()
        };
        for (block, file, line) in blocks {
            module.add(block, file, line);
        }
        Ok(module)
    }

    fn add(&mut self, block: Block, file: String, line: usize) {
        let label = |n: usize| block.labels.get(n).map(|l| l.as_str().to_owned());
        match (block.ident.as_str(), label(0), label(1)) {
            (keyword @ ("resource" | "data"), Some(kind), Some(name)) => {
                self.resources.push(Resource {
                    data: keyword == "data",
                    kind,
                    name,
                    body: block.body,
                    file,
                    line,
                });
            }
            ("variable", Some(name), _) => self.variables.push(Variable {
                name,
                body: block.body,
                file,
                line,
            }),
            ("output", Some(name), _) => {
                self.outputs.insert(name, block.body);
            }
            ("module", Some(name), _) => {
                let text = |key| {
                    let attribute = block.body.get_attribute(key)?;
                    constant::string(&attribute.value)
                };
                self.calls.push(ModuleCall {
                    source: text("source"),
                    version: text("version"),
                    name,
                    body: block.body.clone(),
                    file,
                    line,
                });
            }
            ("provider", Some(name), _) => self.provider_blocks.push(name),
            ("locals", ..) => {
                for attribute in block.body.attributes() {
                    self.locals
                        .insert(attribute.key.as_str().to_owned(), attribute.value.clone());
                }
            }
            ("terraform", ..) => self.add_settings(&block.body),
            _ => {}
        }
    }

    fn add_settings(&mut self, body: &Body) {
        self.has_backend |= body.has_blocks("backend") || body.has_blocks("cloud");
        for providers in body.get_blocks("required_providers") {
            for attribute in providers.body.attributes() {
                let mut required = RequiredProvider::default();
                if let Some(version) = constant::string(&attribute.value) {
                    required.version = Some(version);
                } else if let Expression::Object(object) = &attribute.value {
                    for (key, value) in object {
                        match constant::key(key).as_deref() {
                            Some("source") => {
                                required.source =
                                    constant::string(value.expr()).unwrap_or_default();
                            }
                            Some("version") => required.version = constant::string(value.expr()),
                            _ => {}
                        }
                    }
                }
                self.required_providers
                    .insert(attribute.key.as_str().to_owned(), required);
            }
        }
    }

    /// The `resource` or `data` block of this type and name.
    pub fn resource(&self, data: bool, kind: &str, name: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|r| r.data == data && r.kind == kind && r.name == name)
    }
}
