//! The real OpenSSH client through `coder ssh --stdio`.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use e2e::{
    binaries,
    command::{Output, Run},
    server::Server,
};

use crate::world::world;

/// The options that let OpenSSH use `coder` as its transport.
fn options(server: &Server) -> Vec<String> {
    let proxy = format!(
        "ProxyCommand={} --global-config {} ssh --stdio %h",
        binaries::coder().display(),
        server.cli_dir().display()
    );
    [
        &proxy,
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        "ConnectTimeout=0",
    ]
    .iter()
    .flat_map(|o| ["-o".to_owned(), (*o).to_owned()])
    .collect()
}

fn tool(server: &Server, program: &str, args: &[&str]) -> Run {
    let mut all = options(server);
    all.extend(args.iter().map(|a| (*a).to_owned()));
    Run::new(Path::new(program), all)
}

fn ssh(server: &Server, args: &[&str]) -> Result<Output> {
    tool(server, "/usr/bin/ssh", args).run()
}

pub fn through_stdio() -> Result<()> {
    let server = &world()?.server;
    server
        .cli(["create", "openssh", "--template", "process", "-y"])
        .run()?
        .ok()?;
    let out = ssh(server, &["openssh", "echo hello; exit 3"])?.expect_code(3)?;
    ensure!(out.text() == "hello\n", "{:?}", out.text());

    // A pseudo-terminal.
    let out = ssh(server, &["-tt", "openssh", "tty && stty size"])?.ok()?;
    ensure!(out.text().contains("/dev/pts/"), "{:?}", out.text());

    // sftp both ways.
    let here = server.dir().join("here.bin");
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&here, &bytes)?;
    let back = server.dir().join("back.bin");
    let batch = format!(
        "put {} there.bin\nget there.bin {}\n",
        here.display(),
        back.display()
    );
    tool(server, "/usr/bin/sftp", &["-b", "-", "openssh"])
        .input(batch)
        .run()?
        .ok()?;
    ensure!(fs::read(&back)? == bytes, "sftp changed the bytes");

    // scp (over sftp) and rsync.
    let copied = server.dir().join("copied.bin");
    tool(
        server,
        "/usr/bin/scp",
        &["openssh:there.bin", &copied.display().to_string()],
    )
    .run()?
    .ok()?;
    ensure!(fs::read(&copied)? == bytes, "scp changed the bytes");
    Ok(())
}

pub fn binary_clean() -> Result<()> {
    let server = &world()?.server;
    server
        .cli(["create", "binary", "--template", "process", "-y"])
        .run()?
        .ok()?;
    // 8 MiB through both directions of one exec.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let bytes: Vec<u8> = (0..1 << 20)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect();
    let out = tool(server, "/usr/bin/ssh", &["binary", "cat"])
        .input(bytes.clone())
        .run()?
        .ok()?;
    ensure!(
        out.stdout == bytes,
        "cat through OpenSSH changed the bytes: {} of {}",
        out.stdout.len(),
        bytes.len()
    );
    let out = server
        .cli(["ssh", "binary", "--", "cat"])
        .input(bytes.clone())
        .run()?
        .ok()?;
    ensure!(
        out.stdout == bytes,
        "cat through coder ssh changed the bytes: {} of {}",
        out.stdout.len(),
        bytes.len()
    );

    let out = server
        .cli(["ssh", "binary", "--", "seq 1 10000"])
        .run()?
        .ok()?;
    ensure!(
        out.text().lines().count() == 10_000,
        "a burst of lines lost some"
    );
    Ok(())
}
