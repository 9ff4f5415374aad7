//! `coder_metadata`: what is shown with a resource, and what it costs.

use std::collections::BTreeMap;

use rpc::proto::provisioner::resource;

use super::agents::is_host;
use super::{ConvertError, Instance, Template};
use crate::hcl::graph;

/// What `coder_metadata` says about one resource.
#[derive(Debug, Clone, Default)]
pub(super) struct Metadata {
    pub items: Vec<resource::Metadata>,
    pub hide: bool,
    pub icon: String,
    pub daily_cost: i32,
}

/// The cost per day of everything that is planned.
pub fn daily_cost(instances: &[Instance]) -> i32 {
    let sum = instances
        .iter()
        .filter(|i| i.is("coder_metadata"))
        .map(|i| i.attributes().number("daily_cost"))
        .fold(0i64, i64::saturating_add);
    super::attributes::clamp(sum)
}

/// By the address of the resource.
pub(super) fn by_resource(
    template: &Template,
    instances: &[Instance],
) -> Result<BTreeMap<String, Metadata>, ConvertError> {
    let mut found: BTreeMap<String, Metadata> = BTreeMap::new();
    let mut all: Vec<&Instance> = instances
        .iter()
        .filter(|i| i.is("coder_metadata"))
        .collect();
    all.sort_by(|a, b| a.address.cmp(&b.address));
    for instance in all {
        let a = instance.attributes();
        let items = a
            .blocks("item")
            .into_iter()
            .map(|item| resource::Metadata {
                key: item.text("key"),
                value: item.text("value"),
                sensitive: item.flag("sensitive"),
                is_null: item.flag("is_null"),
            })
            .collect();
        let metadata = Metadata {
            items,
            hide: a.flag("hide"),
            icon: a.text("icon"),
            daily_cost: a.number32("daily_cost"),
        };
        for target in targets(template, instances, instance) {
            if found.insert(target.clone(), metadata.clone()).is_some() {
                return Err(ConvertError::template(format!(
                    "duplicate metadata resource: {target} has more than one coder_metadata"
                )));
            }
        }
    }
    Ok(found)
}

/// The addresses that a metadata block means: the resource with that id; where the id is not known
/// yet, what its expression leads to; else the nearest resource that the block depends on.
fn targets(template: &Template, instances: &[Instance], metadata: &Instance) -> Vec<String> {
    let hosts = || instances.iter().filter(|i| is_host(i));
    let id = metadata.attributes().text("resource_id");
    if !id.is_empty() {
        let mut same: Vec<_> = hosts()
            .filter(|i| i.attributes().text("id") == id)
            .collect();
        let near: std::collections::BTreeSet<&str> = template
            .graph
            .dependencies_of(&metadata.label)
            .into_iter()
            .map(|(_, label)| label)
            .collect();
        // Ids of different resource types may coincide.
        if same.len() > 1 {
            same.retain(|i| near.contains(i.label.as_str()));
        }
        if let Some(first) = same.first() {
            return vec![first.address.clone()];
        }
    }
    let is_present = |label: &str| hosts().any(|i| i.label == label);
    let path = metadata.module_path();
    let named = template
        .configuration
        .modules
        .get(&path)
        .and_then(|m| m.resource(false, &metadata.kind, &metadata.name))
        .and_then(|r| r.attribute("resource_id"))
        .and_then(|e| {
            graph::resolve_to(&template.configuration, &path, e, &is_present)
                .into_iter()
                .next()
        });
    let label = named.or_else(|| {
        let mut near: Vec<_> = template
            .graph
            .dependencies_of(&metadata.label)
            .into_iter()
            .filter(|(_, label)| is_present(label))
            .collect();
        near.sort_unstable();
        near.first().map(|(_, label)| (*label).to_owned())
    });
    let Some(label) = label else {
        return Vec::new();
    };
    let of_label: Vec<_> = hosts().filter(|i| i.label == label).collect();
    let beside = of_label
        .iter()
        .find(|i| !i.key.is_empty() && i.key == metadata.key && i.module == metadata.module);
    match beside {
        Some(one) => vec![one.address.clone()],
        None => of_label.iter().map(|i| i.address.clone()).collect(),
    }
}
