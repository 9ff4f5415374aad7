//! `coder_agent`: the process in the workspace that everything else hangs on.

use super::{Resource, first_duplicate};
use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block, Check, Constant, Finding, Nested};
use crate::text::uuid;
use crate::value::{Object, Value, field, text};

/// The resource.
pub const RESOURCE: Resource = Resource {
    check,
    create,
    refresh: Some(refresh),
    ..Resource::new("coder_agent", 1, &BLOCK)
};

const BLOCK: Block = Block::new(
    "An agent: the process in a workspace through which people and tools reach it.",
    &[
        Attribute::implied_id(),
        Attribute::string("api_key_scope")
            .about("What the agent's token may be used for: `all`, or `no_user_data` to keep it from the owner's Git keys and external tokens.")
            .default(Constant::Text("all"))
            .checked(&[Check::OneOf(&["all", "no_user_data"])]),
        Attribute::string("arch")
            .required()
            .about("Processor of the machine that the agent runs on: `amd64`, `armv7` or `arm64`.")
            .checked(&[Check::OneOf(&["amd64", "armv7", "arm64"])]),
        Attribute::string("auth")
            .about("How the agent proves who it is: `token`, or the identity of a cloud instance (`google-instance-identity`, `aws-instance-identity`, `azure-instance-identity`).")
            .default(Constant::Text("token"))
            .checked(&[Check::OneOf(&[
                "token",
                "google-instance-identity",
                "aws-instance-identity",
                "azure-instance-identity",
            ])]),
        Attribute::number("connection_timeout")
            .about("Seconds that the agent may take to connect before it counts as timed out. 0 waits for ever.")
            .default(Constant::Int(120))
            .checked(&[Check::AtLeast(0)]),
        Attribute::string("dir")
            .about("Directory in which shells start; the home directory if not set. Deprecated: other directories keep file synchronisation of desktop clients from working.")
            .deprecated("dir is deprecated and goes away in a later release. Let shells start in the home directory.")
            .checked(&[Check::Custom(check_dir)]),
        Attribute::string_map("env").about("Environment variables of every process that the agent starts."),
        Attribute::string("init_script")
            .computed()
            .about("The script that downloads and starts the agent. Run it when the machine boots."),
        Attribute::string("motd_file").about("A file in the workspace whose text is shown at SSH logins, for example `/etc/motd`."),
        Attribute::number("order").about("Place among the agents in the dashboard: the lowest comes first, equal ones are sorted by name."),
        Attribute::string("os")
            .required()
            .about("Operating system of the machine that the agent runs on: `linux`, `darwin` or `windows`.")
            .checked(&[Check::OneOf(&["linux", "darwin", "windows"])]),
        Attribute::string("shutdown_script").about("A script that runs before the workspace stops; the stop waits for it. Short for a `coder_script` with `run_on_stop`."),
        Attribute::string("startup_script").about("A script that runs when the agent has started. Short for a `coder_script` with `run_on_start`."),
        Attribute::string("startup_script_behavior")
            .about("Whether logins wait for the `startup_script`: `blocking` or `non-blocking`.")
            .default(Constant::Text("non-blocking"))
            .checked(&[Check::OneOf(&["blocking", "non-blocking"])]),
        Attribute::string("token")
            .computed()
            .sensitive()
            .about("The token by which the agent signs in: give it to the agent as the environment variable `CODER_AGENT_TOKEN`."),
        Attribute::string("troubleshooting_url").about("A page that helps those whose agent does not connect."),
    ],
    &[
        Nested::set("display_apps", &DISPLAY_APPS).at_most_one().computed(),
        Nested::list("metadata", &METADATA),
        Nested::set("resources_monitoring", &RESOURCES_MONITORING).at_most_one(),
    ],
);

const DISPLAY_APPS: Block = Block::new(
    "Which of the built-in apps the dashboard shows for the agent.",
    &[
        shown("port_forwarding_helper", true).about("Show the list of ports."),
        shown("ssh_helper", true).about("Show how to connect by SSH."),
        shown("vscode", true).about("Show VS Code Desktop."),
        shown("vscode_insiders", false).about("Show VS Code Insiders."),
        shown("web_terminal", true).about("Show the terminal."),
    ],
    &[],
);

