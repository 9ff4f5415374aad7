//! Opening an address on the person's desktop.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A desktop that has nothing for an address says so at once; one that is
/// still busy after this has begun to open it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// Whether there is a desktop to ask.
pub fn is_there() -> bool {
    opener().is_some()
}

/// Asks the desktop to open `url`; false where there is none. `url` is one
/// that this program made, so it needs no further checks.
pub fn open(url: &str) -> bool {
    start(url).is_some()
}

/// The same, but waits for a desktop that refuses.
pub fn open_and_wait(url: &str) -> bool {
    let Some(mut child) = start(url) else {
        return false;
    };
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => std::thread::sleep(LOOK),
            Err(_) => return true,
        }
    }
    true
}

fn start(url: &str) -> Option<std::process::Child> {
    let (program, args) = opener()?.split_first()?;
    Command::new(program)
        .args(args)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()
}

/// The program that knows what opens what.
fn opener() -> Option<&'static [&'static str]> {
    let has = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    if cfg!(target_os = "macos") {
        Some(&["open"])
    } else if cfg!(windows) {
        Some(&["rundll32", "url.dll,FileProtocolHandler"])
    } else if has("BROWSER") || has("DISPLAY") || has("WAYLAND_DISPLAY") {
        Some(&["xdg-open"])
    } else {
        None
    }
}
