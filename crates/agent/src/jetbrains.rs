//! Recognises connections to JetBrains IDEs: they reach their backend through
//! a forwarded port and say nothing of themselves.

use crate::listening;

/// Parts of command lines that give a backend away.
const MARKS: [&[u8]; 3] = [
    b"idea.vendor.name=JetBrains",
    b"com.jetbrains.toolbox",
    b"remote-dev-server",
];

/// Whether what listens on this local port is the backend of a JetBrains IDE.
pub fn listens_on(port: u16) -> bool {
    listening::process_on(port)
        .and_then(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok())
        .is_some_and(|line| MARKS.iter().any(|mark| contains(&line, mark)))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_listeners_are_not_taken_for_an_ide() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!listens_on(listener.local_addr().unwrap().port()));
        assert!(contains(
            b"java -Didea.vendor.name=JetBrains -jar",
            MARKS[0]
        ));
    }
}
