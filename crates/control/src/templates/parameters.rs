//! Which values a start's parameters get, by the form that the template asks for.

use std::collections::BTreeMap;

use api_types::{TemplateVersionParameter, WorkspaceBuildParameter};
use store::template_versions::{VersionRow, VersionSource};

use crate::builds::Base;
use crate::builds::parameters::{Sources, resolve};
use crate::{Control, Result};

/// Values and tags of a build.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// Every parameter with its value.
    pub values: Vec<WorkspaceBuildParameter>,
    /// What the template asks of daemons for these values.
    pub tags: BTreeMap<String, String>,
}

impl Control {
    /// Resolves the parameters of a start.
    pub(crate) async fn parameters_resolve(
        &self,
        _version: &VersionRow,
        _source: &VersionSource,
        _base: &Base,
        parameters: &[TemplateVersionParameter],
        from: &Sources<'_>,
    ) -> Result<Resolved> {
        Ok(Resolved {
            values: resolve(parameters, from)?,
            tags: BTreeMap::new(),
        })
    }
}
