//! Presets: named sets of parameter values, with prebuilt workspaces perhaps.

use std::collections::BTreeSet;

use rpc::proto::provisioner::{
    ExpirationPolicy, Prebuild, Preset, PresetParameter, RichParameter, Schedule, Scheduling,
};

use super::{ConvertError, Instance};

pub(super) fn presets(
    instances: &[Instance],
    parameters: &[RichParameter],
    warnings: &mut Vec<String>,
) -> Result<Vec<Preset>, ConvertError> {
    let mut names = BTreeSet::new();
    let mut found = Vec::new();
    let declared = instances
        .iter()
        .filter(|i| i.data && i.kind == "coder_workspace_preset");
    for instance in declared {
        let preset = preset(instance);
        if !names.insert(preset.name.clone()) {
            return Err(ConvertError::template(format!(
                "coder_workspace_preset names must be unique but {:?} appears multiple times",
                preset.name
            )));
        }
        for value in &preset.parameters {
            if !parameters.iter().any(|p| p.name == value.name) {
                warnings.push(format!(
                    "The preset {:?} sets the parameter {:?}, which the template does not define.",
                    preset.name, value.name
                ));
            }
        }
        found.push(preset);
    }
    let defaults = found.iter().filter(|p| p.default).count();
    if defaults > 1 {
        return Err(ConvertError::template(format!(
            "a maximum of 1 coder_workspace_preset can be marked as default, but {defaults} are set"
        )));
    }
    Ok(found)
}

fn preset(instance: &Instance) -> Preset {
    let a = instance.attributes();
    let prebuild = a
        .blocks("prebuilds")
        .first()
        .map_or_else(Prebuild::default, |prebuild| Prebuild {
            instances: prebuild.number32("instances"),
            expiration_policy: prebuild.blocks("expiration_policy").first().map(|e| {
                ExpirationPolicy {
                    ttl: e.number32("ttl"),
                }
            }),
            scheduling: prebuild.blocks("scheduling").first().map(|s| Scheduling {
                timezone: s.text("timezone"),
                schedule: s
                    .blocks("schedule")
                    .into_iter()
                    .map(|s| Schedule {
                        cron: s.text("cron"),
                        instances: s.number32("instances"),
                    })
                    .collect(),
            }),
        });
    Preset {
        name: a.text("name"),
        parameters: a
            .map("parameters")
            .into_iter()
            .map(|(name, value)| PresetParameter { name, value })
            .collect(),
        prebuild: Some(prebuild),
        default: a.flag("default"),
        description: a.text("description"),
        icon: a.text("icon"),
    }
}
