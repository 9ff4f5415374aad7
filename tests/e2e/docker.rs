//! The `docker` starter template on a real Docker Engine of the test's own, down to a shell in the container.
//!
//! The image holds nothing but busybox, and the libraries of a development build of the agent: what the agent's start needs must be found there.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use e2e::{binaries, command::eventually, peers::Peers, server::Server};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::world::{self, world};

/// A Docker Engine with its own socket and data; stopped when dropped.
struct Engine {
    dir: TempDir,
    child: Child,
}

impl Engine {
    /// Starts one, or says why not and gives `None`.
    fn start() -> Result<Option<Self>> {
        let found = |name: &str| {
            std::env::var_os("PATH")
                .is_some_and(|path| std::env::split_paths(&path).any(|d| d.join(name).exists()))
        };
        if !nix::unistd::geteuid().is_root() || !found("dockerd") || !found("docker") {
            println!("skipped: no dockerd in PATH, or not root");
            return Ok(None);
        }
        let Some(busybox) = busybox() else {
            println!("skipped: no static busybox in PATH");
            return Ok(None);
        };
        let dir = tempfile::Builder::new().prefix("coder-e2e-d-").tempdir()?;
        let at = |name: &str| dir.path().join(name);
        let log = fs::File::create(at("log"))?;
        let child = Command::new("dockerd")
            .arg("--host")
            .arg(format!("unix://{}", at("sock").display()))
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            // The containers share the machine's network: nothing of the firewall is touched.
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut engine = Self { dir, child };
        let ready = eventually("the Docker Engine answers", Duration::from_secs(30), || {
            if let Some(status) = engine.child.try_wait()? {
                // What the machine does not allow (cgroups, mounts) is no fault of ours.
                println!("skipped: dockerd ended ({status}): {}", engine.log_tail());
                return Ok(Some(false));
            }
            let ok = engine.docker(&["version"]).output()?.status.success();
            Ok(ok.then_some(true))
        })?;
        if !ready {
            return Ok(None);
        }
        engine.import(&busybox)?;
        Ok(Some(engine))
    }

    fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("sock").display())
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        text.lines().last().unwrap_or_default().to_owned()
    }

    fn docker(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", self.host()).args(args);
        command
    }

    fn containers(&self) -> Result<String> {
        let out = self.docker(&["ps", "-aq"]).output()?;
        Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    /// Makes the image `small`: busybox and an ordinary user.
    fn import(&self, busybox: &Path) -> Result<()> {
        let root = self.dir.path().join("image");
        for dir in ["bin", "etc", "tmp", "home/coder", "proc", "sys", "dev"] {
            fs::create_dir_all(root.join(dir))?;
        }
        fs::copy(busybox, root.join("bin/busybox"))?;
        let applets = Command::new(busybox).arg("--list").output()?.stdout;
        for applet in String::from_utf8_lossy(&applets).lines() {
            if applet != "busybox" {
                symlink("/bin/busybox", root.join("bin").join(applet))?;
            }
        }
        for library in libraries(&binaries::coder_slim())? {
            let to = root.join(library.strip_prefix("/").unwrap_or(&library));
            fs::create_dir_all(to.parent().unwrap_or(&root))?;
            fs::copy(&library, to)?;
        }
        fs::write(
            root.join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\ncoder:x:1000:1000::/home/coder:/bin/sh\n",
        )?;
        fs::write(root.join("etc/group"), "root:x:0:\ncoder:x:1000:\n")?;
        let script = format!(
            "chown -R 1000:1000 '{0}/home/coder' && chmod 1777 '{0}/tmp' && \
             tar -C '{0}' --numeric-owner -c . | docker import --change 'USER coder' \
             --change 'WORKDIR /home/coder' --change 'ENV PATH=/bin' - small:latest",
            root.display()
        );
        let out = Command::new("sh")
            .args(["-c", &script])
            .env("DOCKER_HOST", self.host())
            .output()?;
        ensure!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Ok(all) = self.containers() {
            for id in all.split_whitespace() {
                let _ = self.docker(&["rm", "-f", id]).output();
            }
        }
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
        // The engine leaves its network namespace mounted.
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let root = self.dir.path().display().to_string();
        for point in mounts.lines().filter_map(|l| l.split(' ').nth(1)) {
            if point.starts_with(&root) {
                let _ = Command::new("umount").args(["-l", point]).status();
            }
        }
    }
}

