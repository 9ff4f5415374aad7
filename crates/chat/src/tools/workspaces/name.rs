//! Names of new workspaces, where the model gave none that can be one.

use uuid::Uuid;

/// Longest name of a workspace.
const MAX_NAME: usize = 32;
/// What is kept of a text before the part that makes it unique.
const MAX_STEM: usize = 27;

/// The name that was asked for, if it is one; else one made of it, or of the template's.
pub(super) fn chosen(asked: Option<&str>, template: &str) -> String {
    match asked.map(str::trim).filter(|name| !name.is_empty()) {
        Some(name) if is_name(name) => name.to_owned(),
        Some(name) => generated(name),
        None => generated(template),
    }
}

/// A name of its own that begins like a text.
pub(super) fn generated(like: &str) -> String {
    let plain: String = like
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => c,
            _ => '-',
        })
        .collect();
    let mut stem = String::new();
    for word in plain.split('-').filter(|word| !word.is_empty()) {
        if !stem.is_empty() {
            stem.push('-');
        }
        stem.push_str(word);
    }
    stem.truncate(MAX_STEM);
    let stem = match stem.trim_end_matches('-') {
        "" => "workspace",
        stem => stem,
    };
    let unique = Uuid::new_v4().simple().to_string();
    format!("{stem}-{}", &unique[..4])
}

/// Whether the house takes it for a name; it decides by itself once more.
fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && !text.eq_ignore_ascii_case("new")
        && !text.eq_ignore_ascii_case("create")
        && text
            .split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_or_made_of_what_there_is() {
        assert_eq!(chosen(Some(" dev-1 "), "go"), "dev-1");
        let long = "x".repeat(40);
        for (asked, template, stem) in [
            (None, "Go Dev", "go-dev-"),
            (Some(""), "docker", "docker-"),
            (Some("My  work__space!"), "t", "my-work-space-"),
            (Some("new"), "t", "new-"),
            (Some("é"), "t", "workspace-"),
            (None, "", "workspace-"),
            (Some(long.as_str()), "t", "xxxxxxxxxxxxxxxxxxxxxxxxxxx-"),
        ] {
            let name = chosen(asked, template);
            assert!(name.starts_with(stem), "{asked:?} {name}");
            assert_eq!(name.len(), stem.len() + 4, "{name}");
            assert!(is_name(&name), "{name}");
        }
        assert_ne!(generated("a"), generated("a"));
    }
}
