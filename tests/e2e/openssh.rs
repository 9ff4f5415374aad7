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

/// The lines that editors write: that of today's VS Code extension, and that of
/// its older versions.
pub fn editors() -> Result<()> {
    let server = &world()?.server;
    server
        .cli(["create", "editor", "--template", "process", "-y"])
        .run()?
        .ok()?;
    let dir = server.dir().join("editor");
    fs::create_dir_all(&dir)?;
    let coder = binaries::coder();
    let settings = server.cli_dir();
    let log = dir.join("log");
    let common = format!(
        "--network-info-dir {} --network-info-interval 100ms --log-dir {}",
        dir.join("network").display(),
        log.display()
    );
    let today = format!(
        "{} --global-config {} ssh --disable-autostart --stdio --usage-app=vscode {common} -v \
         --ssh-host-prefix coder-vscode.example.com-- %h",
        coder.display(),
        settings.display()
    );
    let before = format!(
        "{} vscodessh {common} --session-token-file {session} --url-file {url} %h",
        coder.display(),
        session = settings.join("session").display(),
        url = settings.join("url").display(),
    );
    let config = dir.join("ssh_config");
    let options = "ConnectTimeout 0\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n\
                   LogLevel ERROR\nServerAliveInterval 10\nServerAliveCountMax 3\n\
                   SetEnv CODER_SSH_SESSION_TYPE=vscode";
    fs::write(
        &config,
        format!(
            "Host coder-vscode.example.com--*\nProxyCommand {today}\n{options}\n\
             Host coder-vscode--*\nProxyCommand {before}\n{options}\n"
        ),
    )?;
    let config = config.display().to_string();
    for host in [
        "coder-vscode.example.com--admin--editor",
        "coder-vscode.example.com--admin--editor.main",
        "coder-vscode--admin--editor",
        "coder-vscode--admin--editor--main",
    ] {
        let network = dir.join("network");
        let _ = fs::remove_dir_all(&network);
        // Long enough for the quality of the connection to be written once.
        let out = Run::new(
            Path::new("/usr/bin/ssh"),
            [
                "-F",
                &config,
                host,
                "echo $PPID $CODER_WORKSPACE_NAME; sleep 1; exit 3",
            ],
        )
        .run()?
        .expect_code(3)?;
        ensure!(out.text().ends_with(" editor\n"), "{host}: {:?}", out.all());
        let written: Vec<_> = fs::read_dir(&network)?.flatten().collect();
        ensure!(written.len() == 1, "{host}: {written:?}");
        let text = fs::read_to_string(written[0].path())?;
        let info: serde_json::Value = serde_json::from_str(&text)?;
        for field in [
            "p2p",
            "latency",
            "preferred_derp",
            "derp_latency",
            "upload_bytes_sec",
            "download_bytes_sec",
            "using_coder_connect",
        ] {
            ensure!(!info[field].is_null(), "{host}: no {field} in {info}");
        }
    }
    ensure!(
        fs::read_dir(&log)?.count() == 4,
        "each connection has a log"
    );
    Ok(())
}
