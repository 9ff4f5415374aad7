//! Starter templates that travel inside the program.

/// One starter template.
#[derive(Debug)]
pub struct Starter {
    /// Name of its directory, by which it is asked for.
    pub id: &'static str,
    /// Files, by path inside the template.
    pub files: &'static [(&'static str, &'static [u8])],
}

include!(concat!(env!("OUT_DIR"), "/starters.rs"));

impl Starter {
    /// The first line of its README that is no heading.
    pub fn summary(&self) -> &'static str {
        let readme = self
            .files
            .iter()
            .find(|(path, _)| *path == "README.md")
            .map_or("", |(_, text)| std::str::from_utf8(text).unwrap_or(""));
        // The part between two lines of dashes is for the dashboard.
        let body = readme
            .strip_prefix("---\n")
            .and_then(|r| r.split_once("\n---\n"))
            .map_or(readme, |(_, body)| body);
        body.lines()
            .map(str::trim)
            .find(|l| !l.is_empty() && !l.starts_with('#'))
            .unwrap_or("")
    }
}

/// Every starter template.
pub fn all() -> &'static [Starter] {
    STARTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_starter_is_a_template_that_says_what_it_is() {
        for starter in all() {
            assert!(
                starter.files.iter().any(|(path, _)| *path == "main.tf"),
                "{}",
                starter.id
            );
            assert!(!starter.summary().is_empty(), "{}", starter.id);
        }
    }

    #[test]
    fn summaries_skip_front_matter_and_headings() {
        let starter = Starter {
            id: "x",
            files: &[(
                "README.md",
                b"---\nicon: x\n---\n\n# Title\n\nWhat it is.\n",
            )],
        };
        assert_eq!(starter.summary(), "What it is.");
    }
}