const METADATA: Block = Block::new(
    "A value that the dashboard shows live: a command of the workspace, run again and again.",
    &[
        Attribute::string("display_name").about("What the value is called in the dashboard."),
        Attribute::number("interval")
            .required()
            .about("Seconds between two runs."),
        Attribute::string("key")
            .required()
            .about("Name of the value, unique within the agent."),
        Attribute::number("order")
            .about("Place among the values: the lowest comes first, equal ones are sorted by key."),
        Attribute::string("script")
            .required()
            .about("The command whose output is the value."),
        Attribute::number("timeout").about("Seconds that a run may take."),
    ],
    &[],
);

const RESOURCES_MONITORING: Block = Block::new(
    "What the agent watches in order to warn the owner.",
    &[],
    &[
        Nested::set("memory", &MEMORY).at_most_one(),
        Nested::set("volume", &VOLUME),
    ],
);

const MEMORY: Block = Block::new("Watch the memory.", &[MONITORED, THRESHOLD], &[]);

const VOLUME: Block = Block::new(
    "Watch a volume.",
    &[
        MONITORED,
        Attribute::string("path")
            .required()
            .about("Where the volume is mounted: an absolute path, unique within the agent.")
            .checked(&[Check::Custom(check_volume_path)]),
        THRESHOLD,
    ],
    &[],
);

const MONITORED: Attribute = Attribute::bool("enabled")
    .required()
    .about("Whether to watch it.");

const THRESHOLD: Attribute = Attribute::number("threshold")
    .required()
    .about("Percentage in use, 0 to 100, at which the owner is warned.")
    .checked(&[Check::Between(0, 100)]);

const fn shown(name: &'static str, default: bool) -> Attribute {
    Attribute::bool(name).default(Constant::Bool(default))
}

fn check_dir(value: &Value, _: &str) -> Vec<Finding> {
    match value.as_str() {
        None | Some("" | "$HOME" | "~") => Vec::new(),
        Some(_) => vec![Finding::Warning(
            "\"dir\" is not $HOME: file synchronisation of desktop clients will not work"
                .to_owned(),
        )],
    }
}

fn check_volume_path(value: &Value, _: &str) -> Vec<Finding> {
    let error = match value.as_str() {
        Some("") => "volume path must not be empty".to_owned(),
        Some(path) if !path.starts_with('/') => {
            format!("volume path must be an absolute path, got {path:?}")
        }
        _ => return Vec::new(),
    };
    vec![Finding::Error(error)]
}

fn check(planned: &Object) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    if let Some(key) = first_duplicate(field(planned, "metadata").elements(), "key") {
        diagnostics.push(
            Diagnostic::error(format!("duplicate agent metadata key {key:?}"))
                .at_attribute("metadata"),
        );
    }
    for monitoring in field(planned, "resources_monitoring")
        .elements()
        .iter()
        .filter_map(Value::as_object)
    {
        let volumes = field(monitoring, "volume");
        if let Some(path) = first_duplicate(volumes.elements(), "path") {
            diagnostics.push(
                Diagnostic::error(format!("duplicate volume path {path:?}"))
                    .at_attribute("resources_monitoring"),
            );
        }
        // Deployed templates have such blocks, so this cannot be an error.
        if volumes.is_empty() && field(monitoring, "memory").is_empty() {
            diagnostics.push(
                Diagnostic::warning("resources_monitoring watches nothing")
                    .detail("Add a `memory` or a `volume` block to it, or remove it.")
                    .at_attribute("resources_monitoring"),
            );
        }
    }
    diagnostics
}

fn create(state: &mut Object, context: &Context) -> Vec<Diagnostic> {
    refresh(state, context);
    Vec::new()
}