/// Shells inside a container beside the agent.
pub fn entered_by_ssh() -> Result<()> {
    let Some(engine) = Engine::start()? else {
        return Ok(());
    };
    let server = &world()?.server;
    // The agent finds the engine in its environment, as in a real workspace.
    let agent = engine.dir.path().join("agent");
    let script = format!(
        "#!/bin/sh\nexport DOCKER_HOST={}\nexec {} \"$@\"\n",
        engine.host(),
        binaries::coder_slim().display()
    );
    fs::write(&agent, script)?;
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755))?;
    world::push(server, "beside-docker", Some(&agent))?;
    server
        .cli(["create", "ship", "--template", "beside-docker", "-y"])
        .run()?
        .ok()?;
    let started = engine
        .docker(&[
            "run",
            "-d",
            "--network=host",
            "--name=hold",
            "small",
            "sleep",
            "1000",
        ])
        .output()?;
    ensure!(
        started.status.success(),
        "{}",
        String::from_utf8_lossy(&started.stderr)
    );
    let enter = |more: &[&'static str]| {
        let all = ["ssh", "ship", "--container", "hold"];
        server.cli(all.into_iter().chain(more.iter().copied()))
    };

    let out = enter(&["--", "id -un; pwd; echo err >&2; exit 7"])
        .run()?
        .expect_code(7)?;
    ensure!(out.text() == "coder\n/home/coder\n", "{}", out.all());
    ensure!(out.stderr.ends_with("err\n"), "{}", out.all());
    let out = enter(&["--container-user", "root", "--", "id -u; tr a-z A-Z"])
        .input(b"through\n")
        .run()?
        .ok()?;
    ensure!(out.text() == "0\nTHROUGH\n", "{}", out.all());
    // On a terminal, of the size that was asked for. The engine sets it a moment after the start.
    let size = "n=0; until stty size 2>/dev/null | grep '24 80'; do \
                n=$((n+1)); test $n -lt 100 || exit 1; sleep 0.1; done";
    enter(&["--tty", "--", size]).run()?.ok()?;
    // A login shell.
    let out = enter(&["--force-tty"])
        .input(b"exit 9\n")
        .run()?
        .expect_code(9)?;
    ensure!(!out.all().contains("panicked"), "{}", out.all());

    for (wrong, why) in [
        (
            enter(&["--container-user", "nobody-here", "--", "true"]),
            "nobody-here",
        ),
        (
            server.cli(["ssh", "ship", "--container", "gone", "--", "true"]),
            "gone",
        ),
    ] {
        let out = wrong.run()?;
        ensure!(out.code != 0 && out.all().contains(why), "{}", out.all());
    }
    server.cli(["delete", "ship", "-y"]).run()?.ok()?;
    Ok(())
}

/// What a development build of the agent needs of the system; a static one needs nothing.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let out = Command::new("ldd").arg(program).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let paths = text
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from);
    Ok(paths.filter(|path| path.is_file()).collect())
}

fn busybox() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join("busybox"))
        .find(|path| path.exists())
}

pub fn template_to_shell() -> Result<()> {
    let Some(peers) = Peers::find() else {
        return Ok(());
    };
    let Some(engine) = Engine::start()? else {
        return Ok(());
    };
    let mirror = peers.docker_tofurc().display().to_string();
    let server = Server::start(&binaries::coder(), &[("TF_CLI_CONFIG_FILE", &mirror)])?;
    let dir = server.dir().join("docker").display().to_string();
    server
        .cli(["templates", "init", "--id", "docker", &dir])
        .run()?
        .ok()?;
    let host = format!("docker_host={}", engine.host());
    server
        .cli([
            "templates",
            "push",
            "docker",
            "-d",
            &dir,
            "-y",
            "--variable",
            &host,
            "--variable",
            "default_image=small:latest",
        ])
        .run()?
        .ok()?;
    server
        .cli([
            "create",
            "box",
            "-t",
            "docker",
            "-y",
            "--parameter",
            "image=small:latest",
        ])
        .run()?
        .ok()?;
    let out = server
        .cli(["ssh", "box", "--", "id -un; echo kept > ~/file; exit 7"])
        .run()?
        .expect_code(7)?;
    ensure!(out.text().trim() == "coder", "{}", out.all());

    // The home outlives the container.
    server.cli(["restart", "box", "-y"]).run()?.ok()?;
    let out = server.cli(["ssh", "box", "--", "cat ~/file"]).run()?.ok()?;
    ensure!(out.text().trim() == "kept", "{}", out.all());

    server.cli(["delete", "box", "-y"]).run()?.ok()?;
    let left = engine.containers()?;
    ensure!(left.is_empty(), "containers are left: {left}");

    // With the engine gone the error says what could not be reached.
    drop(engine);
    let out = server
        .cli([
            "create",
            "none",
            "-t",
            "docker",
            "-y",
            "--parameter",
            "image=small:latest",
        ])
        .run()?;
    ensure!(out.code != 0, "a build without Docker succeeded");
    let text = out.all();
    let line = text
        .lines()
        .find(|l| l.to_lowercase().contains("docker"))
        .with_context(|| format!("nothing names Docker: {text}"))?;
    ensure!(!line.is_empty(), "{text}");
    Ok(())
}
