//! Which TCP ports the workspace listens on, and whose they are, from `/proc`.

use std::collections::{BTreeMap, HashMap};
use std::fs;

/// State number of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// A port on which something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub port: u16,
    /// Name of the process, empty if it is not ours to know.
    pub process_name: String,
}

/// Every listening port once, in order, IPv4 and IPv6.
pub fn ports() -> Vec<Port> {
    let sockets = sockets();
    if sockets.is_empty() {
        return Vec::new();
    }
    let owners = owners();
    sockets
        .into_iter()
        .map(|(port, inode)| {
            let name = owners.get(&inode).and_then(|pid| {
                let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
                Some(name.trim_end().to_owned())
            });
            Port {
                port,
                process_name: name.unwrap_or_default(),
            }
        })
        .collect()
}

/// The process that listens on `port`, if it may be known.
pub fn process_on(port: u16) -> Option<u32> {
    let inode = *sockets().get(&port)?;
    owners().get(&inode).copied()
}

/// Listening ports with the inode of their socket.
fn sockets() -> BTreeMap<u16, u64> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|t| fs::read_to_string(t).unwrap_or_default());
    tables.iter().flat_map(|table| parse(table)).collect()
}

fn parse(table: &str) -> impl Iterator<Item = (u16, u64)> {
    table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
        (*fields.get(3)? == LISTEN).then_some((port, fields.get(9)?.parse().ok()?))
    })
}

/// Processes by the inodes of their sockets, as far as this account may look.
fn owners() -> HashMap<u64, u32> {
    let mut owners = HashMap::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|n| n.parse::<u32>().ok())
        else {
            continue;
        };
        for fd in fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let Ok(target) = fs::read_link(fd.path()) else {
                continue;
            };
            let inode = target
                .to_str()
                .and_then(|t| t.strip_prefix("socket:[")?.strip_suffix(']'));
            if let Some(inode) = inode.and_then(|i| i.parse().ok()) {
                owners.insert(inode, pid);
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_listener_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(address) else {
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            assert_eq!(process_on(port), Some(std::process::id()));
            assert!(
                ports()
                    .iter()
                    .any(|p| p.port == port && !p.process_name.is_empty())
            );
        }
    }

    #[test]
    fn only_listeners_are_parsed() {
        let table = "  sl  local_address rem_address st ...\n\
            0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n\
            1: 0100007F:1F91 0100007F:0050 01 0:0 0:0 0 0 0 78 1\n\
            garbage\n";
        assert_eq!(parse(table).collect::<Vec<_>>(), [(8080, 77)]);
    }
}
