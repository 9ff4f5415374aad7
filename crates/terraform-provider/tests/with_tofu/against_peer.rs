//! The same templates under both providers: schema, plans, states and objections must be the same.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value as Json;

use crate::tofu::{self, Workdir, text};

const ACCEPTED: &str = include_str!("templates/accepted.tf");
const REFUSED: &str = include_str!("templates/refused.tf");
const FAILING: &str = include_str!("templates/failing.tf");

/// Runs a test with OpenTofu and the other implementation, if both are there.
fn with_both(test: impl FnOnce(&'static Path, &Path)) {
    if let (Some(tofu), Some(peers)) = (tofu::find(), tofu::peers()) {
        test(tofu, &peers);
    }
}

/// Descriptions are each implementation's own; that there is one is not.
fn without_wording(json: &mut Json) {
    match json {
        Json::Object(object) => object.iter_mut().for_each(|(key, value)| match value {
            Json::String(text) if key == "description" && !text.is_empty() => {
                "…".clone_into(text);
            }
            value => without_wording(value),
        }),
        Json::Array(array) => array.iter_mut().for_each(without_wording),
        _ => {}
    }
}

/// Random identifiers, times and checksums differ from run to run.
fn without_chance(json: &mut Json) {
    match json {
        Json::String(text) if text.len() == 36 && text.matches('-').count() == 4 => {
            "<uuid>".clone_into(text);
        }
        Json::String(text) if text.len() == 43 && text.matches('-').count() == 5 => {
            "<uuid>…".clone_into(text);
        }
        Json::Object(object) => {
            for key in [
                "timestamp",
                "lineage",
                "serial",
                "check_results",
                "relevant_attributes",
            ] {
                object.remove(key);
            }
            object.values_mut().for_each(without_chance);
        }
        Json::Array(array) => array.iter_mut().for_each(without_chance),
        _ => {}
    }
}

fn assert_same(ours: &Json, theirs: &Json, path: &str) {
    match (ours, theirs) {
        (Json::Object(a), Json::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                assert_same(
                    a.get(key).unwrap_or(&Json::Null),
                    b.get(key).unwrap_or(&Json::Null),
                    &format!("{path}.{key}"),
                );
            }
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                assert_same(a, b, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(ours, theirs, "{path} (ours left)"),
    }
}

#[test]
fn the_schema_is_the_same() {
    with_both(|tofu, peers| {
        let workdir = Workdir::ours(tofu);
        workdir.write("main.tf", ACCEPTED);
        let read = || {
            let mut schema = workdir.json(&["providers", "schema", "-json"]);
            without_wording(&mut schema);
            schema
        };
        let ours = read();
        workdir.use_peer(peers);
        assert_same(&ours, &read(), "");
    });
}

/// Plan, state and the plan after that, of a template that both accept.
fn outcome(workdir: &Workdir) -> [Json; 3] {
    let plan = |file: &str| {
        let output = workdir.run(&["plan", "-no-color", "-input=false", "-out", file]);
        assert!(output.status.success(), "{}", text(&output));
        workdir.json(&["show", "-json", file])
    };
    let first = plan("first.plan");
    let output = workdir.run(&["apply", "-no-color", "-auto-approve", "first.plan"]);
    assert!(output.status.success(), "{}", text(&output));
    let state =
        serde_json::from_slice(&std::fs::read(workdir.path("terraform.tfstate")).unwrap()).unwrap();
    let mut outcome = [first, state, plan("second.plan")];
    outcome.iter_mut().for_each(without_chance);
    outcome
}

const BUILD: &[(&str, &str)] = &[
    ("CODER_AGENT_URL", "http://localhost:3000/base"),
    (
        "CODER_AGENT_SCRIPT_linux_amd64",
        "get ${ACCESS_URL} as ${AUTH_TYPE}",
    ),
    ("CODER_WORKSPACE_BUILD_ID", "b"),
    ("CODER_WORKSPACE_ID", "w"),
    ("CODER_WORKSPACE_NAME", "dev"),
    ("CODER_WORKSPACE_TRANSITION", "stop"),
    ("CODER_WORKSPACE_TEMPLATE_ID", "t"),
    ("CODER_WORKSPACE_TEMPLATE_NAME", "tn"),
    ("CODER_WORKSPACE_TEMPLATE_VERSION", "tv"),
    ("CODER_WORKSPACE_IS_PREBUILD", "true"),
    ("CODER_WORKSPACE_OWNER", "alice"),
    ("CODER_WORKSPACE_OWNER_ID", "o"),
    ("CODER_WORKSPACE_OWNER_EMAIL", "a@example.com"),
    ("CODER_WORKSPACE_OWNER_GROUPS", r#"["x","y"]"#),
    (
        "CODER_WORKSPACE_OWNER_RBAC_ROLES",
        r#"[{"name":"member","org_id":"1"}]"#,
    ),
    ("CODER_WORKSPACE_OWNER_LOGIN_TYPE", "oidc"),
    ("CODER_WORKSPACE_OWNER_SESSION_TOKEN", "s"),
    ("CODER_EXTERNAL_AUTH_ACCESS_TOKEN_github", "gh"),
    // sha256 of "p"
    (
        "CODER_PARAMETER_148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940",
        "input",
    ),
    (
        "CODER_RUNNING_WORKSPACE_AGENT_TOKEN_e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "kept",
    ),
    ("CODER_TASK_ID", "6fc86ab6-2083-496f-b193-5b32f39beeef"),
    ("CODER_TASK_PROMPT", "do it"),
    ("CODER_SECRET_ENV_X", "secret"),
    ("CODER_SECRET_FILE_7e2f78", "file secret"),
];

fn plans_and_states_are_the_same(variables: &[(&str, &str)]) {
    with_both(|tofu, peers| {
        let run = |turn: &dyn Fn(&Workdir)| {
            let mut workdir = Workdir::new(tofu, "");
            workdir.write("main.tf", ACCEPTED);
            workdir.set_all(variables);
            turn(&workdir);
            outcome(&workdir)
        };
        let ours = run(&Workdir::use_ours);
        let theirs = run(&|workdir| workdir.use_peer(peers));
        for (name, (ours, theirs)) in ["plan", "state", "second plan"]
            .iter()
            .zip(ours.iter().zip(&theirs))
        {
            assert_same(ours, theirs, name);
        }
    });
}

#[test]
fn plans_and_states_are_the_same_by_hand() {
    plans_and_states_are_the_same(&[]);
}

#[test]
fn plans_and_states_are_the_same_in_a_build() {
    plans_and_states_are_the_same(BUILD);
}

/// Where a template is objected to: severity, and lines of the file (or the summary where there is no line).
fn objections(diagnostics: &[Json]) -> BTreeSet<String> {
    diagnostics
        .iter()
        .filter(|diagnostic| {
            diagnostic["summary"] != "Provider development overrides are in effect"
        })
        .map(|diagnostic| {
            let place = match &diagnostic["range"]["start"]["line"] {
                Json::Null => diagnostic["summary"].to_string(),
                line => format!("line {line}"),
            };
            format!(
                "{} {place}",
                diagnostic["severity"].as_str().unwrap_or_default()
            )
        })
        .collect()
}

#[test]
fn the_same_configurations_are_refused() {
    with_both(|tofu, peers| {
        let workdir = Workdir::ours(tofu);
        workdir.write("main.tf", REFUSED);
        let validate = || {
            let output = workdir.run(&["validate", "-json"]);
            let answer: Json = serde_json::from_slice(&output.stdout).unwrap();
            objections(answer["diagnostics"].as_array().unwrap())
        };
        let ours = validate();
        assert!(ours.len() > 30, "{ours:?}");
        workdir.use_peer(peers);
        assert_eq!(ours, validate());
    });
}

#[test]
fn the_same_plans_fail() {
    with_both(|tofu, peers| {
        let mut workdir = Workdir::ours(tofu);
        workdir.write("main.tf", FAILING);
        // A start build, in which secrets are demanded.
        workdir.set_all(BUILD);
        workdir.set("CODER_WORKSPACE_TRANSITION", "start");
        let plan = || {
            let output = workdir.run(&["plan", "-json", "-input=false"]);
            assert!(!output.status.success());
            let lines = String::from_utf8_lossy(&output.stdout);
            let diagnostics = lines.lines().filter_map(|line| {
                Some(serde_json::from_str::<Json>(line).ok()?["diagnostic"].take())
                    .filter(|d| !d.is_null())
            });
            objections(&diagnostics.collect::<Vec<_>>())
        };
        let ours = plan();
        assert!(ours.len() >= 18, "{ours:?}");
        workdir.use_peer(peers);
        assert_eq!(ours, plan());
    });
}

#[test]
fn a_state_of_either_provider_needs_no_change_under_the_other() {
    with_both(|tofu, peers| {
        let mut workdir = Workdir::ours(tofu);
        workdir.write("main.tf", ACCEPTED);
        // With the running agents' token everything that depends on it stays, too.
        workdir.set_all(BUILD);
        let apply = || {
            let output = workdir.run(&["apply", "-no-color", "-auto-approve", "-input=false"]);
            assert!(output.status.success(), "{}", text(&output));
        };
        let unchanged = || {
            let output = workdir.run(&["plan", "-no-color", "-detailed-exitcode", "-input=false"]);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        };
        apply();
        workdir.use_peer(peers);
        unchanged();
        std::fs::remove_file(workdir.path("terraform.tfstate")).unwrap();
        apply();
        workdir.use_ours();
        unchanged();
    });
}

#[test]
fn a_template_that_pins_the_other_provider_builds_with_ours() {
    with_both(|tofu, peers| {
        let workdir = Workdir::new(tofu, "");
        workdir.write("main.tf", ACCEPTED);
        workdir.use_peer(peers);
        let lock = std::fs::read_to_string(workdir.path(".terraform.lock.hcl")).unwrap();
        assert!(lock.contains("hashes"), "{lock}");
        std::fs::remove_dir_all(workdir.path(".terraform")).unwrap();
        workdir.use_ours();
        let output = workdir.run(&["apply", "-no-color", "-auto-approve", "-input=false"]);
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(
            std::fs::read_to_string(workdir.path(".terraform.lock.hcl")).unwrap(),
            lock
        );
    });
}
