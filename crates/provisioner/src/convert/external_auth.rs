//! Sign-ins that a template asks for.

use std::collections::BTreeMap;

use rpc::proto::provisioner::ExternalAuthProviderResource;

use super::Instance;

/// By id; the newer data source wins over the older of the same id.
pub(super) fn providers(instances: &[Instance]) -> Vec<ExternalAuthProviderResource> {
    let mut found = BTreeMap::new();
    for kind in ["coder_git_auth", "coder_external_auth"] {
        for instance in instances.iter().filter(|i| i.data && i.kind == kind) {
            let a = instance.attributes();
            let id = a.text("id");
            if !id.is_empty() {
                found.insert(id, a.flag("optional"));
            }
        }
    }
    found
        .into_iter()
        .map(|(id, optional)| ExternalAuthProviderResource { id, optional })
        .collect()
}
