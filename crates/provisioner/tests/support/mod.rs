//! A job source in memory, and the programs that tests need.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::format_collect, reason = "a test need not be fast")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail so"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provisioner::job::{FileKind, JobSource, SourceError};
use provisioner::tofu::{Binary, BinaryOptions, PackedTofu};
use provisioner::{Config, Daemon, ToolOptions, Tools};
use rpc::proto::provisioner::{Metadata, RichParameterValue, VariableValue};
use rpc::proto::provisionerd::{
    AcquiredJob, CommitQuotaRequest, CommitQuotaResponse, CompletedJob, FailedJob, Log,
    UpdateJobRequest, UpdateJobResponse, acquired_job, completed_job,
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// How a job ended.
#[derive(Debug)]
pub enum End {
    Completed(CompletedJob),
    Failed(FailedJob),
}

/// Hands out the jobs that a test gives it.
pub struct Source {
    jobs: tokio::sync::Mutex<mpsc::UnboundedReceiver<AcquiredJob>>,
    give: mpsc::UnboundedSender<AcquiredJob>,
    pub ended: Mutex<BTreeMap<String, End>>,
    pub logs: Mutex<Vec<Log>>,
    pub variables: Mutex<Vec<VariableValue>>,
    pub updates: Mutex<Vec<UpdateJobRequest>>,
    pub cancelled: Mutex<Vec<String>>,
    pub quota_ok: Mutex<bool>,
    /// Jobs that succeed are told to have been ended meanwhile.
    pub gone: Mutex<bool>,
    pub costs: Mutex<Vec<i32>>,
    end: Notify,
}

impl Source {
    pub fn new() -> Arc<Self> {
        let (give, jobs) = mpsc::unbounded_channel();
        Arc::new(Self {
            jobs: tokio::sync::Mutex::new(jobs),
            give,
            ended: Mutex::default(),
            logs: Mutex::default(),
            variables: Mutex::default(),
            updates: Mutex::default(),
            cancelled: Mutex::default(),
            quota_ok: Mutex::new(true),
            gone: Mutex::default(),
            costs: Mutex::default(),
            end: Notify::new(),
        })
    }

    pub fn give(&self, job: AcquiredJob) {
        self.give.send(job).unwrap();
    }

    pub async fn ended(&self, job_id: &str) -> End {
        loop {
            let notified = self.end.notified();
            if let Some(end) = self.ended.lock().unwrap().remove(job_id) {
                return end;
            }
            tokio::time::timeout(Duration::from_mins(2), notified)
                .await
                .expect("the job never ended");
        }
    }

    pub fn log_text(&self) -> String {
        let logs = self.logs.lock().unwrap();
        logs.iter()
            .map(|l| format!("[{}] {}\n", l.stage, l.output))
            .collect()
    }
}

impl JobSource for Source {
    async fn acquire(
        &self,
        _daemon: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<AcquiredJob>, SourceError> {
        let mut jobs = self.jobs.lock().await;
        tokio::select! {
            job = jobs.recv() => Ok(job),
            () = cancel.cancelled() => Ok(None),
        }
    }

    async fn update(&self, request: UpdateJobRequest) -> Result<UpdateJobResponse, SourceError> {
        self.logs.lock().unwrap().extend(request.logs.clone());
        let canceled = self.cancelled.lock().unwrap().contains(&request.job_id);
        self.updates.lock().unwrap().push(request);
        Ok(UpdateJobResponse {
            canceled,
            variable_values: self.variables.lock().unwrap().clone(),
        })
    }

    async fn commit_quota(
        &self,
        request: CommitQuotaRequest,
    ) -> Result<CommitQuotaResponse, SourceError> {
        self.costs.lock().unwrap().push(request.daily_cost);
        Ok(CommitQuotaResponse {
            ok: *self.quota_ok.lock().unwrap(),
            credits_consumed: 1,
            budget: 10,
        })
    }

    async fn complete(&self, job: CompletedJob) -> Result<(), SourceError> {
        if *self.gone.lock().unwrap() {
            return Err(SourceError::Gone("it was ended".to_owned()));
        }
        let id = job.job_id.clone();
        self.ended.lock().unwrap().insert(id, End::Completed(job));
        self.end.notify_waiters();
        Ok(())
    }

    async fn fail(&self, job: FailedJob) -> Result<(), SourceError> {
        let id = job.job_id.clone();
        self.ended.lock().unwrap().insert(id, End::Failed(job));
        self.end.notify_waiters();
        Ok(())
    }

    async fn upload(&self, _kind: FileKind, _data: Vec<u8>) -> Result<(), SourceError> {
        Ok(())
    }

    async fn download(&self, _kind: FileKind, file_id: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError::Refused(format!("no file {file_id}")))
    }
}

/// OpenTofu: named by CODER_TEST_TOFU, packed into target/vendor, or on PATH.
pub async fn tofu() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CODER_TEST_TOFU") {
        return Some(path.into());
    }
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/vendor/tofu.zst");
    let options = BinaryOptions {
        explicit: None,
        ignore_path: packed.is_file(),
        packed: packed.is_file().then_some(PackedTofu::File(packed)),
    };
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("provisioner");
    match Binary::find(&options, &cache).await {
        Ok(binary) => Some(binary.path),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// A daemon with its source and directory.
pub struct Rig {
    pub source: Arc<Source>,
    pub cache: tempfile::TempDir,
    pub tools: Arc<Tools>,
    pub stop: CancellationToken,
    pub daemon: tokio::task::JoinHandle<()>,
}

impl Rig {
    pub fn new(tofu: &Path, provider: &Path, change: impl FnOnce(&mut Config)) -> Self {
        Self::with_options(tofu, provider, |_| {}, change)
    }

    pub fn with_options(
        tofu: &Path,
        provider: &Path,
        options: impl FnOnce(&mut ToolOptions),
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mut made = ToolOptions::new(cache.path().to_owned(), provider.to_owned());
        made.binary = BinaryOptions {
            explicit: Some(tofu.to_owned()),
            ..BinaryOptions::default()
        };
        made.env.remove("TF_CLI_CONFIG_FILE");
        made.agent_scripts
            .insert("linux_amd64".into(), "run ${ACCESS_URL}".into());
        options(&mut made);
        let tools = Tools::new(made).unwrap();
        let mut config = Config::new("test", tools.clone());
        config.update_interval = Duration::from_millis(100);
        change(&mut config);
        let source = Source::new();
        let stop = CancellationToken::new();
        let daemon = tokio::spawn(Daemon::run(source.clone(), config, stop.clone()));
        Self {
            source,
            cache,
            tools,
            stop,
            daemon,
        }
    }

    pub async fn job(&self, id: &str, archive: Vec<u8>, kind: acquired_job::Type) -> End {
        self.source.give(AcquiredJob {
            job_id: id.to_owned(),
            template_source_archive: archive,
            r#type: Some(kind),
            ..AcquiredJob::default()
        });
        self.source.ended(id).await
    }

    pub async fn import(
        &self,
        archive: Vec<u8>,
    ) -> Result<completed_job::TemplateImport, FailedJob> {
        let kind = acquired_job::Type::TemplateImport(acquired_job::TemplateImport {
            metadata: Some(Metadata {
                coder_url: "http://127.0.0.1:3000".into(),
                ..Metadata::default()
            }),
            user_variable_values: Vec::new(),
        });
        match self.job("import", archive, kind).await {
            End::Completed(job) => match job.r#type {
                Some(completed_job::Type::TemplateImport(import)) => Ok(import),
                other => panic!("{other:?}"),
            },
            End::Failed(job) => Err(job),
        }
    }

    pub async fn build(
        &self,
        archive: Vec<u8>,
        transition: i32,
        state: Vec<u8>,
        parameters: &[(&str, &str)],
    ) -> Result<completed_job::WorkspaceBuild, FailedJob> {
        let build = build(transition, state, parameters);
        match self
            .job("build", archive, acquired_job::Type::WorkspaceBuild(build))
            .await
        {
            End::Completed(job) => match job.r#type {
                Some(completed_job::Type::WorkspaceBuild(build)) => Ok(build),
                other => panic!("{other:?}"),
            },
            End::Failed(job) => Err(job),
        }
    }
}

pub fn build(
    transition: i32,
    state: Vec<u8>,
    parameters: &[(&str, &str)],
) -> acquired_job::WorkspaceBuild {
    acquired_job::WorkspaceBuild {
        workspace_name: "dev".into(),
        state,
        rich_parameter_values: parameters
            .iter()
            .map(|(name, value)| RichParameterValue {
                name: (*name).into(),
                value: (*value).into(),
            })
            .collect(),
        metadata: Some(Metadata {
            coder_url: "http://127.0.0.1:3000".into(),
            workspace_transition: transition,
            workspace_name: "dev".into(),
            workspace_id: "5a9f2c1e-0000-4000-8000-000000000001".into(),
            workspace_build_id: "5a9f2c1e-0000-4000-8000-000000000002".into(),
            template_id: "5a9f2c1e-0000-4000-8000-000000000003".into(),
            template_name: "t".into(),
            template_version: "v1".into(),
            ..Metadata::default()
        }),
        ..acquired_job::WorkspaceBuild::default()
    }
}

/// A tar of text files.
pub fn archive(files: &[(&str, &str)]) -> Vec<u8> {
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
