//! Programs that people run over SSH: rsync, git, a SOCKS proxy, large environments.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Host, host, text};

/// The `ssh` of a host as one line, for programs that call it themselves.
fn ssh_line(host: &Host) -> String {
    let ssh = host.ssh(&[]);
    let mut words = vec!["ssh".to_owned()];
    words.extend(ssh.get_args().map(|a| a.to_string_lossy().into_owned()));
    // The program adds the name of the host by itself.
    words.pop();
    words.join(" ")
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    text(&output)
}

#[test]
fn rsync_copies_there_and_back() {
    let host = host();
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir_all(at("from/deep")).unwrap();
    let data: Vec<u8> = (0..400_000u32)
        .map(|n| (n.wrapping_mul(40_503) >> 7) as u8)
        .collect();
    fs::write(at("from/deep/file"), &data).unwrap();
    fs::write(at("from/empty"), "").unwrap();
    let rsync = |from: String, to: String| {
        run(Command::new("rsync").args(["-a", "--delete", "-e", &ssh_line(&host), &from, &to]));
    };
    let path = |name: &str| at(name).display().to_string();
    rsync(
        format!("{}/", path("from")),
        format!("any@127.0.0.1:{}/", path("there")),
    );
    rsync(
        format!("any@127.0.0.1:{}/", path("there")),
        format!("{}/", path("back")),
    );
    assert!(fs::read(at("back/deep/file")).unwrap() == data);
    assert!(at("back/empty").exists());
    // Only what has changed travels the second time.
    fs::remove_file(at("from/empty")).unwrap();
    rsync(
        format!("{}/", path("from")),
        format!("any@127.0.0.1:{}/", path("there")),
    );
    assert!(!at("there/empty").exists());
}

fn git(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(directory)
        .args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments);
    command
}

#[test]
fn git_pushes_and_clones() {
    let host = host();
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    run(&mut git(root.path(), &["init", "-q", "--bare", "bare.git"]));
    run(&mut git(root.path(), &["init", "-q", "work"]));
    fs::write(at("work/file"), "content").unwrap();
    run(&mut git(&at("work"), &["add", "."]));
    run(&mut git(&at("work"), &["commit", "-qm", "first"]));
    let url = format!("ssh://any@127.0.0.1{}", at("bare.git").display());
    let over = |command: &mut Command| {
        run(command.env("GIT_SSH_COMMAND", ssh_line(&host)));
    };
    over(&mut git(&at("work"), &["push", "-q", &url, "HEAD:main"]));
    over(&mut git(root.path(), &["clone", "-q", &url, "cloned"]));
    assert_eq!(fs::read_to_string(at("cloned/file")).unwrap(), "content");
}

/// Starts ssh with a forward and returns once it stands.
fn forwarding(host: &Host, options: &[&str]) -> std::process::Child {
    let mut ssh = host
        .ssh(options)
        .arg("echo up; exec sleep 600")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    ssh.stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut [0; 3])
        .unwrap();
    ssh
}

#[test]
fn a_socks_proxy_leads_into_the_workspace() {
    let host = host();
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = target.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = target.accept().unwrap();
        stream.write_all(b"from inside").unwrap();
    });
    let proxy = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut ssh = forwarding(&host, &["-D", &format!("127.0.0.1:{proxy}")]);
    let mut stream = TcpStream::connect(("127.0.0.1", proxy)).unwrap();
    // SOCKS5 (RFC 1928): no sign-in, then connect to a name.
    stream.write_all(&[5, 1, 0]).unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    let name = b"localhost";
    let mut request = vec![5, 1, 0, 3, name.len() as u8];
    request.extend_from_slice(name);
    request.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&request).unwrap();
    let mut reply = [0; 10];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply[1], 0);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "from inside");
    ssh.kill().unwrap();
    ssh.wait().unwrap();
}

#[test]
fn a_socket_takes_the_place_of_a_dead_one() {
    // As with the socket of GPG, which the workspace's own agent has left behind.
    let host = host();
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).display().to_string();
    drop(UnixListener::bind(path("remote")).unwrap());
    let local = UnixListener::bind(path("local")).unwrap();
    std::thread::spawn(move || {
        for stream in local.incoming() {
            stream.unwrap().write_all(b"OK agent").unwrap();
        }
    });
    let forward = format!("{}:{}", path("remote"), path("local"));
    let mut ssh = forwarding(&host, &["-R", &forward]);
    for _ in 0..3 {
        let mut answer = String::new();
        let mut stream = UnixStream::connect(path("remote")).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "OK agent");
    }
    ssh.kill().unwrap();
    ssh.wait().unwrap();
}

#[test]
fn large_environments_arrive() {
    let host = host();
    let value = "x".repeat(1000);
    // One option holds all of them: ssh takes the first alone.
    let all: Vec<_> = (0..120).map(|n| format!("LARGE_{n}={value}")).collect();
    let option = format!("SetEnv={}", all.join(" "));
    let mut ssh = host.ssh(&["-o", &option]);
    ssh.arg("env | grep -c '^LARGE_[0-9]*=x\\{1000\\}$'");
    assert_eq!(run(&mut ssh), "120\n");
}
