//! The scripts that start an agent in a fresh workspace.
//!
//! They fetch the agent's program from the server, check it and run it. The placeholders
//! `${ACCESS_URL}` and `${AUTH_TYPE}` are filled in by the Terraform provider, or here.

/// One script.
struct Script {
    os: &'static str,
    arch: &'static str,
    text: &'static str,
}

const UNIX: &str = include_str!("unix.sh");
const WINDOWS: &str = include_str!("windows.ps1");

/// Every platform that an agent runs on.
const SCRIPTS: &[Script] = &[
    script("linux", "amd64", UNIX),
    script("linux", "arm64", UNIX),
    script("linux", "armv7", UNIX),
    script("darwin", "amd64", UNIX),
    script("darwin", "arm64", UNIX),
    script("windows", "amd64", WINDOWS),
    script("windows", "arm64", WINDOWS),
];

const fn script(os: &'static str, arch: &'static str, text: &'static str) -> Script {
    Script { os, arch, text }
}

impl Script {
    /// The text for its platform, with the server and the way to sign in still open.
    fn for_platform(&self) -> String {
        self.text
            .replace("${OS}", self.os)
            .replace("${ARCH}", self.arch)
    }
}

/// The scripts for templates: `<os>_<arch>` and the text, in which `${ACCESS_URL}` and
/// `${AUTH_TYPE}` are still to be filled in.
pub fn agent_scripts() -> Vec<(String, String)> {
    SCRIPTS
        .iter()
        .map(|script| {
            let name = format!("{}_{}", script.os, script.arch);
            (name, script.for_platform())
        })
        .collect()
}

/// The script of a platform for a server at `access_url`; `None` for an unknown platform.
pub fn init_script(os: &str, arch: &str, access_url: &url::Url, auth: &str) -> Option<String> {
    let script = SCRIPTS
        .iter()
        .find(|script| script.os == os && script.arch == arch)?;
    let mut base = access_url.clone();
    base.set_path("/");
    base.set_query(None);
    base.set_fragment(None);
    Some(
        script
            .for_platform()
            .replace("${ACCESS_URL}", base.as_str())
            .replace("${AUTH_TYPE}", auth),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled_in() {
        let url = "https://coder.example.com:8443/path?x".parse().unwrap();
        for script in SCRIPTS {
            let text = init_script(script.os, script.arch, &url, "token").unwrap();
            assert!(
                text.contains("https://coder.example.com:8443/bin/coder-"),
                "{}",
                script.os
            );
            for placeholder in ["${OS}", "${ARCH}", "${ACCESS_URL}", "${AUTH_TYPE}"] {
                assert!(!text.contains(placeholder), "{} {placeholder}", script.os);
            }
        }
        assert!(init_script("linux", "mips", &url, "token").is_none());
        assert!(init_script("plan9", "amd64", &url, "token").is_none());
    }

    #[test]
    fn templates_get_the_scripts_with_their_address_open() {
        let scripts = agent_scripts();
        let (name, text) = &scripts[0];
        assert_eq!(name, "linux_amd64");
        assert!(text.contains("${ACCESS_URL}bin/coder-linux-amd64"));
    }

    /// Runs the script with a server and a program of the test's own, with nothing but the
    /// given tools in PATH.
    #[cfg(unix)]
    fn run(tools: &[(&str, &str)], program: &str) -> std::process::Output {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("tools");
        std::fs::create_dir(&bin).unwrap();
        for tool in ["sh", "mktemp", "chmod", "head", "grep", "mkdir", "mv", "cp"] {
            let real = ["/bin", "/usr/bin"]
                .iter()
                .map(|at| std::path::Path::new(at).join(tool))
                .find(|path| path.exists())
                .unwrap();
            std::os::unix::fs::symlink(real, bin.join(tool)).unwrap();
        }
        let payload = dir.path().join("program");
        std::fs::write(&payload, program).unwrap();
        for (name, text) in tools {
            let path = bin.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let url = "http://server.test".parse().unwrap();
        let script = init_script("linux", "amd64", &url, "token").unwrap();
        std::process::Command::new("/bin/sh")
            .arg("-c")
            .arg(script)
            .env_clear()
            .env("PATH", &bin)
            .env("BINARY_DIR", dir.path().join("home"))
            .env("PAYLOAD", &payload)
            .env("CODER_AGENT_TOKEN", "secret")
            .output()
            .unwrap()
    }

    #[cfg(unix)]
    const PROGRAM: &str = "#!/bin/sh\n\
        if [ \"$1\" = --version ]; then echo 'Coder v2.38.0'; exit 0; fi\n\
        echo \"ran $1 $CODER_AGENT_AUTH $CODER_AGENT_URL $CODER_AGENT_TOKEN\"\n";

    #[cfg(unix)]
    #[test]
    fn curl_wget_and_busybox_each_suffice() {
        // Each writes the program to what follows -o or -O.
        let fetch = "#!/bin/sh\n[ \"$1\" = --list ] && { echo wget; exit 0; }\n\
            while [ $# -gt 0 ]; do case $1 in -o|-O|-*O) out=$2; shift;; esac; shift; done\n\
            cp \"$PAYLOAD\" \"$out\"\n";
        for tool in ["curl", "wget", "busybox"] {
            let output = run(&[(tool, fetch)], PROGRAM);
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                text.contains("ran agent token http://server.test/ secret"),
                "{tool}: {text} {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}
