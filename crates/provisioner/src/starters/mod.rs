//! The starter templates that travel in the binary: a catalogue to list, and archives to begin a template with.

use std::io::Write as _;

/// A template to begin with.
#[derive(Debug)]
pub struct Starter {
    /// What names it for ever: its directory.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// What it makes, in a line.
    pub description: &'static str,
    /// Path of its icon on the server.
    pub icon: &'static str,
    /// Words to find it by.
    pub tags: &'static [&'static str],
    /// Its files, by path, sorted.
    pub files: &'static [(&'static str, &'static str)],
}

macro_rules! file {
    ($id:literal, $path:literal) => {
        (
            $path,
            include_str!(concat!("../../../../templates/", $id, "/", $path)),
        )
    };
}

/// All starters, the simplest first.
pub const ALL: &[Starter] = &[
    Starter {
        id: "host",
        name: "Host",
        description: "Workspaces as processes on the server's machine, each with a directory of its own",
        icon: "/icon/terminal.svg",
        tags: &["local", "process", "linux"],
        files: &[
            file!("host", "README.md"),
            file!("host", "main.tf"),
            file!("host", "start.sh"),
            file!("host", "stop.sh"),
        ],
    },
    Starter {
        id: "docker",
        name: "Docker Containers",
        description: "Workspaces as Docker containers, each with a volume for its home directory",
        icon: "/icon/docker.svg",
        tags: &["docker", "container", "linux"],
        files: &[file!("docker", "README.md"), file!("docker", "main.tf")],
    },
    Starter {
        id: "kubernetes",
        name: "Kubernetes (Deployment)",
        description: "Workspaces as Kubernetes Deployments, each with a persistent volume for its home directory",
        icon: "/icon/k8s.png",
        tags: &["kubernetes", "container", "linux"],
        files: &[
            file!("kubernetes", "README.md"),
            file!("kubernetes", "main.tf"),
        ],
    },
];

/// The starter of that id.
pub fn find(id: &str) -> Option<&'static Starter> {
    ALL.iter().find(|starter| starter.id == id)
}

impl Starter {
    /// Its README, in Markdown.
    pub fn readme(&self) -> &'static str {
        self.files
            .iter()
            .find(|(path, _)| *path == "README.md")
            .map_or("", |(_, text)| text)
    }

    /// Its files as an uncompressed tar archive. The same starter always gives the same bytes.
    pub fn tar(&self) -> Vec<u8> {
        let mut archive = Vec::new();
        for (path, text) in self.files {
            let mut header = tar::Header::new_ustar();
            // Paths here are short and relative; one that did not fit would fail the test below.
            if header.set_path(path).is_err() {
                continue;
            }
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            archive.extend_from_slice(header.as_bytes());
            archive.extend_from_slice(text.as_bytes());
            archive.resize(archive.len().next_multiple_of(512), 0);
        }
        // Two empty blocks end an archive. Writing to memory cannot fail.
        let _ = archive.write_all(&[0; 1024]);
        archive
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, find};
    use std::io::Read as _;

    #[test]
    fn every_starter_says_what_it_is() {
        for starter in ALL {
            assert!(starter.readme().starts_with("# "), "{}", starter.id);
            assert!(
                !starter.description.is_empty() && starter.description.len() <= 128,
                "{}",
                starter.id
            );
            assert_eq!(find(starter.id).map(|found| found.name), Some(starter.name));
        }
        assert!(find("nothing").is_none());
    }

    #[test]
    fn the_archive_holds_every_file_as_it_is() {
        for starter in ALL {
            let bytes = starter.tar();
            assert_eq!(bytes, starter.tar());
            let mut archive = tar::Archive::new(bytes.as_slice());
            let mut found = Vec::new();
            for entry in archive.entries().unwrap() {
                let mut entry = entry.unwrap();
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                found.push((entry.path().unwrap().to_string_lossy().into_owned(), text));
            }
            let expected: Vec<_> = starter
                .files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
                .collect();
            assert_eq!(found, expected, "{}", starter.id);
        }
    }

    #[test]
    fn no_file_of_the_directories_is_forgotten() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
        for starter in ALL {
            let mut names: Vec<_> = std::fs::read_dir(root.join(starter.id))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            let known: Vec<_> = starter
                .files
                .iter()
                .map(|(path, _)| (*path).to_owned())
                .collect();
            assert_eq!(names, known, "{}", starter.id);
        }
    }
}
