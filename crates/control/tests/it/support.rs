//! A deployment in a test: rules, users, one daemon whose work the test does.

use std::time::Duration;

use api_types::{
    CreateTemplateRequest, CreateTemplateVersionRequest, CreateWorkspaceRequest, Template,
    TemplateVersion, Workspace,
};
use authz::Subject;
use control::jobs::DatabaseJobs;
use control::{Control, Owner, Settings, TAR};
use provisioner::JobSource as _;
use rpc::proto::provisioner::{Agent, App, Resource, RichParameter, Script, agent::Auth};
use rpc::proto::provisionerd::{
    AcquiredJob, CompletedJob,
    completed_job::{TemplateDryRun, TemplateImport, Type, WorkspaceBuild},
};
use store::OrganizationRef;
use testkit::{TestDb, TestUser};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The name of the one daemon.
pub const DAEMON: &str = "test-0";

/// The default organization.
pub const ORG: OrganizationRef = OrganizationRef::Default;

pub struct Deployment {
    pub db: TestDb,
    pub control: Control,
    pub jobs: DatabaseJobs,
    pub owner: TestUser,
    pub member: TestUser,
    pub cancel: CancellationToken,
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Deployment {
    pub async fn new() -> Self {
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let db = testkit::db().await;
        let settings = Settings::new("http://127.0.0.1:3000".parse().unwrap());
        let control = Control::new(db.store.clone(), settings);
        let jobs = DatabaseJobs::register(&control, &[DAEMON.to_owned()], "v2.38.0")
            .await
            .unwrap();
        let cancel = CancellationToken::new();
        tokio::spawn({
            let (jobs, cancel) = (jobs.clone(), cancel.clone());
            async move { jobs.run(cancel).await }
        });
        let owner = testkit::user(&db.store, "admin", &["owner"]).await;
        let member = testkit::user(&db.store, "member", &[]).await;
        Deployment {
            db,
            control,
            jobs,
            owner,
            member,
            cancel,
        }
    }

    /// The next job. Waits for it, yet not for ever.
    pub async fn acquire(&self) -> AcquiredJob {
        let job = self.jobs.acquire(DAEMON, &self.cancel);
        let job = tokio::time::timeout(Duration::from_secs(30), job).await;
        job.expect("a job in time").unwrap().expect("a job")
    }

    pub async fn complete(&self, job: &AcquiredJob, done: Type) {
        let done = CompletedJob {
            job_id: job.job_id.clone(),
            r#type: Some(done),
        };
        self.jobs.complete(done).await.unwrap();
    }

    /// Uploads an archive and starts its import.
    pub async fn version(&self, who: &Subject, template: Option<Uuid>) -> TemplateVersion {
        self.version_of(who, template, provisioner::starters::ALL[0].tar())
            .await
    }

    /// The same with an archive of the caller's.
    pub async fn version_of(
        &self,
        who: &Subject,
        template: Option<Uuid>,
        tar: Vec<u8>,
    ) -> TemplateVersion {
        let (file, _) = self.control.file_create(who, TAR, tar).await.unwrap();
        let request = CreateTemplateVersionRequest {
            file_id: Some(file.hash),
            template_id: template,
            storage_method: "file".into(),
            provisioner: "terraform".into(),
            ..Default::default()
        };
        self.control
            .template_version_create(who, &ORG, request)
            .await
            .unwrap()
    }

    /// A version whose import has found these parameters.
    pub async fn imported(&self, parameters: Vec<RichParameter>) -> TemplateVersion {
        self.imported_for(None, parameters).await
    }

    pub async fn imported_for(
        &self,
        template: Option<Uuid>,
        rich_parameters: Vec<RichParameter>,
    ) -> TemplateVersion {
        let version = self.version(&self.owner.who, template).await;
        let job = self.acquire().await;
        let import = TemplateImport {
            start_resources: vec![machine()],
            rich_parameters,
            plan: b"{}".to_vec(),
            ..Default::default()
        };
        self.complete(&job, Type::TemplateImport(import)).await;
        self.control
            .template_version_read(&self.owner.who, version.id)
            .await
            .unwrap()
    }

    /// A template with one version that has these parameters.
    pub async fn template(&self, name: &str, parameters: Vec<RichParameter>) -> Template {
        // Parameters that the archive does not declare are only what the import is said to have
        // found.
        let classic = !parameters.is_empty();
        let version = self.imported(parameters).await;
        let request = CreateTemplateRequest {
            name: name.into(),
            template_version_id: version.id,
            allow_user_cancel_workspace_jobs: Some(true),
            template_use_classic_parameter_flow: Some(classic),
            ..Default::default()
        };
        self.control
            .template_create(&self.owner.who, &ORG, request)
            .await
            .unwrap()
    }

    pub fn owner_of(&self, user: &TestUser) -> Owner {
        Owner {
            id: user.id,
            username: user.username.clone(),
        }
    }

    /// Creates a workspace without building it.
    pub async fn create(
        &self,
        user: &TestUser,
        template: &Template,
        name: &str,
    ) -> control::Result<Workspace> {
        let request = CreateWorkspaceRequest {
            template_id: Some(template.id),
            name: name.into(),
            ..Default::default()
        };
        let owner = self.owner_of(user);
        self.control
            .workspace_create(&user.who, &owner, None, request)
            .await
    }

    /// Does the next build, which leaves this state.
    pub async fn build(&self, state: &[u8]) -> AcquiredJob {
        let job = self.acquire().await;
        let done = WorkspaceBuild {
            state: state.to_vec(),
            resources: vec![machine()],
            ..Default::default()
        };
        self.complete(&job, Type::WorkspaceBuild(done)).await;
        job
    }

    /// A workspace that runs.
    pub async fn running(&self, user: &TestUser, template: &Template, name: &str) -> Workspace {
        let made = self.create(user, template, name).await.unwrap();
        self.build(b"state 1").await;
        self.control
            .workspace_read(&user.who, made.id, false)
            .await
            .unwrap()
    }

    pub async fn dry_run(&self) -> AcquiredJob {
        let job = self.acquire().await;
        let done = TemplateDryRun {
            resources: vec![machine()],
            modules: Vec::new(),
        };
        self.complete(&job, Type::TemplateDryRun(done)).await;
        job
    }
}

/// A machine with an agent, an app and a script.
pub fn machine() -> Resource {
    Resource {
        name: "dev".into(),
        r#type: "null_resource".into(),
        agents: vec![Agent {
            id: Uuid::new_v4().to_string(),
            name: "main".into(),
            operating_system: "linux".into(),
            architecture: "amd64".into(),
            auth: Some(Auth::Token(Uuid::new_v4().to_string())),
            apps: vec![App {
                slug: "code".into(),
                subdomain: true,
                ..Default::default()
            }],
            scripts: vec![Script {
                display_name: "Startup Script".into(),
                script: "true".into(),
                run_on_start: true,
                timeout_seconds: 2,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A parameter of text.
pub fn parameter(name: &str, default: Option<&str>) -> RichParameter {
    RichParameter {
        name: name.into(),
        r#type: "string".into(),
        mutable: true,
        default_value: default.unwrap_or_default().into(),
        required: default.is_none(),
        ..Default::default()
    }
}
