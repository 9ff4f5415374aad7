//! Resolution by rendering the template's form.

use std::collections::BTreeMap;

use super::values::{Invalid, Values, immutable};
use crate::eval::{Owner, Rendered, Renderer};

/// What came out of a resolution.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// A value for each parameter that the form shows with these values.
    pub values: BTreeMap<String, String>,
    /// Tags that choose a provisioner.
    pub tags: BTreeMap<String, String>,
}

/// The values of a start. Values of the build before are taken first, those of the request over
/// them, and those of a preset over both; what only the last build was given is dropped; names that
/// the form does not show are left out.
///
/// # Errors
/// All that is wrong, sorted by name.
pub fn resolve(
    renderer: &Renderer,
    owner: &Owner,
    values: &Values,
) -> Result<Resolved, Vec<Invalid>> {
    let mut given = values.previous.clone();
    if !given.is_empty() {
        let before = renderer.render(owner, &given, &values.previous);
        for parameter in before.parameters.iter().filter(|p| p.ephemeral) {
            given.remove(&parameter.name);
        }
    }
    given.extend(values.request.clone());
    given.extend(values.preset.clone());
    let rendered = renderer.render(owner, &given, &values.previous);
    let mut invalid = complaints(&rendered);
    for parameter in &rendered.parameters {
        let (now, before) = (given.get(&parameter.name), values.before(&parameter.name));
        if let (Some(now), Some(before)) = (now, before)
            && !parameter.mutable
            && !values.first_build
            && now != before
        {
            invalid.push(immutable(&parameter.name, before));
        }
    }
    invalid.sort();
    invalid.dedup();
    if !invalid.is_empty() {
        return Err(invalid);
    }
    Ok(Resolved {
        values: rendered
            .parameters
            .into_iter()
            .filter_map(|p| {
                let given = given.get(&p.name).cloned();
                Some((p.name, given.or(p.value)?))
            })
            .collect(),
        tags: rendered.tags,
    })
}

fn complaints(rendered: &Rendered) -> Vec<Invalid> {
    rendered
        .errors()
        .map(|(name, error)| {
            let detail = match (error.summary.as_str(), error.detail.as_str()) {
                (summary, "") => summary.to_owned(),
                (summary, detail) => format!("{summary}: {detail}"),
            };
            Invalid::new(name.unwrap_or_default(), detail)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
data "coder_parameter" "kind" {
  name    = "kind"
  default = "cpu"
  mutable = true
}
data "coder_parameter" "cards" {
  count = data.coder_parameter.kind.value == "gpu" ? 1 : 0
  name  = "cards"
  type  = "number"
}
data "coder_parameter" "once" {
  name      = "once"
  default   = ""
  ephemeral = true
  mutable   = true
}
"#;

    fn resolve(
        previous: &[(&str, &str)],
        request: &[(&str, &str)],
    ) -> Result<BTreeMap<String, String>, Vec<Invalid>> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(TEMPLATE.len() as u64);
        builder
            .append_data(&mut header, "main.tf", TEMPLATE.as_bytes())
            .unwrap();
        let renderer = Renderer::new(&builder.into_inner().unwrap(), &[], &[], &[]).unwrap();
        let map = |values: &[(&str, &str)]| {
            values
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        let values = Values {
            previous: map(previous),
            request: map(request),
            first_build: previous.is_empty(),
            ..Values::default()
        };
        super::resolve(&renderer, &Owner::default(), &values).map(|r| r.values)
    }

    #[test]
    fn the_form_decides_what_is_asked() {
        assert_eq!(resolve(&[], &[]).unwrap().get("kind").unwrap(), "cpu");
        let invalid = resolve(&[], &[("kind", "gpu")]).unwrap_err();
        assert_eq!(invalid[0].name, "cards");
        let values = resolve(&[], &[("kind", "gpu"), ("cards", "2"), ("unknown", "x")]).unwrap();
        assert_eq!(values["cards"], "2");
        assert!(!values.contains_key("unknown"));
    }

    #[test]
    fn what_was_set_stays_and_what_was_for_once_goes() {
        let before = [("kind", "gpu"), ("cards", "2"), ("once", "x")];
        let values = resolve(&before, &[]).unwrap();
        assert_eq!(
            (values["cards"].as_str(), values["once"].as_str()),
            ("2", "")
        );
        let invalid = resolve(&before, &[("cards", "3")]).unwrap_err();
        assert!(
            invalid[0].detail.contains("cannot be changed"),
            "{invalid:?}"
        );
    }
}
