//! Sessions and forwarding with the OpenSSH client.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;

use agent::sessions::Kind;

use crate::support::{host, host_with, text};

#[test]
fn output_and_exit_codes_come_back() {
    let host = host();
    let output = host.run("echo out; echo err >&2; exit 7");
    assert_eq!(text(&output), "out\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "err\n");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(host.run("true").status.code(), Some(0));
    assert_eq!(host.run("kill -9 $$").status.code(), Some(255));
    assert_eq!(host.run("exit 255").status.code(), Some(255));
}

#[test]
fn sessions_know_where_they_are() {
    let host = host();
    let output = host.run("echo $CODER $CODER_WORKSPACE_NAME $CODER_AGENT_TOKEN $SSH_CLIENT; pwd");
    let home = std::env::var("HOME").unwrap();
    assert_eq!(
        text(&output),
        format!("true dev the-token 0.0.0.0 0 0\n{home}\n")
    );
    let mut command = host.ssh(&["-o", "SetEnv=EXTRA=from-client"]);
    assert_eq!(
        text(&command.arg("echo $EXTRA").output().unwrap()),
        "from-client\n"
    );
}

#[test]
fn standard_input_is_binary_clean_both_ways() {
    // Far more than any window or pipe holds, so that a server which waits for
    // one direction before it serves the other would hang here.
    let data: Vec<u8> = (0..12_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let host = host();
    for cipher in [
        "chacha20-poly1305@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
    ] {
        let mut child = host
            .ssh(&["-c", cipher])
            .arg("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let sent = data.clone();
        let writer = std::thread::spawn(move || stdin.write_all(&sent));
        let mut back = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut back).unwrap();
        writer.join().unwrap().unwrap();
        assert!(
            back == data,
            "{cipher}: {} of {} bytes came back",
            back.len(),
            data.len()
        );
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn input_that_nobody_reads_does_not_stop_the_output() {
    let host = host();
    let mut child = host
        .ssh(&[])
        .arg("head -c 30000000 /dev/zero; exec sleep 0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // The command never reads; this ends with a broken pipe when it is gone.
    let writer = std::thread::spawn(move || while stdin.write_all(&[0; 65536]).is_ok() {});
    let mut back = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut back).unwrap();
    assert_eq!(back.len(), 30_000_000);
    child.wait().unwrap();
    writer.join().unwrap();
}

#[test]
fn bursts_lose_no_line() {
    let host = host();
    for options in [&["-T"][..], &["-tt"]] {
        let output = host.ssh(options).arg("seq 1 10000").output().unwrap();
        let lines: Vec<String> = text(&output)
            .lines()
            .map(|l| l.trim_end().to_owned())
            .collect();
        let expected: Vec<String> = (1..=10_000).map(|n| n.to_string()).collect();
        assert!(lines == expected, "{options:?}: {} lines", lines.len());
    }
}

#[test]
fn a_terminal_is_one() {
    let host = host();
    let output = host
        .ssh(&["-tt"])
        .arg("test -t 0 && tty && echo $TERM; exit 5")
        .env("TERM", "vt220")
        .output()
        .unwrap();
    assert!(text(&output).starts_with("/dev/pts/"), "{}", text(&output));
    assert!(text(&output).contains("vt220"));
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn background_programs_do_not_keep_a_terminal_open() {
    let host = host();
    let output = host
        .ssh(&["-tt"])
        .arg("(trap '' HUP; exec sleep 600) & echo done")
        .output()
        .unwrap();
    assert!(text(&output).contains("done"));
    assert!(output.status.success());
}

#[test]
fn a_login_shell_reads_its_commands() {
    let host = host();
    let mut child = host
        .ssh(&["-T"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"echo $((6*7))\nexit 3\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(text(&output).contains("42"));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn many_sessions_share_one_connection() {
    let host = host();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("c");
    let control = format!("ControlPath={}", socket.display());
    let mut master = host.ssh(&["-M", "-N", "-o", &control]).spawn().unwrap();
    while !socket.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let sessions: Vec<_> = (0..10)
        .map(|n| {
            let mut command = host.ssh(&["-o", &control]);
            command
                .arg(format!("seq 1 2000; exit {n}"))
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for (n, session) in sessions.into_iter().enumerate() {
        let output = session.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(n as i32));
        assert_eq!(text(&output).lines().count(), 2000);
    }
    master.kill().unwrap();
    master.wait().unwrap();
    assert_eq!(host.workspace.sessions.count(Kind::JetBrains), 0);
}

/// Answers every connection with what it sent, in capitals.
fn shout(mut stream: impl Read + Write) {
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        stream.write_all(&buffer[..n].to_ascii_uppercase()).unwrap();
    }
}

fn asks(mut stream: impl Read + Write, shutdown: impl FnOnce()) -> String {
    stream.write_all(b"hello").unwrap();
    shutdown();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[test]
fn tcp_is_forwarded_both_ways() {
    let host = host();
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = target.local_addr().unwrap().port();
    std::thread::spawn(move || target.incoming().flatten().for_each(shout));
    for flag in ["-L", "-R"] {
        let from = free_port();
        let forward = format!("127.0.0.1:{from}:127.0.0.1:{to}");
        let mut ssh = host
            .ssh(&[flag, &forward])
            .arg("echo up; exec sleep 600")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        ssh.stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0; 3])
            .unwrap();
        let stream = TcpStream::connect(("127.0.0.1", from)).unwrap();
        let half = stream.try_clone().unwrap();
        let answer = asks(stream, || half.shutdown(std::net::Shutdown::Write).unwrap());
        assert_eq!(answer, "HELLO", "{flag}");
        ssh.kill().unwrap();
        ssh.wait().unwrap();
    }
}

#[test]
fn unix_sockets_are_forwarded_both_ways() {
    let host = host();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let target = UnixListener::bind(path("target")).unwrap();
    std::thread::spawn(move || target.incoming().flatten().for_each(shout));
    for (flag, name) in [("-L", "local"), ("-R", "deep/remote")] {
        let forward = format!("{}:{}", path(name), path("target"));
        let mut ssh = host
            .ssh(&[flag, &forward])
            .arg("echo up; exec sleep 600")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        ssh.stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0; 3])
            .unwrap();
        let stream = UnixStream::connect(path(name)).unwrap();
        let half = stream.try_clone().unwrap();
        let answer = asks(stream, || half.shutdown(std::net::Shutdown::Write).unwrap());
        assert_eq!(answer, "HELLO", "{flag}");
        ssh.kill().unwrap();
        ssh.wait().unwrap();
    }
}

#[test]
fn the_clients_agent_is_reachable() {
    let host = host();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent");
    let agent = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || agent.incoming().flatten().for_each(shout));
    // OpenSSH checks that an agent is there, and nothing more, before it offers it.
    let script = "test -S \"$SSH_AUTH_SOCK\" && stat -c %a \"$SSH_AUTH_SOCK\"";
    let output = host
        .ssh(&["-A"])
        .arg(script)
        .env("SSH_AUTH_SOCK", &path)
        .output()
        .unwrap();
    assert_eq!(text(&output), "600\n");
    assert!(!text(&host.run("echo [$SSH_AUTH_SOCK]")).contains("auth-agent"));
}

#[test]
fn a_display_is_offered_and_leads_to_the_client() {
    let host = host();
    // A display of the client that is a plain socket: enough to see bytes arrive.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let Some(number) = port.checked_sub(6000) else {
        return;
    };
    std::thread::spawn(move || server.incoming().flatten().for_each(drop));
    let home = tempfile::tempdir().unwrap();
    let script = "bash -c 'd=${DISPLAY##*:}; d=${d%%.*}; echo $DISPLAY; \
                  exec 3<>/dev/tcp/localhost/$((6000+d)) && echo connected'";
    let set_home = format!("SetEnv=HOME={}", home.path().display());
    let output = host
        .ssh(&["-Y", "-o", "XAuthLocation=/bin/false", "-o", &set_home])
        .arg(script)
        .env("DISPLAY", format!("localhost:{number}"))
        .output()
        .unwrap();
    assert!(home.path().join(".Xauthority").exists());
    let shown = text(&output);
    assert!(
        shown.starts_with("localhost:") && shown.contains("connected"),
        "{shown}"
    );
}

#[test]
fn forbidden_things_are_refused() {
    let host = host_with(|config| {
        config.block_file_transfer = true;
        config.block_reverse_port_forwarding = true;
        config.block_local_port_forwarding = true;
    });
    let output = host.run("scp -t /tmp/x");
    assert_eq!(output.status.code(), Some(65));
    assert!(text(&output).contains("File transfer has been disabled."));
    assert!(
        !host
            .sftp()
            .stdin(Stdio::null())
            .output()
            .unwrap()
            .status
            .success()
    );
    let forward = format!("127.0.0.1:{}:127.0.0.1:1", free_port());
    assert!(
        !host
            .ssh(&["-R", &forward])
            .arg("true")
            .output()
            .unwrap()
            .status
            .success()
    );
    assert!(
        !host
            .ssh(&["-W", "127.0.0.1:1"])
            .output()
            .unwrap()
            .status
            .success()
    );
    assert_eq!(text(&host.run("echo still here")), "still here\n");
}

#[test]
fn unknown_subsystems_end_with_an_error() {
    let output = host().ssh(&["-s"]).arg("nonsense").output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn keys_are_renewed_under_way() {
    let host = host();
    let output = host
        .ssh(&["-o", "RekeyLimit=1M"])
        .arg("head -c 20000000 /dev/zero")
        .output()
        .unwrap();
    assert_eq!(output.stdout.len(), 20_000_000);
    assert!(output.status.success());
}

#[test]
fn the_end_of_the_agent_ends_sessions() {
    let host = host();
    let mut ssh = host
        .ssh(&[])
        .arg("echo up; exec sleep 600")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    ssh.stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut [0; 3])
        .unwrap();
    host.workspace.shutdown.cancel();
    assert_eq!(ssh.wait().unwrap().code(), Some(255));
}

#[test]
fn garbage_is_hung_up_on() {
    let host = host();
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff",
        b"SSH-2.0-x\r\n\0\0\0\x0c\x0aZ__________",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", host.port)).unwrap();
        stream.write_all(garbage).unwrap();
        let mut answer = Vec::new();
        // It may end with a reset, as not all was read.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.starts_with(b"SSH-2.0-Coder\r\n"));
    }
    assert_eq!(text(&host.run("echo still here")), "still here\n");
}
