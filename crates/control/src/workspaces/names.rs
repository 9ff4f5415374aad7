//! What workspaces, templates and versions may be called.

use crate::{Error, Result};

/// Longest name of a template or workspace.
const MAX_NAME: usize = 32;
/// Longest name of a version.
const MAX_VERSION_NAME: usize = 64;
/// Longest display name.
const MAX_DISPLAY_NAME: usize = 64;
/// Longest description of a template.
pub const MAX_DESCRIPTION: usize = 128;
/// Longest path or URL of an icon.
pub const MAX_ICON: usize = 256;
/// Longest message of a version: 1 MiB.
pub const MAX_MESSAGE: usize = 1 << 20;

/// Refuses what cannot be the name of a template or workspace.
pub fn check_name(field: &str, tag: &str, name: &str) -> Result<()> {
    let fits = (1..=MAX_NAME).contains(&name.chars().count());
    let reserved = name.eq_ignore_ascii_case("new") || name.eq_ignore_ascii_case("create");
    if fits && !reserved && words(name, &['-']) {
        return Ok(());
    }
    Err(bad(field, tag, name)
        .with_detail("A name has 1 to 32 letters and digits, with single hyphens inside; \"new\" and \"create\" are reserved."))
}

/// Refuses what cannot be the name of a template version.
pub fn check_version_name(field: &str, name: &str) -> Result<()> {
    let fits = (1..=MAX_VERSION_NAME).contains(&name.chars().count());
    if fits && words(name, &['-', '_', '.']) {
        return Ok(());
    }
    Err(bad(field, "template_version_name", name).with_detail(
        "A version name has 1 to 64 letters and digits, with single '-', '_' or '.' inside.",
    ))
}

/// Refuses what cannot be a display name; an empty one is none.
pub fn check_display_name(field: &str, tag: &str, name: &str) -> Result<()> {
    let trimmed = name.trim() == name && !name.chars().any(char::is_control);
    if trimmed && name.chars().count() <= MAX_DISPLAY_NAME {
        return Ok(());
    }
    Err(bad(field, tag, name)
        .with_detail("A display name has 64 characters at most and no space at its ends."))
}

/// Refuses text that is too long, or that the database cannot hold.
pub fn check_text(field: &str, text: &str, max: usize) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::field(
            field,
            "The text must not contain NUL characters.",
        ));
    }
    if text.len() > max {
        return Err(Error::field(
            field,
            format!("The text is longer than {max} bytes."),
        ));
    }
    Ok(())
}

/// Letters and digits, with single separators between them.
fn words(name: &str, separators: &[char]) -> bool {
    name.split(separators)
        .all(|w| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric()))
}

fn bad(field: &str, tag: &str, name: &str) -> Error {
    let shown: String = name.chars().take(64).collect();
    Error::field(
        field,
        format!(
            "Validation failed for tag \"{tag}\" with value: \"{}\"",
            shown.escape_debug()
        ),
    )
}

/// A name for a version or workspace whose maker gave none: two words and a number, so that
/// it can be spoken.
pub fn random_name() -> String {
    use rand::seq::IndexedRandom as _;
    let mut rng = rand::rng();
    let pick = |words: &[&'static str], rng: &mut rand::rngs::ThreadRng| {
        words.choose(rng).copied().unwrap_or("plain")
    };
    let (first, second) = (pick(ADJECTIVES, &mut rng), pick(NOUNS, &mut rng));
    format!("{first}-{second}-{}", rand::random_range(10..100))
}

const ADJECTIVES: &[&str] = &[
    "amber", "bold", "brisk", "calm", "clear", "crisp", "eager", "early", "fair", "fleet", "fresh",
    "gentle", "glad", "grand", "green", "keen", "kind", "light", "lively", "lucid", "mellow",
    "mild", "neat", "noble", "proud", "quick", "quiet", "rapid", "ready", "sharp", "silent",
    "smart", "solid", "steady", "still", "sunny", "swift", "tidy", "vivid", "warm",
];
const NOUNS: &[&str] = &[
    "anchor", "badger", "beacon", "birch", "bridge", "brook", "canyon", "cedar", "cliff", "comet",
    "crane", "delta", "falcon", "fern", "finch", "forge", "gale", "grove", "harbor", "heron",
    "island", "lantern", "maple", "meadow", "moon", "orchid", "otter", "pebble", "pine", "prairie",
    "raven", "reef", "ridge", "river", "robin", "spruce", "summit", "thistle", "tundra", "willow",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "dev", "Dev-2", "a-b-c", &"x".repeat(32)] {
            assert!(check_name("name", "workspace_name", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "a--b",
            "a_b",
            "new",
            "Create",
            "é",
            "a\0b",
            "🦀",
            &"x".repeat(33),
        ] {
            let error = check_name("name", "workspace_name", bad).unwrap_err();
            assert_eq!(
                (error.status(), error.validations[0].field.as_str()),
                (400, "name")
            );
        }
        assert!(
            check_name("name", "t", &"x".repeat(10_000))
                .unwrap_err()
                .validations[0]
                .detail
                .len()
                < 200
        );
    }

    #[test]
    fn version_and_display_names() {
        assert!(check_version_name("name", "v1.2.3_beta-4").is_ok());
        assert!(check_version_name("name", "v1..2").is_err());
        assert!(check_display_name("display_name", "t", "Docker on Linux").is_ok());
        assert!(check_display_name("display_name", "t", "").is_ok());
        assert!(check_display_name("display_name", "t", " x").is_err());
    }

    #[test]
    fn random_names_are_names() {
        for _ in 0..200 {
            assert!(check_version_name("name", &random_name()).is_ok());
            assert!(check_name("name", "workspace_name", &random_name()).is_ok());
        }
    }
}
