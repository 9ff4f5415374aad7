//! Finds OpenTofu, and runs it in a directory of its own with a chosen provider.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value as Json;

/// OpenTofu, or `None` after saying so.
pub(crate) fn find() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        if let Some(path) = std::env::var_os("CODER_TEST_TOFU") {
            return Some(path.into());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|dir| dir.join("tofu"))
            .find(|tofu| tofu.is_file())
            .or_else(unpack)
    });
    if found.is_none() {
        println!("skipped: there is no OpenTofu in CODER_TEST_TOFU, PATH or target/vendor");
    }
    found.as_deref()
}

/// Unpacks the one that is packed into the product.
fn unpack() -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    // All the workspace's tests share this directory: what is ours has our name.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/vendor/tofu.zst");
    let packed = [target.parent()?.join("vendor/tofu.zst"), workspace]
        .into_iter()
        .find(|path| path.is_file())?;
    let unpacked = target.join("terraform-provider-tofu");
    if !unpacked.is_file() {
        let bytes = zstd::decode_all(std::fs::File::open(packed).unwrap()).unwrap();
        let partial = target.join(format!("terraform-provider-tofu.{}", std::process::id()));
        std::fs::write(&partial, bytes).unwrap();
        std::fs::set_permissions(&partial, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(partial, &unpacked).unwrap();
    }
    Some(unpacked)
}

/// The directory with the other implementation, or `None` after saying so.
pub(crate) fn peers() -> Option<PathBuf> {
    let peers = std::env::var_os("CODER_TEST_PEERS").map(PathBuf::from);
    if peers.is_none() {
        println!("skipped: CODER_TEST_PEERS is not set");
    }
    peers
}

/// Our provider.
pub(crate) fn provider() -> PathBuf {
    // target/debug/deps/with_tofu-… → target/debug/examples
    let test = std::env::current_exe().unwrap();
    let provider = test
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/terraform-provider-coder");
    assert!(
        provider.is_file(),
        "{} is missing: build with --examples",
        provider.display()
    );
    provider
}

/// A directory to run OpenTofu in.
pub(crate) struct Workdir {
    tofu: &'static Path,
    dir: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Workdir {
    /// A directory whose command-line configuration is this.
    pub(crate) fn new(tofu: &'static Path, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("tofurc"), config).unwrap();
        Self {
            tofu,
            dir,
            environment: Vec::new(),
        }
    }

    /// A directory in which our provider is used as it is.
    pub(crate) fn ours(tofu: &'static Path) -> Self {
        let workdir = Self::new(tofu, "");
        workdir.use_ours();
        workdir
    }

    /// Turns to our provider.
    pub(crate) fn use_ours(&self) {
        let overrides = self.path("overrides");
        if !overrides.exists() {
            std::fs::create_dir(&overrides).unwrap();
            std::os::unix::fs::symlink(provider(), overrides.join("terraform-provider-coder"))
                .unwrap();
        }
        let config = format!(
            "provider_installation {{\n dev_overrides {{\n \"coder/coder\" = \"{}\"\n }}\n direct {{ }}\n}}\n",
            overrides.display()
        );
        std::fs::write(self.path("tofurc"), config).unwrap();
    }

    /// Turns to the other implementation's provider.
    pub(crate) fn use_peer(&self, peers: &Path) {
        std::fs::write(self.path("tofurc"), mirror(&peers.join("providers-go"))).unwrap();
        let init = self.run(&["init", "-no-color"]);
        assert!(init.status.success(), "{}", text(&init));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of the template.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Sets a variable of the build.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Sets several variables of the build.
    pub(crate) fn set_all(&mut self, variables: &[(&str, &str)]) {
        for (name, value) in variables {
            self.set(name, value);
        }
    }

    /// A command, ready to be run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.tofu);
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_none_or(|name| name.starts_with("CODER_") || name.starts_with("TF_"))
            {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("TF_CLI_CONFIG_FILE", self.path("tofurc"))
            .env("CHECKPOINT_DISABLE", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and reads the JSON that it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Json {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A configuration that takes all providers from a directory.
pub(crate) fn mirror(path: &Path) -> String {
    format!(
        "provider_installation {{\n filesystem_mirror {{\n path = \"{}\"\n }}\n}}\n",
        path.display()
    )
}

/// All that a command said.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// This machine in the words of provider directories.
pub(crate) fn platform() -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}_{arch}", std::env::consts::OS)
}
