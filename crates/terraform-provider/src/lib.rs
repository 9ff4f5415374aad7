//! The `coder` Terraform provider: the resources and data sources by which templates describe agents, apps and
//! parameters, spoken over Terraform's plugin protocol 5.
//!
//! A host (OpenTofu or Terraform) starts the binary under a name that begins with `terraform-provider-coder`, several
//! times in every build, so it starts without building anything: the schema is constant tables, the runtime has one
//! thread. All knowledge of a build comes from environment variables that the provisioner sets; the provider talks to
//! nobody but its host.
//!
//! [`parameter`] holds the rules of parameter values for those who judge them before a build.

mod context;
mod data_sources;
pub mod diagnostics;
mod engine;
mod environment;
mod operations;
pub mod parameter;
mod plugin;
mod proto;
mod provider;
mod resources;
mod schema;
mod text;
mod value;

use std::path::Path;
use std::process::ExitCode;

/// How names of provider binaries begin; a version may follow.
pub const BINARY_PREFIX: &str = "terraform-provider-coder";

/// Whether a binary that was invoked under this name (`argv[0]`) is to serve as the provider.
pub fn is_provider_name(invoked_as: impl AsRef<Path>) -> bool {
    let name = invoked_as
        .as_ref()
        .file_name()
        .and_then(|name| name.to_str());
    name.and_then(|name| name.strip_prefix(BINARY_PREFIX))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '.']))
}

/// Serves the provider to the host that started this process, until the host says goodbye or is gone.
///
/// With `-debug` as an argument it serves without a host, and prints what to put into `TF_REATTACH_PROVIDERS`.
pub fn serve() -> ExitCode {
    plugin::serve(provider::Provider::new(environment::Environment::process()))
}

#[cfg(test)]
mod tests {
    use super::is_provider_name;

    #[test]
    fn the_name_decides_whether_the_binary_is_a_provider() {
        for name in [
            "terraform-provider-coder",
            "/x/terraform-provider-coder_v2.18.0",
            "terraform-provider-coder.exe",
        ] {
            assert!(is_provider_name(name), "{name}");
        }
        for name in [
            "coder",
            "",
            "/",
            "terraform-provider-coderx",
            "x/terraform-provider-docker_v1",
        ] {
            assert!(!is_provider_name(name), "{name}");
        }
    }
}
