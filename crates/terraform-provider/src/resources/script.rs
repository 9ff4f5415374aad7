//! `coder_script`: a script that an agent runs at start, at stop or by the clock.

use super::{AGENT_ID, Resource, is_set};
use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block, Check, Constant, Finding};
use crate::text::cron;
use crate::value::{Object, Value, field};

/// The resource.
pub const RESOURCE: Resource = Resource {
    create,
    ..Resource::new("coder_script", 1, &BLOCK)
};

const BLOCK: Block = Block::new(
    "A script that an agent runs. Scripts of one agent run side by side.",
    &[
        AGENT_ID,
        Attribute::string("cron")
            .about("When to run it, as a cron expression of six fields that begins with the seconds: `0 */5 * * * *` is every five minutes.")
            .checked(&[Check::Custom(check_cron)]),
        Attribute::string("display_name").required().about("What its log is called in the dashboard."),
        Attribute::string("icon").about("URL of an icon, for example `/icon/folder.svg`."),
        Attribute::implied_id(),
        Attribute::string("log_path").about("File that receives its output; a relative path is taken from the agent's log directory."),
        Attribute::bool("run_on_start").about("Whether to run it when the agent starts.").default(Constant::Bool(false)),
        Attribute::bool("run_on_stop")
            .about("Whether to run it when the agent stops; the stop waits for it.")
            .default(Constant::Bool(false)),
        Attribute::string("script").required().about("Its text."),
        Attribute::bool("start_blocks_login")
            .about("Whether logins wait until it has run. Only with `run_on_start`.")
            .default(Constant::Bool(false)),
        Attribute::number("timeout")
            .about("Seconds after which it is stopped. Not set, it may run for ever.")
            .default(Constant::Int(0))
            .checked(&[Check::AtLeast(1)]),
    ],
    &[],
);

fn check_cron(value: &Value, name: &str) -> Vec<Finding> {
    let expression = value.as_str().unwrap_or_default();
    let mut findings = Vec::new();
    if expression.split_whitespace().count() == 5 && cron::check_classic(expression).is_ok() {
        findings.push(Finding::Warning(format!(
            "{name} {expression:?} has five fields, but six are expected, seconds first: '0 {expression}' runs at the start of each of these minutes"
        )));
    }
    if let Err(reason) = cron::check_with_seconds(expression) {
        findings.push(Finding::Error(format!(
            "{expression} is not a valid cron expression: {reason}"
        )));
    }
    findings
}

fn create(state: &mut Object, _: &Context) -> Vec<Diagnostic> {
    let on = |name| field(state, name) == &Value::Bool(true);
    let error = if !on("run_on_start") && !on("run_on_stop") && !is_set(state, "cron") {
        r#"at least one of "run_on_start", "run_on_stop", or "cron" must be set"#
    } else if on("start_blocks_login") && !on("run_on_start") {
        r#""start_blocks_login" can only be set if "run_on_start" is "true""#
    } else {
        return Vec::new();
    };
    vec![Diagnostic::error(error)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_fields_get_advice_and_what_cannot_run_an_error() {
        let kinds = |text: &str| -> Vec<&str> {
            check_cron(&Value::text(text), "cron")
                .iter()
                .map(|finding| match finding {
                    Finding::Error(_) => "error",
                    Finding::Warning(_) => "warning",
                })
                .collect()
        };
        assert_eq!(kinds("0 0 22 * * *"), [""; 0]);
        assert_eq!(kinds("0 22 * * 0"), ["warning", "error"]);
        assert_eq!(kinds("0 22 * * 1"), ["warning"]);
        assert_eq!(kinds("every day"), ["error"]);
        assert_eq!(kinds(""), ["error"]);
    }

    #[test]
    fn a_script_that_never_runs_is_refused() {
        let context =
            Context::new(crate::environment::Environment::given([("", "")]), None).unwrap();
        let script = |entries: &[(&str, Value)]| {
            let mut state: Object = entries
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect();
            create(&mut state, &context)
                .first()
                .map(|diagnostic| diagnostic.summary.clone())
        };
        assert!(script(&[]).unwrap().contains("at least one of"));
        let blocking = [
            ("run_on_stop", Value::Bool(true)),
            ("start_blocks_login", Value::Bool(true)),
        ];
        assert!(script(&blocking).unwrap().contains("start_blocks_login"));
        assert_eq!(script(&[("cron", Value::text("@daily"))]), None);
    }
}
