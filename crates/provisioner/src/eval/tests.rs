//! Forms of small templates.

use std::collections::BTreeMap;

use super::{CODE_REQUIRED, Owner, Rendered, Renderer};

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, name, text.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn map(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn render_with(
    files: &[(&str, &str)],
    variables: &[(&str, &str)],
    inputs: &[(&str, &str)],
) -> Rendered {
    let variables: Vec<_> = map(variables).into_iter().collect();
    let renderer = Renderer::new(&tar(files), &[], &[], &variables).unwrap();
    let owner = Owner {
        name: "ada".into(),
        groups: vec!["Everyone".into(), "gpu".into()],
        ..Owner::default()
    };
    renderer.render(&owner, &map(inputs), &BTreeMap::new())
}

fn render(text: &str, inputs: &[(&str, &str)]) -> Rendered {
    render_with(&[("main.tf", text)], &[], inputs)
}

/// The value of the parameter `x` whose default is an expression.
fn value(expression: &str) -> Result<Option<String>, String> {
    let text = format!(
        "locals {{\n  l = [1, 2, 3]\n  o = {{ a = \"x\", b = \"y\" }}\n}}\nvariable \"v\" {{ default = \"vee\" }}\ndata \"coder_workspace\" \"me\" {{}}\ndata \"coder_workspace_owner\" \"me\" {{}}\ndata \"coder_parameter\" \"x\" {{\n  name = \"x\"\n  default = {expression}\n}}\n"
    );
    let rendered = render(&text, &[]);
    let x = &rendered.parameters[0];
    match x.diagnostics.first() {
        Some(d) => Err(d.detail.clone()),
        None => Ok(x.value.clone()),
    }
}

#[test]
fn expressions() {
    for (expression, wanted) in [
        ("1 + 2 * 3", "7"),
        ("0.1", "0.1"),
        ("\"a${var.v}b\"", "aveeb"),
        ("local.l[1]", "2"),
        ("local.o[\"b\"]", "y"),
        ("local.o.a == \"x\" ? \"yes\" : \"no\"", "yes"),
        (
            "join(\",\", [for k, v in local.o : \"${k}=${v}\" if k != \"b\"])",
            "a=x",
        ),
        (
            "jsonencode({ for k, v in local.o : v => k })",
            "{\"x\":\"a\",\"y\":\"b\"}",
        ),
        ("jsonencode(local.l[*])", "[1,2,3]"),
        (
            "\"%{ for n in local.l ~}\n ${n}; %{ endfor ~}\"",
            "1; 2; 3; ",
        ),
        ("<<-EOT\n    a\n      b\n    EOT\n", "a\n  b\n"),
        ("lower(\"ABC\")", "abc"),
        ("replace(\"a-b\", \"/[^a-z]/\", \"_\")", "a_b"),
        ("replace(\"a1-b2\", \"/([a-z])(.)/\", \"$2$1\")", "1a-2b"),
        ("replace(\"abc\", \"\", \"-\")", "-a-b-c-"),
        ("join(\"-\", [\"\", \"a\"], [], [\"b\"])", "-a-b"),
        ("jsonencode(range(3, 0))", "[3,2,1]"),
        ("length(range(1024))", "1024"),
        ("try(local.o.nothing, \"fallback\")", "fallback"),
        ("can(regex(\"^v\", var.v))", "true"),
        ("regex(\"(?P<first>.)\", var.v).first", "v"),
        ("coalesce(\"\", null, \"c\")", "c"),
        ("substr(\"hello\", -3, 2)", "ll"),
        (
            "format(\"%03d|%-4s|%.1f|%q\", 7, \"a\", 1.25, \"x\")",
            "007|a   |1.2|\"x\"",
        ),
        ("element([\"a\", \"b\"], 3)", "b"),
        ("length(merge({ a = 1 }, { b = 2 }))", "2"),
        (
            "contains(data.coder_workspace_owner.me.groups, \"gpu\")",
            "true",
        ),
        ("data.coder_workspace_owner.me.name", "ada"),
        ("data.coder_workspace.me.start_count", "1"),
        ("base64decode(base64encode(\"x\"))", "x"),
        (
            "timeadd(\"2026-01-01T00:00:00Z\", \"1h30m\")",
            "2026-01-01T01:30:00Z",
        ),
        (
            "formatdate(\"DD MMM YYYY\", \"2026-01-02T00:00:00Z\")",
            "02 Jan 2026",
        ),
        ("one(toset([\"a\", \"a\"]))", "a"),
        ("jsonencode(flatten([[1], [2, [3]]]))", "[1,2,3]"),
        ("tostring(false || 1 < 2)", "true"),
    ] {
        assert_eq!(
            value(expression),
            Ok(Some(wanted.to_owned())),
            "{expression}"
        );
    }
}

#[test]
fn what_only_a_run_knows_is_no_error() {
    for expression in [
        "data.coder_workspace.me.name",
        "timestamp()",
        "lower(data.coder_workspace.me.id)",
        "\"a-${data.coder_workspace.me.id}\"",
        "data.coder_workspace.me.id == \"x\" ? \"a\" : \"b\"",
        "file(\"not-there\")",
    ] {
        assert_eq!(value(expression), Ok(None), "{expression}");
    }
}

#[test]
fn mistakes_are_errors_with_their_place() {
    for expression in [
        "local.nothing",
        "1 / 0",
        "local.l[9]",
        "nosuchfunction(1)",
        "regex(\"(\", \"x\")",
        "local.o.c",
        "\"a\" + 1",
    ] {
        let error = value(expression).unwrap_err();
        assert!(
            error.starts_with("main.tf line 8: "),
            "{expression}: {error}"
        );
    }
}

#[test]
fn templates_made_to_exhaust_us_end() {
    let bomb = "locals {\n  a = range(1000)\n  b = [for x in local.a : [for y in local.a : [for z in local.a : z]]]\n}\ndata \"coder_parameter\" \"x\" {\n  name = \"x\"\n  default = length(local.b)\n}\n";
    let rendered = render(bomb, &[]);
    assert!(!rendered.parameters[0].diagnostics.is_empty());
    let circle = "locals {\n  a = local.b\n  b = local.a\n}\ndata \"coder_parameter\" \"x\" {\n  name = \"x\"\n  default = local.a\n}\n";
    let rendered = render(circle, &[]);
    assert!(
        rendered.parameters[0].diagnostics[0]
            .detail
            .contains("refers to itself")
    );
    for endless in [
        "length(range(1025))",
        "length(range(1e16, 1e16 + 500, 1))",
        "replace(join(\"\", range(1000)), \"\", join(\"--------\", range(1000)))",
        "replace(join(\"\", range(1000)), \"/./\", join(\"$0$0$0$0\", range(1000)))",
        "join(join(\"--------\", range(1000)), range(1000))",
    ] {
        assert!(value(endless).is_err(), "{endless}");
    }
    let own = "data \"coder_parameter\" \"x\" {\n  name = \"x\"\n  default = data.coder_parameter.x.value\n}\n";
    let _ = render(own, &[]);
}

#[test]
fn long_chains_end_before_the_stack_does() {
    let mut text = String::from("locals {\n");
    for n in 0..2000 {
        text.push_str(&format!(
            "  a{n} = {{ v = [for x in [lower(\"${{local.a{}.v[0]}}\")] : x] }}\n",
            n + 1
        ));
    }
    text.push_str(
        "}\ndata \"coder_parameter\" \"x\" {\n  name = \"x\"\n  default = local.a0.v[0]\n}\n",
    );
    let rendered = render(&text, &[]);
    let detail = &rendered.parameters[0].diagnostics[0].detail;
    assert!(detail.contains("nested too deeply"), "{detail}");
    let parens = format!(
        "data \"coder_parameter\" \"x\" {{\n  name = \"x\"\n  default = {}1{}\n}}\n",
        "(".repeat(5000),
        ")".repeat(5000)
    );
    assert!(Renderer::new(&tar(&[("main.tf", &parens)]), &[], &[], &[]).is_err());
}

const CONDITIONAL: &str = r#"
data "coder_workspace_owner" "me" {}
locals {
  sizes = { small = 2, large = 8 }
}
data "coder_parameter" "kind" {
  name    = "kind"
  default = "cpu"
  order   = 1
  dynamic "option" {
    for_each = contains(data.coder_workspace_owner.me.groups, "gpu") ? ["cpu", "gpu"] : ["cpu"]
    content {
      name  = upper(option.value)
      value = option.value
    }
  }
}
data "coder_parameter" "cards" {
  count = data.coder_parameter.kind.value == "gpu" ? 1 : 0
  name  = "cards"
  type  = "number"
  order = 2
  validation {
    min = 1
    max = 4
  }
}
data "coder_parameter" "size" {
  for_each = local.sizes
  name     = "size-${each.key}"
  type     = "number"
  default  = each.value
  order    = 3
}
data "coder_workspace_tags" "tags" {
  tags = { kind = data.coder_parameter.kind.value }
}
data "coder_workspace_preset" "big" {
  name       = "Big"
  parameters = { kind = "gpu", cards = 4 }
}
"#;

#[test]
fn parameters_depend_on_each_other() {
    let rendered = render(CONDITIONAL, &[]);
    let names: Vec<_> = rendered
        .parameters
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(names, ["kind", "size-large", "size-small"]);
    assert_eq!(rendered.parameters[0].options[1].name, "GPU");
    assert_eq!(rendered.parameters[0].form_type, "radio");
    assert_eq!(rendered.tags["kind"], "cpu");
    assert_eq!(rendered.presets[0].parameters["cards"], "4");
    assert_eq!(rendered.errors().count(), 0, "{rendered:?}");

    let rendered = render(CONDITIONAL, &[("kind", "gpu")]);
    let cards = &rendered.parameters[1];
    assert_eq!(cards.name, "cards");
    assert!(cards.required && cards.value.is_none());
    assert_eq!(cards.diagnostics[0].code, CODE_REQUIRED);
    let rendered = render(CONDITIONAL, &[("kind", "gpu"), ("cards", "5")]);
    let (name, error) = rendered.errors().next().unwrap();
    assert_eq!(name, Some("cards"));
    assert!(error.detail.contains('5'), "{error:?}");
    let rendered = render(CONDITIONAL, &[("kind", "tpu")]);
    assert_eq!(rendered.errors().next().unwrap().0, Some("kind"));
}

#[test]
fn modules_pass_values_in_and_out() {
    let main = r#"
variable "regions" { type = list(string) }
module "region" {
  count   = 2
  source  = "./region"
  number  = count.index
  regions = var.regions
}
data "coder_parameter" "last" {
  name    = "last"
  default = module.region[1].chosen
}
"#;
    let region = r#"
variable "number" {}
variable "regions" {}
variable "settings" {
  type    = object({ label = optional(string, "Region") })
  default = {}
}
data "coder_parameter" "region" {
  name         = "region-${var.number}"
  display_name = "${var.settings.label} ${var.number}"
  default      = var.regions[var.number]
}
output "chosen" { value = data.coder_parameter.region.value }
"#;
    let files = [("main.tf", main), ("region/main.tf", region)];
    let rendered = render_with(
        &files,
        &[("regions", "[\"eu\", \"us\"]")],
        &[("region-1", "asia")],
    );
    let values: Vec<_> = rendered
        .parameters
        .iter()
        .map(|p| (p.name.as_str(), p.value.as_deref().unwrap_or("?")))
        .collect();
    assert_eq!(
        values,
        [("last", "asia"), ("region-0", "eu"), ("region-1", "asia")]
    );
    assert_eq!(rendered.parameters[1].display_name, "Region 0");
}

#[test]
fn stored_data_and_files_are_read() {
    let main = r#"
data "http" "zones" {}
data "coder_parameter" "zone" {
  name        = "zone"
  default     = jsondecode(data.http.zones.response_body)[0]
  description = templatefile("${path.module}/text.tftpl", { who = "you" })
}
"#;
    let plan = br#"{"prior_state":{"values":{"root_module":{"resources":[{"mode":"data","type":"http","name":"zones","values":{"response_body":"[\"a\"]"}}]}}}}"#;
    let archive = tar(&[
        ("main.tf", main),
        ("text.tftpl", "Hello ${who}%{ if true }!%{ endif }"),
    ]);
    let renderer = Renderer::new(&archive, &[], plan, &[]).unwrap();
    let rendered = renderer.render(&Owner::default(), &BTreeMap::new(), &BTreeMap::new());
    let zone = &rendered.parameters[0];
    assert_eq!(zone.value.as_deref(), Some("a"));
    assert_eq!(zone.description, "Hello you!");
}

#[test]
fn impossible_declarations_are_told() {
    for (body, wanted) in [
        ("type = \"colour\"", "type"),
        ("form_type = \"slider\"", "slider"),
        ("ephemeral = true\n mutable = true", "default"),
        (
            "default = \"a\"\n option {\n name = \"B\"\n value = \"b\"\n }",
            "option",
        ),
    ] {
        let text = format!("data \"coder_parameter\" \"x\" {{\n name = \"x\"\n {body}\n}}\n");
        let rendered = render(&text, &[]);
        let all = format!("{:?}", rendered.parameters[0].diagnostics);
        assert!(all.contains(wanted), "{body}: {all}");
    }
    let twice = "data \"coder_parameter\" \"a\" {\n name = \"x\"\n default = \"\"\n}\ndata \"coder_parameter\" \"b\" {\n name = \"x\"\n default = \"\"\n}\n";
    assert!(render(twice, &[]).diagnostics[0].detail.contains("\"x\""));
}
