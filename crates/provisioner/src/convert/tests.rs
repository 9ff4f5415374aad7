//! Plans and states of small templates.

use rpc::proto::provisioner::agent;

use super::{ConvertError, Converted, Template, convert, from_plan, from_state};
use crate::hcl::{Configuration, Files};

fn template(files: &[(&str, &str)]) -> Template {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
        .collect();
    Template::new(Configuration::read(&Files::new(files)).unwrap())
}

fn planned(text: &str, resources: &str) -> Result<Converted, ConvertError> {
    let plan = format!(r#"{{"planned_values":{{"root_module":{{"resources":[{resources}]}}}}}}"#);
    convert(
        &template(&[("main.tf", text)]),
        &from_plan(plan.as_bytes())?,
    )
}

fn resource(kind: &str, name: &str, values: &str) -> String {
    format!(r#"{{"mode":"managed","type":"{kind}","name":"{name}","values":{values}}}"#)
}

fn data(kind: &str, name: &str, values: &str) -> String {
    format!(r#"{{"mode":"data","type":"{kind}","name":"{name}","values":{values}}}"#)
}

#[test]
fn two_agents_keep_their_own_apps_before_ids_are_known() {
    let text = r#"
resource "coder_agent" "a" {}
resource "coder_agent" "b" {}
resource "coder_app" "one" { agent_id = coder_agent.b.id }
resource "x_machine" "m" { token = coder_agent.a.token }
resource "x_machine" "n" { token = coder_agent.b.token }
"#;
    let found = [
        resource("coder_agent", "a", r#"{"auth":"token","os":"linux"}"#),
        resource("coder_agent", "b", r#"{"auth":"token"}"#),
        resource("coder_app", "one", r#"{"slug":"one"}"#),
        resource("x_machine", "m", "{}"),
        resource("x_machine", "n", "{}"),
    ];
    let converted = planned(text, &found.join(",")).unwrap();
    let machines = &converted.resources;
    assert_eq!(machines[0].agents[0].name, "a");
    assert!(machines[0].agents[0].apps.is_empty());
    assert_eq!(machines[1].agents[0].apps[0].slug, "one");
}

#[test]
fn agents_inside_of_counted_modules_are_found() {
    let files = [
        (
            "main.tf",
            "module \"dev\" {\n source = \"./dev\"\n count = 2\n}\n",
        ),
        (
            "dev/main.tf",
            "resource \"coder_agent\" \"main\" {}\nresource \"x_machine\" \"m\" { token = coder_agent.main.token }\n",
        ),
    ];
    let state = br#"{"version":4,"resources":[
      {"module":"module.dev[0]","mode":"managed","type":"coder_agent","name":"main","instances":[{"attributes":{"id":"a0","auth":"token","token":"t"}}]},
      {"module":"module.dev[0]","mode":"managed","type":"x_machine","name":"m","instances":[{"attributes":{"id":"0"}}]},
      {"module":"module.dev[1]","mode":"managed","type":"x_machine","name":"m","instances":[{"attributes":{"id":"1"}}]}]}"#;
    let converted = convert(&template(&files), &from_state(state).unwrap()).unwrap();
    let hosts: Vec<_> = converted
        .resources
        .iter()
        .filter(|r| !r.agents.is_empty())
        .collect();
    assert_eq!(hosts.len(), 1);
    assert_eq!(hosts[0].module_path, "module.dev[0]");
}

#[test]
fn identity_of_the_machine_becomes_that_of_the_agent() {
    let text = "resource \"coder_agent\" \"main\" {}\nresource \"aws_instance\" \"dev\" { user_data = coder_agent.main.init_script }\n";
    let state = br#"{"version":4,"resources":[
      {"mode":"managed","type":"coder_agent","name":"main","instances":[{"attributes":{"id":"a","auth":"aws-instance-identity"}}]},
      {"mode":"managed","type":"aws_instance","name":"dev","instances":[{"attributes":{"id":"i-123","instance_type":"t3.small"}}]}]}"#;
    let converted = convert(&template(&[("main.tf", text)]), &from_state(state).unwrap()).unwrap();
    let machine = &converted.resources[0];
    assert_eq!(machine.instance_type, "t3.small");
    let identity = agent::Auth::InstanceId("i-123".into());
    assert!(machine.agents[0].auth == Some(identity));
}

#[test]
fn metadata_goes_to_the_resource_that_it_names() {
    let text = r#"
resource "x_disk" "d" {}
resource "x_machine" "m" { disk = x_disk.d.id }
resource "coder_metadata" "m" { resource_id = x_machine.m.id }
"#;
    let found = [
        resource("x_disk", "d", "{}"),
        resource("x_machine", "m", "{}"),
        resource(
            "coder_metadata",
            "m",
            r#"{"hide":true,"daily_cost":3,"item":[{"key":"k","value":"v"},{"key":"n","value":null,"is_null":true}]}"#,
        ),
    ];
    let converted = planned(text, &found.join(",")).unwrap();
    let (disk, machine) = (&converted.resources[0], &converted.resources[1]);
    assert!(!disk.hide && machine.hide);
    assert_eq!((machine.daily_cost, machine.metadata.len()), (3, 2));
    assert!(machine.metadata[1].is_null);
}

#[test]
fn what_a_template_must_not_do() {
    let agents = "resource \"coder_agent\" \"a\" {}\nresource \"coder_agent\" \"A\" {}\nresource \"x\" \"m\" { t = [coder_agent.a.token, coder_agent.A.token] }\n";
    let twice = [
        resource("coder_agent", "a", "{}"),
        resource("coder_agent", "A", "{}"),
        resource("x", "m", "{}"),
    ];
    let app =
        |slug: &str, name: &str| resource("coder_app", name, &format!(r#"{{"slug":"{slug}"}}"#));
    let parameter = |name: &str| data("coder_parameter", name, r#"{"name":"p","type":"string"}"#);
    let preset = |label: &str, name: &str| {
        let values = format!(r#"{{"name":"{name}","default":true}}"#);
        data("coder_workspace_preset", label, &values)
    };
    for (text, found, wanted) in [
        (agents, twice.join(","), "duplicate agent name"),
        ("", resource("coder_agent", "my_agent", "{}"), "underscores"),
        ("", resource("coder_agent", "a--b", "{}"), "does not match"),
        ("", app("UPPER", "a"), "does not match"),
        (
            "",
            [app("x", "a"), app("x", "b")].join(","),
            "duplicate app slug",
        ),
        (
            "",
            [parameter("a"), parameter("b")].join(","),
            "must be unique",
        ),
        (
            "",
            [preset("a", "P"), preset("b", "P")].join(","),
            "must be unique",
        ),
        (
            "",
            [preset("a", "P"), preset("b", "Q")].join(","),
            "maximum of 1",
        ),
        (
            "",
            data("coder_parameter", "x", r#"{"name":"p","form_type":"dial"}"#),
            "form_type",
        ),
    ] {
        let error = planned(text, &found).unwrap_err().to_string();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

#[test]
fn an_agent_that_nothing_uses_is_told() {
    let converted = planned(
        "resource \"coder_agent\" \"a\" {}\n",
        &resource("coder_agent", "a", "{}"),
    )
    .unwrap();
    assert!(converted.resources.is_empty());
    assert!(
        converted.warnings[0].starts_with("coder_agent.a is left out"),
        "{:?}",
        converted.warnings
    );
}

#[test]
fn parameters_and_presets_are_read() {
    let found = [
        data(
            "coder_parameter",
            "n",
            r#"{"name":"n","type":"number","default":"3","optional":true,"form_type":"slider","validation":[{"min":1,"max":9,"min_disabled":false,"max_disabled":false,"monotonic":"increasing"}]}"#,
        ),
        data(
            "coder_parameter",
            "old",
            r#"{"name":"old","type":"number","validation":[{"min":0,"max":0,"regex":""}]}"#,
        ),
        data(
            "coder_workspace_preset",
            "p",
            r#"{"name":"P","parameters":{"n":"5","gone":"1"},"prebuilds":[{"instances":2,"expiration_policy":[{"ttl":3600}],"scheduling":[{"timezone":"UTC","schedule":[{"cron":"* 8-18 * * 1-5","instances":4}]}]}]}"#,
        ),
        data(
            "coder_external_auth",
            "g",
            r#"{"id":"github","optional":true}"#,
        ),
    ];
    let converted = planned("", &found.join(",")).unwrap();
    let [n, old] = &converted.parameters[..] else {
        panic!("{:?}", converted.parameters)
    };
    assert_eq!(
        (n.validation_min, n.validation_max, n.required),
        (Some(1), Some(9), false)
    );
    assert_eq!((old.validation_min, old.required), (None, true));
    let prebuild = converted.presets[0].prebuild.as_ref().unwrap();
    assert_eq!(
        (prebuild.instances, prebuild.expiration_policy.unwrap().ttl),
        (2, 3600)
    );
    assert!(converted.warnings[0].contains("gone"));
    assert!(converted.external_auth[0].optional);
}
