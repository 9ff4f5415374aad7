//! Parameters that depend on each other and on who asks: the form decides what a build needs.

use api_types::{CreateTemplateRequest, CreateWorkspaceRequest, WorkspaceBuildParameter};
use rpc::proto::provisionerd::acquired_job::Type as Told;
use rpc::proto::provisionerd::completed_job::{TemplateImport, Type};

use crate::support::{Deployment, ORG};

const TEMPLATE: &str = r#"
data "coder_workspace_owner" "me" {}
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
data "coder_parameter" "home" {
  name    = "home"
  default = "/home/${data.coder_workspace_owner.me.name}"
}
resource "terraform_data" "x" {}
"#;

fn archive() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("main.tf"), TEMPLATE).unwrap();
    provisioner::archive::pack_directory(dir.path(), provisioner::archive::PACK_LIMIT)
        .unwrap()
        .tar
}

#[tokio::test]
async fn the_form_decides_what_a_build_needs() {
    let d = Deployment::new().await;
    let version = d.version_of(&d.owner.who, None, archive()).await;
    let job = d.acquire().await;
    let import = TemplateImport {
        plan: b"{}".to_vec(),
        ..Default::default()
    };
    d.complete(&job, Type::TemplateImport(import)).await;
    let request = CreateTemplateRequest {
        name: "form".into(),
        template_version_id: version.id,
        ..Default::default()
    };
    let template = d
        .control
        .template_create(&d.owner.who, &ORG, request)
        .await
        .unwrap();
    let create = async |name: &str, values: &[(&str, &str)]| {
        let request = CreateWorkspaceRequest {
            template_id: Some(template.id),
            name: name.into(),
            rich_parameter_values: values
                .iter()
                .map(|(n, v)| WorkspaceBuildParameter {
                    name: (*n).into(),
                    value: (*v).into(),
                })
                .collect(),
            ..Default::default()
        };
        d.control
            .workspace_create(&d.member.who, &d.owner_of(&d.member), None, request)
            .await
    };
    let error = create("a", &[("kind", "gpu")]).await.unwrap_err();
    assert_eq!(
        (error.status(), error.validations[0].field.as_str()),
        (400, "cards")
    );
    create("b", &[("kind", "gpu"), ("cards", "2"), ("unknown", "x")])
        .await
        .unwrap();
    let job = d.acquire().await;
    let Some(Told::WorkspaceBuild(told)) = job.r#type else {
        panic!("another job")
    };
    let values: Vec<_> = told
        .rich_parameter_values
        .iter()
        .map(|v| (v.name.as_str(), v.value.as_str()))
        .collect();
    let home = format!("/home/{}", d.member.username);
    assert_eq!(
        values,
        [("cards", "2"), ("home", home.as_str()), ("kind", "gpu")]
    );
}
