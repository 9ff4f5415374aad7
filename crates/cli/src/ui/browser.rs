//! Opening a page in the person's browser.

use std::process::{Command, Stdio};

/// Asks the desktop to open `url`; false where there is none. `url` is one
/// that this program made, so it needs no further checks.
pub fn open(url: &str) -> bool {
    let has = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let program: &[&str] = if cfg!(target_os = "macos") {
        &["open"]
    } else if cfg!(windows) {
        &["rundll32", "url.dll,FileProtocolHandler"]
    } else if has("BROWSER") || has("DISPLAY") || has("WAYLAND_DISPLAY") {
        &["xdg-open"]
    } else {
        return false;
    };
    Command::new(program[0])
        .args(&program[1..])
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok()
}
