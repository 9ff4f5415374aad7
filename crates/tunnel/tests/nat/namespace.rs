//! Network namespaces by the tools `ip` and `nft`.

use std::process::{Command, Stdio};

/// What is missing to make namespaces, if anything.
pub fn available() -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
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
}

impl Drop for Namespace {
    fn drop(&mut self) {
        quiet(&["ip", "netns", "del", &self.name]);
    }
}
