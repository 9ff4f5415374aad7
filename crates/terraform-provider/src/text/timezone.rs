//! Time zones by name.

use std::path::Path;

/// Where systems keep the compiled IANA database.
const DATABASES: [&str; 3] = [
    "/usr/share/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
];

/// Whether a name is a time zone of the IANA database. On a machine without the database only its form is judged.
pub fn exists(name: &str) -> bool {
    if matches!(name, "" | "UTC" | "Local") {
        return true;
    }
    // A name is a relative path within the database, and must not lead out of it.
    let well_formed = name.split('/').all(|part| {
        let starts = part
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric());
        starts
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+'))
    });
    if !well_formed {
        return false;
    }
    let mut databases = DATABASES
        .iter()
        .map(Path::new)
        .filter(|path| path.is_dir())
        .peekable();
    databases.peek().is_none() || databases.any(|path| is_zone_file(&path.join(name)))
}

fn is_zone_file(path: &Path) -> bool {
    use std::io::Read as _;
    let mut magic = [0; 4];
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut magic))
        .is_ok_and(|()| &magic == b"TZif")
}

#[cfg(test)]
mod tests {
    use super::exists;

    #[test]
    fn names_of_the_database_are_zones_and_paths_out_of_it_are_not() {
        assert!(exists("UTC"));
        for name in [
            "../UTC",
            "/etc/passwd",
            "Europe/../UTC",
            "a b",
            "Europe//Berlin",
            "zone.tab",
            "é",
        ] {
            assert!(!exists(name), "{name}");
        }
        if std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
            assert!(exists("Europe/Berlin"));
            assert!(!exists("Europe/Nowhere"));
            assert!(!exists("Europe"));
        }
    }
}
