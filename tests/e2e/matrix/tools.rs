//! What people use beside `coder ssh`: the real OpenSSH client and what is
//! built on it, by the configuration that `coder config-ssh` writes.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use e2e::command::Run;

use super::cell::{Cell, noise};

/// Enough to fill windows and to need several packets of everything.
const SIZE: usize = 1 << 20;

/// Runs each tool once.
pub fn all(cell: &Cell, relayed: bool) -> Result<()> {
    let tools = Tools::prepare(cell, relayed)?;
    tools.ssh()?;
    tools.sftp()?;
    tools.scp()?;
    tools.rsync()?;
    tools.git()
}

struct Tools<'a> {
    cell: &'a Cell,
    relayed: bool,
    config: String,
    host: String,
    bytes: Vec<u8>,
}

impl<'a> Tools<'a> {
    fn prepare(cell: &'a Cell, relayed: bool) -> Result<Self> {
        let config = cell.dir.join("ssh_config").display().to_string();
        cell.run(
            relayed,
            &["config-ssh", "--ssh-config-file", &config, "--yes"],
        )
        .run()?
        .ok()?;
        // Both forms of names that the section has.
        let host = if relayed {
            format!("{}.coder", cell.workspace)
        } else {
            format!("coder.{}", cell.workspace)
        };
        let bytes = noise(SIZE);
        fs::write(cell.dir.join("here"), &bytes)?;
        Ok(Self {
            cell,
            relayed,
            config,
            host,
            bytes,
        })
    }

    fn tool(&self, program: &str, args: &[&str]) -> Run {
        Run::new(Path::new(program), args)
            .dir(&self.cell.dir)
            .env("CODER_DISABLE_DIRECT_CONNECTIONS", self.relayed.to_string())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_SSH_COMMAND", format!("ssh -F {}", self.config))
    }

    fn there(&self, name: &str) -> String {
        format!("{}/{name}", self.cell.there)
    }

    fn expect_same(&self, name: &str) -> Result<()> {
        let path = self.cell.dir.join(name);
        let got = fs::read(&path)?;
        fs::remove_file(&path)?;
        ensure!(got == self.bytes, "{name} changed the bytes");
        Ok(())
    }

    fn ssh(&self) -> Result<()> {
        let out = self
            .tool("ssh", &["-F", &self.config, &self.host, "echo hi; exit 5"])
            .run()?
            .expect_code(5)?;
        ensure!(out.text() == "hi\n", "{:?}", out.text());
        Ok(())
    }

    fn sftp(&self) -> Result<()> {
        let there = self.there("by-sftp");
        let batch = format!("put here {there}\nget {there} sftp\nrm {there}\n");
        self.tool("sftp", &["-F", &self.config, "-b", "-", &self.host])
            .input(batch)
            .run()?
            .ok()?;
        self.expect_same("sftp")
    }

    fn scp(&self) -> Result<()> {
        let there = format!("{}:{}", self.host, self.there("by-scp"));
        self.tool("scp", &["-q", "-F", &self.config, "here", &there])
            .run()?
            .ok()?;
        self.tool("scp", &["-q", "-F", &self.config, &there, "scp"])
            .run()?
            .ok()?;
        self.expect_same("scp")
    }

    fn rsync(&self) -> Result<()> {
        let shell = format!("ssh -F {}", self.config);
        let there = format!("{}:{}", self.host, self.there("by-rsync"));
        self.tool("rsync", &["-a", "-e", &shell, "here", &there])
            .run()?
            .ok()?;
        self.tool("rsync", &["-a", "-e", &shell, &there, "rsync"])
            .run()?
            .ok()?;
        self.expect_same("rsync")
    }

    /// A repository in the workspace: clone, commit, push, and read back.
    fn git(&self) -> Result<()> {
        let (there, here) = (
            self.there(&format!("repository-{}", self.relayed)),
            format!("clone-{}", self.relayed),
        );
        self.tool(
            "ssh",
            &[
                "-F",
                &self.config,
                &self.host,
                &format!("git init -q --bare {there}"),
            ],
        )
        .run()?
        .ok()?;
        let url = format!("{}:{there}", self.host);
        let git = |args: &[&str]| self.tool("git", args).run()?.ok();
        git(&["clone", "-q", &url, &here])?;
        let identity = ["-c", "user.name=e2e", "-c", "user.email=e2e@example.com"];
        let commit = ["commit", "-q", "--allow-empty", "-m", "made here"];
        git(&[&["-C", here.as_str()], &identity[..], &commit[..]].concat())?;
        git(&["-C", &here, "push", "-q", "origin", "HEAD"])?;
        let made = git(&["-C", &here, "rev-parse", "HEAD"])?.text();
        let known = git(&["ls-remote", &url, "HEAD"])?.text();
        ensure!(
            known.starts_with(made.trim()),
            "pushed {made:?}, but there is {known:?}"
        );
        Ok(())
    }
}
