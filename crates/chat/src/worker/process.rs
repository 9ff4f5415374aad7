//! Which process a replica is, and whether that of another has ended.
//!
//! A server that was killed and started again need not wait until its predecessor's lease runs out:
//! on one machine, and among the same processes, it can see that it is gone. Elsewhere, as in a new
//! container or on another machine, nothing is known, and the lease decides.

use std::os::unix::fs::MetadataExt as _;

/// This process: the machine's boot, the namespace of its process ids, the id, and when it started, for
/// ids are used again. Empty where the system does not tell.
pub(super) fn own() -> String {
    let id = std::process::id();
    match (place(), started(id)) {
        (Some(place), Some(started)) => format!("{place}/{id}/{started}"),
        _ => String::new(),
    }
}

/// Whether a process that [`own`] named is known to have ended.
pub(super) fn has_ended(process: &str) -> bool {
    let Some(place) = place() else {
        return false;
    };
    // The whole of the place: the number of one namespace may begin as another's.
    let named = process.strip_prefix(&place);
    let named = named.and_then(|rest| rest.strip_prefix('/')?.split_once('/'));
    let Some((Ok(id), then)) = named.map(|(id, then)| (id.parse(), then)) else {
        return false;
    };
    started(id).is_none_or(|now| now != then)
}

/// The boot, and the namespace that process ids are of.
fn place() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::metadata("/proc/self/ns/pid").ok()?.ino();
    Some(format!("{}/{namespace}", boot.trim()))
}

/// When a process started, in clock ticks since the boot; none if it does not run. One that ended and whose
/// parent has not noticed does not run either.
fn started(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name stands in parentheses and may hold anything; state, then 18 fields until the start.
    let fields = stat.rsplit_once(')')?.1;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| start.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ended_here_has_ended() {
        let own = own();
        assert!(!own.is_empty() && !has_ended(&own));
        // Its id is another process's by now.
        assert!(has_ended(&format!("{own}1")));
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let named = format!(
            "{}/{}/{}",
            place().unwrap(),
            child.id(),
            started(child.id()).unwrap()
        );
        assert!(!has_ended(&named));
        child.kill().unwrap();
        // Before it is waited for, and after.
        while started(child.id()).is_some() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(has_ended(&named));
        child.wait().unwrap();
        assert!(has_ended(&named));
        let here = place().unwrap();
        let longer = format!("{here}7/{}/1", child.id());
        for unknown in ["", "elsewhere/4026531836/1/1", "garbage", &here, &longer] {
            assert!(!has_ended(unknown), "{unknown}");
        }
    }
}
