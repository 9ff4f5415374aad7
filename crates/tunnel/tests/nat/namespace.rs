//! Network namespaces by the tools `ip` and `nft`, and runtimes whose sockets are in them.

use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use tokio::runtime::Handle;

/// What is missing to make namespaces, if anything.
pub fn available() -> Result<(), String> {
    // SAFETY: takes nothing and always succeeds.
    if unsafe { libc::geteuid() } != 0 {
        return Err("root".to_owned());
    }
    for tool in ["ip", "nft"] {
        let found = Command::new(tool)
            .arg("-V")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if found.is_err() {
            return Err(format!(
                "the tool {tool} (scripts/deps.sh test installs it)"
            ));
        }
    }
    let name = format!("ct{}try", std::process::id());
    let made = quiet(&["ip", "netns", "add", &name]);
    quiet(&["ip", "netns", "del", &name]);
    if made {
        Ok(())
    } else {
        Err("a kernel that lets this process make them".to_owned())
    }
}

fn quiet(command: &[&str]) -> bool {
    Command::new(command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command that must succeed.
pub fn must(line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let out = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(
        out.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// A namespace; gone when it is dropped.
pub struct Namespace {
    pub name: String,
}

impl Namespace {
    pub fn new(name: &str) -> Self {
        let name = format!("ct{}{name}", std::process::id());
        must(&format!("ip netns add {name}"));
        let made = Self { name };
        made.ip("link set lo up");
        made
    }

    /// `ip …` in it.
    pub fn ip(&self, what: &str) {
        must(&format!("ip -n {} {what}", self.name));
    }

    /// Sets a switch of the kernel, by its path below `/proc/sys/net`.
    pub fn switch_on(&self, path: &str) {
        let write = format!("echo 1 > /proc/sys/net/{path}");
        let done = quiet(&["ip", "netns", "exec", &self.name, "sh", "-c", &write]);
        assert!(done, "{path}");
    }

    /// Replaces all rules of the firewall.
    pub fn nft(&self, rules: &str) {
        use std::io::Write;
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.name, "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!("flush ruleset\n{rules}");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(
            out.status.success(),
            "{rules}\n{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }

    /// A runtime on a thread of its own: sockets that its tasks open are in this namespace. It
    /// ends with the process.
    pub fn runtime(&self) -> Handle {
        let path = format!("/run/netns/{}", self.name);
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let file = std::fs::File::open(path).unwrap();
            // SAFETY: the descriptor is open; only this thread changes its namespace.
            let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            sender.send(runtime.handle().clone()).unwrap();
            runtime.block_on(std::future::pending::<()>());
        });
        receiver.recv().unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        quiet(&["ip", "netns", "del", &self.name]);
    }
}
