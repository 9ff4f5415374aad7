//! Values for a template's parameters: from flags, files, presets, earlier
//! builds, and at last from the person.

mod ask;
mod definition;
pub mod flags;
mod resolve;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use api_types::{Preset, WorkspaceBuildParameter};
use client::Client;
use http::StatusCode;
use uuid::Uuid;

use crate::session::Session;
use definition::Definition;
use flags::Given;
pub use resolve::Action;
use resolve::Resolver;

/// Dynamic forms are asked again after each answer; a template whose form
/// never settles must not ask forever.
const MAX_ROUNDS: usize = 500;

/// What values are wanted for.
pub struct Request<'a> {
    /// What is about to happen.
    pub action: Action,
    /// The version whose parameters are to be answered.
    pub version: Uuid,
    /// Whose workspace it is; forms may depend on it.
    pub owner: Option<Uuid>,
    /// Whether the template resolves its parameters once (classic) or with
    /// every answer.
    pub classic: bool,
    /// Values from flags and files.
    pub given: &'a Given,
    /// The chosen preset; its values stand above all others.
    pub preset: Option<&'a Preset>,
    /// Values of the workspace to copy from.
    pub source: &'a [WorkspaceBuildParameter],
    /// Values of the workspace's last build.
    pub last: &'a [WorkspaceBuildParameter],
    /// Take defaults without asking.
    pub yes: bool,
}

/// Finds a value for every parameter that needs one.
pub async fn resolve(
    session: &Session,
    request: &Request<'_>,
) -> Result<Vec<WorkspaceBuildParameter>> {
    let client = session.client()?;
    let resolver = Resolver::new(request);
    let mut answers: BTreeMap<String, String> = BTreeMap::new();
    let mut static_form: Option<Vec<Definition>> = None;
    for _ in 0..MAX_ROUNDS {
        let form = match &static_form {
            Some(form) => form.clone(),
            None => {
                let inputs = resolver.inputs(&answers);
                match definitions(client, request, &inputs).await? {
                    Form::Live(form) => form,
                    Form::Static(form) => static_form.insert(form).clone(),
                }
            }
        };
        let values = resolver.values(&form, &answers)?;
        let Some(question) = resolver.next_question(&form, &values, &answers) else {
            return Ok(values
                .into_iter()
                .map(|(name, value)| WorkspaceBuildParameter { name, value })
                .collect());
        };
        let answer = match resolver.default_for(question, session.interactive()) {
            Some(value) => {
                session.progress(&format!(
                    "Using the default of {}: '{value}'\n",
                    question.title()
                ))?;
                value
            }
            None => ask::ask(question, resolver.suggestion(question))?,
        };
        answers.insert(question.name.clone(), answer);
    }
    anyhow::bail!("the template asks without end: its parameters change with every answer")
}

/// Parameters of a version.
enum Form {
    /// May change with the next answer.
    Live(Vec<Definition>),
    /// Always the same.
    Static(Vec<Definition>),
}

async fn definitions(
    client: &Client,
    request: &Request<'_>,
    inputs: &BTreeMap<String, String>,
) -> Result<Form> {
    if !request.classic {
        match client
            .template_version_evaluate(request.version, request.owner, inputs)
            .await
        {
            Ok(answer) => {
                let problems: Vec<String> = answer
                    .diagnostics
                    .iter()
                    .filter(|d| d.severity == api_types::DiagnosticSeverityString::Error)
                    .map(|d| {
                        if d.detail.is_empty() {
                            d.summary.clone()
                        } else {
                            format!("{}: {}", d.summary, d.detail)
                        }
                    })
                    .collect();
                anyhow::ensure!(
                    problems.is_empty(),
                    "the template's parameters cannot be read: {}",
                    problems.join("; ")
                );
                return Ok(Form::Live(
                    answer
                        .parameters
                        .into_iter()
                        .map(Definition::from)
                        .collect(),
                ));
            }
            // Versions of the server without live forms know the fixed list alone.
            Err(e)
                if matches!(
                    e.status(),
                    Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
                ) => {}
            Err(e) => return Err(e).context("read the template's parameters"),
        }
    }
    let list = client
        .template_version_parameters(request.version)
        .await
        .context("read the template's parameters")?;
    Ok(Form::Static(
        list.into_iter().map(Definition::from).collect(),
    ))
}

/// The preset to use: the one that was named, else the default one, else the
/// one that the person chooses.
pub fn choose_preset<'a>(
    presets: &'a [Preset],
    asked: Option<&str>,
    interactive: bool,
) -> Result<Option<&'a Preset>> {
    match asked.filter(|a| !a.is_empty()) {
        Some(name) if name.eq_ignore_ascii_case("none") => return Ok(None),
        Some(name) => {
            let names = || {
                presets
                    .iter()
                    .map(|p| p.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            return presets
                .iter()
                .find(|p| p.name == name)
                .map(Some)
                .ok_or_else(|| {
                    crate::failure::Advice::error(
                        format!("the template has no preset {name:?}"),
                        if presets.is_empty() {
                            "Leave --preset out.".to_owned()
                        } else {
                            format!("Choose one of: {}.", names())
                        },
                    )
                });
        }
        None => {}
    }
    if let Some(preset) = presets.iter().find(|p| p.default) {
        return Ok(Some(preset));
    }
    if presets.is_empty() || !interactive {
        return Ok(None);
    }
    let mut options: Vec<String> = presets.iter().map(|p| p.name.clone()).collect();
    options.push("none".to_owned());
    let chosen = crate::ui::select::select("Select a preset:", &options, 0)?;
    Ok(presets.get(chosen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preset(name: &str, default: bool) -> Preset {
        Preset {
            name: name.into(),
            default,
            ..Preset::default()
        }
    }

    #[test]
    fn presets_by_name_default_or_none() {
        let presets = [preset("small", false), preset("large", true)];
        let chosen = |asked: Option<&str>| {
            choose_preset(&presets, asked, false)
                .unwrap()
                .map(|p| p.name.as_str())
        };
        assert_eq!(chosen(Some("small")), Some("small"));
        assert_eq!(chosen(None), Some("large"));
        assert_eq!(chosen(Some("None")), None);
        assert!(choose_preset(&presets, Some("huge"), false).is_err());
        assert_eq!(
            choose_preset(&presets[..1], None, false)
                .unwrap()
                .map(|p| &p.name),
            None
        );
    }
}
