//! From Terraform's plan or state to what the control plane stores: resources with their agents,
//! apps, scripts and metadata; parameters; presets; external authentication.
//!
//! Pure: values and the template's configuration in, messages out.

mod agents;
mod attributes;
mod children;
mod error;
mod external_auth;
mod instance;
mod metadata;
mod parameters;
mod presets;
mod replacements;
mod resources;

#[cfg(test)]
mod tests;

use rpc::proto::provisioner::{ExternalAuthProviderResource, Preset, Resource, RichParameter};

use crate::hcl::Configuration;
use crate::hcl::graph::Graph;

pub use error::ConvertError;
pub use instance::{Instance, from_plan, from_state};
pub use metadata::daily_cost;
pub use parameters::rich_parameters;
pub use replacements::replacements;

/// A template's configuration with its dependency graph: the same for all builds of a version.
#[derive(Debug, Clone, Default)]
pub struct Template {
    /// Modules and what they declare.
    pub configuration: Configuration,
    /// What depends on what.
    pub graph: Graph,
}

impl Template {
    /// Reads the graph of a configuration.
    pub fn new(configuration: Configuration) -> Self {
        Self {
            graph: Graph::of(&configuration),
            configuration,
        }
    }
}

/// What a plan or state says to us.
#[derive(Debug, Default)]
pub struct Converted {
    /// Managed resources by address, with everything that belongs to them.
    pub resources: Vec<Resource>,
    /// Parameters in the order of the template.
    pub parameters: Vec<RichParameter>,
    /// Presets.
    pub presets: Vec<Preset>,
    /// Sign-ins that the template asks for.
    pub external_auth: Vec<ExternalAuthProviderResource>,
    /// Whether agents are started by hand somewhere.
    pub has_external_agents: bool,
    /// What the template's author should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Converts the instances of a plan or state.
///
/// # Errors
/// What a template must not do, such as two agents of one name.
pub fn convert(template: &Template, instances: &[Instance]) -> Result<Converted, ConvertError> {
    let mut warnings = Vec::new();
    let parameters = parameters::rich_parameters(instances)?;
    let presets = presets::presets(instances, &parameters, &mut warnings)?;
    let mut agents = agents::agents(template, instances, &mut warnings)?;
    children::attach(template, instances, &mut agents)?;
    let metadata = metadata::by_resource(template, instances)?;
    let resources = resources::resources(instances, agents, metadata);
    Ok(Converted {
        resources,
        parameters,
        presets,
        external_auth: external_auth::providers(instances),
        has_external_agents: template
            .configuration
            .resources()
            .any(|(_, r)| !r.data && r.kind == "coder_external_agent"),
        warnings,
    })
}
