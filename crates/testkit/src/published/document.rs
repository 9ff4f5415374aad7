//! The document, and which of its operations a request is.

use serde_json::Value;

/// The published document.
pub struct Document {
    whole: Value,
}

/// An operation of the document.
pub struct Route<'a> {
    /// Its path, with names in braces.
    pub template: &'a str,
    /// What the document says of it.
    pub operation: &'a Value,
}

impl Document {
    /// The document with this content.
    pub fn new(whole: Value) -> Self {
        Self { whole }
    }

    /// The definition that a `$ref` names.
    pub fn definition(&self, reference: &str) -> (&Value, String) {
        let name = reference.trim_start_matches("#/definitions/");
        (&self.whole["definitions"][name], name.to_owned())
    }

    /// All operations: method and path.
    pub fn operations(&self) -> impl Iterator<Item = (String, &str)> {
        let paths = self.whole["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(|(method, _)| (method.to_uppercase(), path.as_str()))
        })
    }

    /// The operation that a request is; of several that fit, the one whose own words come first.
    ///
    /// What the document still has under `/api/experimental` is found under `/api/v2` too: it was
    /// promoted with the same handlers and shapes.
    pub fn route(&self, method: &str, path: &str) -> Option<Route<'_>> {
        self.route_exactly(method, path).or_else(|| {
            let rest = path.strip_prefix("/api/v2/")?;
            self.route_exactly(method, &format!("/api/experimental/{rest}"))
        })
    }

    fn route_exactly(&self, method: &str, path: &str) -> Option<Route<'_>> {
        let method = method.to_lowercase();
        let paths = self.whole["paths"].as_object()?;
        let fitting = paths.iter().filter_map(|(template, methods)| {
            let operation = methods.get(&method)?;
            let words = fits(template, path)?;
            Some((words, template.as_str(), operation))
        });
        let (_, template, operation) = fitting.max_by(|a, b| a.0.cmp(&b.0))?;
        Some(Route {
            template,
            operation,
        })
    }
}

/// Whether a path is one of a template, and which of its parts are words of the template.
fn fits(template: &str, path: &str) -> Option<Vec<bool>> {
    let (mut parts, mut words) = (path.split('/'), Vec::new());
    for named in template.split('/') {
        let part = parts.next()?;
        let name = named.starts_with('{');
        if !name && named != part || name && part.is_empty() {
            return None;
        }
        words.push(!name);
    }
    parts.next().is_none().then_some(words)
}