/// Each read makes a new token, except while a prebuilt workspace is claimed: its agent goes on running. The token
/// that a build stores is the only one that is ever valid.
fn refresh(state: &mut Object, context: &Context) {
    let token = context
        .environment
        .running_agent_token()
        .unwrap_or_else(uuid::random);
    state.insert("token".to_owned(), Value::String(token));
    if field(state, "display_apps").elements().is_empty() {
        let defaults = DISPLAY_APPS
            .attributes
            .iter()
            .filter_map(|app| Some((app.name.to_owned(), app.default?.value())));
        state.insert(
            "display_apps".to_owned(),
            Value::Sequence(vec![Value::Map(defaults.collect())]),
        );
    }
    let script = init_script(state, context);
    state.insert("init_script".to_owned(), Value::String(script));
}

/// The control plane hands over one script per platform; it lacks only the access URL and the way to sign in.
fn init_script(state: &Object, context: &Context) -> String {
    let variable = format!(
        "CODER_AGENT_SCRIPT_{}_{}",
        text(state, "os"),
        text(state, "arch")
    );
    context
        .environment
        .get(&variable)
        .replace("${ACCESS_URL}", &context.access_url.root())
        .replace("${AUTH_TYPE}", text(state, "auth"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    fn context(variables: &[(&str, &str)]) -> Context {
        Context::new(
            Environment::given(variables.iter().copied()),
            Some("http://h:3000/base"),
        )
        .unwrap()
    }

    fn agent() -> Object {
        Object::from([
            ("os".to_owned(), Value::text("linux")),
            ("arch".to_owned(), Value::text("amd64")),
            ("auth".to_owned(), Value::text("token")),
        ])
    }

    #[test]
    fn the_init_script_knows_the_access_url_and_the_way_to_sign_in() {
        let context = context(&[(
            "CODER_AGENT_SCRIPT_linux_amd64",
            "get ${ACCESS_URL}bin as ${AUTH_TYPE}",
        )]);
        let mut state = agent();
        create(&mut state, &context);
        assert_eq!(
            text(&state, "init_script"),
            "get http://h:3000/bin as token"
        );
        state.insert("arch".to_owned(), Value::text("arm64"));
        refresh(&mut state, &context);
        assert_eq!(text(&state, "init_script"), "");
    }

    #[test]
    fn the_token_changes_with_each_read_unless_the_agent_goes_on_running() {
        let mut state = agent();
        create(&mut state, &context(&[]));
        let first = text(&state, "token").to_owned();
        assert!(uuid::is_uuid(&first));
        refresh(&mut state, &context(&[]));
        assert_ne!(text(&state, "token"), first);
        let claim = "CODER_RUNNING_WORKSPACE_AGENT_TOKEN_e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        refresh(&mut state, &context(&[(claim, "kept")]));
        assert_eq!(text(&state, "token"), "kept");
    }

    #[test]
    fn built_in_apps_have_defaults_that_are_stored() {
        let mut state = agent();
        create(&mut state, &context(&[]));
        let apps = field(&state, "display_apps").elements()[0]
            .as_object()
            .unwrap();
        assert_eq!(apps.len(), 5);
        assert_eq!(field(apps, "vscode_insiders"), &Value::Bool(false));
        assert_eq!(field(apps, "web_terminal"), &Value::Bool(true));
    }

    #[test]
    fn duplicates_are_found_among_what_is_known() {
        let item = |name: &str, value: Value| Value::Map(Object::from([(name.to_owned(), value)]));
        let mut state = agent();
        let keys = vec![
            item("key", Value::Unknown),
            item("key", Value::Unknown),
            item("key", Value::text("k")),
        ];
        state.insert("metadata".to_owned(), Value::Sequence(keys));
        assert!(check(&state).is_empty());
        let keys = vec![item("key", Value::text("k")), item("key", Value::text("k"))];
        state.insert("metadata".to_owned(), Value::Sequence(keys));
        assert!(
            check(&state)[0]
                .summary
                .contains("duplicate agent metadata key \"k\"")
        );
    }
}
