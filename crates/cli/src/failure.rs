//! How a command ends when it does not succeed: what is printed, which code.

use std::fmt;
use std::fmt::Write as _;

use crate::ui::style::Style;

/// Ends the program with a code and prints nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(pub u8);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

impl std::error::Error for Exit {}

/// The person said no, or pressed ctrl-C at a prompt: nothing to explain.
#[derive(Debug, Clone, Copy)]
pub struct Canceled;

impl fmt::Display for Canceled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("canceled")
    }
}

impl std::error::Error for Canceled {}

/// A message with the next step.
#[derive(Debug)]
pub struct Advice {
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub suggestion: String,
}

impl Advice {
    /// An error that says what to do.
    pub fn error(message: impl Into<String>, suggestion: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self {
            message: message.into(),
            suggestion: suggestion.into(),
        })
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Advice {}

/// The code that the program ends with after `error`.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<Exit>().map_or(1, |e| e.0)
}

/// What to print about `error` of `command` (`coder list`); nothing for ends
/// that need no words.
pub fn explain(
    command: &str,
    error: &anyhow::Error,
    verbose: bool,
    style: Style,
) -> Option<String> {
    if error.is::<Exit>() || error.is::<Canceled>() {
        return None;
    }
    let mut text = style.error(&format!(
        "Encountered an error running \"{command}\", see \"{command} --help\" for more information"
    ));
    text.push_str(&style.error("\nerror: "));
    match api_error(error) {
        Some((context, api)) => {
            if verbose {
                let _ = writeln!(
                    text,
                    "API request error to \"{}:{}\". Status code {}",
                    api.method,
                    api.url,
                    api.status.as_u16()
                );
            }
            if !context.is_empty() {
                let _ = write!(text, "{context}: ");
            }
            text.push_str(&api.message);
            if !api.validations.is_empty() {
                let _ = write!(
                    text,
                    "\n{} validation error(s) found",
                    api.validations.len()
                );
                for v in &api.validations {
                    let _ = write!(
                        text,
                        "\n\t{}: {}",
                        style.field(&v.field),
                        style.warn(&v.detail)
                    );
                }
            }
            if let Some(suggestion) = &api.suggestion {
                let _ = write!(text, "\nSuggestion: {suggestion}");
            }
            if !api.detail.is_empty() && (verbose || api.suggestion.is_none()) {
                let _ = write!(text, "\n{}", api.detail);
            }
        }
        None => {
            let _ = write!(text, "{error:#}");
            if let Some(advice) = error.downcast_ref::<Advice>() {
                let _ = write!(text, "\nSuggestion: {}", advice.suggestion);
            }
        }
    }
    Some(text)
}

/// The server's error at the root of `error`, and the contexts around it.
fn api_error(error: &anyhow::Error) -> Option<(String, &client::ApiError)> {
    let mut contexts = Vec::new();
    for cause in error.chain() {
        if let Some(api) = cause
            .downcast_ref::<client::Error>()
            .and_then(client::Error::api)
        {
            return Some((contexts.join(": "), api));
        }
        contexts.push(cause.to_string());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(suggestion: Option<&str>) -> anyhow::Error {
        anyhow::Error::new(client::Error::Api(Box::new(client::ApiError {
            status: http::StatusCode::CONFLICT,
            method: "POST".into(),
            url: "http://coder.test/api/v2/x".into(),
            message: "Name is taken.".into(),
            detail: "unique constraint".into(),
            validations: vec![api_types::ValidationError {
                field: "name".into(),
                detail: "in use".into(),
            }],
            suggestion: suggestion.map(Into::into),
        })))
        .context("create workspace")
    }

    #[test]
    fn server_errors_show_message_validations_and_detail() {
        let text = explain("coder create", &refused(None), false, Style::plain()).unwrap();
        assert_eq!(
            text,
            "Encountered an error running \"coder create\", see \"coder create --help\" for more information\n\
             error: create workspace: Name is taken.\n1 validation error(s) found\n\tname: in use\nunique constraint"
        );
    }

    #[test]
    fn detail_hides_behind_a_suggestion_unless_verbose() {
        let error = refused(Some("take another name"));
        let brief = explain("coder create", &error, false, Style::plain()).unwrap();
        assert!(brief.ends_with("Suggestion: take another name"));
        let long = explain("coder create", &error, true, Style::plain()).unwrap();
        assert!(long.contains("Status code 409") && long.ends_with("unique constraint"));
    }

    #[test]
    fn codes_and_silence() {
        assert_eq!(exit_code(&anyhow::Error::new(Exit(42))), 42);
        assert_eq!(exit_code(&anyhow::anyhow!("x")), 1);
        assert!(
            explain(
                "coder ssh",
                &anyhow::Error::new(Exit(42)),
                true,
                Style::plain()
            )
            .is_none()
        );
        assert!(
            explain(
                "coder stop",
                &anyhow::Error::new(Canceled),
                true,
                Style::plain()
            )
            .is_none()
        );
        let advice = Advice::error("not signed in", "run coder login");
        assert!(
            explain("coder list", &advice, false, Style::plain())
                .unwrap()
                .ends_with("error: not signed in\nSuggestion: run coder login")
        );
    }
}
