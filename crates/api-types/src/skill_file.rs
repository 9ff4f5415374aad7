//! The file of a skill, as users write it and workspaces hold it: a head between two lines of
//! `---` with its name and description, then Markdown.

/// Longest name, in bytes.
pub const MAX_SKILL_NAME: usize = 256;

/// A skill's file, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillFile<'a> {
    /// What the head calls it; see [`is_skill_name`].
    pub name: String,
    /// When to use it; may be empty.
    pub description: String,
    /// What follows the head.
    pub body: &'a str,
}

impl<'a> SkillFile<'a> {
    /// Takes a file apart.
    ///
    /// # Errors
    /// What is wrong with the head, in a sentence.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let (head, body) = split(text)?;
        let (mut name, mut description) = (String::new(), String::new());
        for line in head.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            match key.trim() {
                "name" => name = unquoted(value.trim()),
                "description" => description = unquoted(value.trim()),
                _ => {}
            }
        }
        if name.is_empty() {
            return Err("The head must contain a name.".to_owned());
        }
        Ok(SkillFile {
            name,
            description,
            body: body.trim(),
        })
    }
}

/// What follows the head of a skill's file; all of it if there is no head.
pub fn skill_body(text: &str) -> &str {
    split(text).map_or(text, |(_, body)| body).trim()
}

/// Whether a skill may be called so: words of lower case letters and digits, joined by single
/// hyphens, with [`MAX_SKILL_NAME`] bytes at most.
pub fn is_skill_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    name.len() <= MAX_SKILL_NAME && name.split('-').all(word)
}

fn split(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let no_head = || "The file must begin with a head between two lines of ---.".to_owned();
    let (first, rest) = text.split_once('\n').ok_or_else(no_head)?;
    if first.trim_end() != "---" {
        return Err(no_head());
    }
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Ok((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    Err("The head has no end: a second line of --- is missing.".to_owned())
}

fn unquoted(value: &str) -> String {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"')
        .or_else(|| within('\''))
        .unwrap_or(value)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_apart() {
        let text = "---\nname: \"a-1\"\ndescription: does: it\nother\n---\n\n# Do\n---\nname: x\n";
        let file = SkillFile::parse(text).unwrap();
        assert_eq!(
            (file.name.as_str(), file.description.as_str()),
            ("a-1", "does: it")
        );
        assert_eq!(file.body, "# Do\n---\nname: x");
        assert_eq!(skill_body(text), file.body);
        assert_eq!(skill_body("no head"), "no head");
        for wrong in [
            "",
            "---",
            "name: x",
            "---\nname: x\n",
            "---\ndescription: x\n---\nbody",
            "---\nname: ''\n---\nbody",
        ] {
            assert!(SkillFile::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_are_kebab_case() {
        assert!(is_skill_name("a-1") && is_skill_name("x"));
        let long = "a".repeat(MAX_SKILL_NAME + 1);
        for wrong in ["", "A", "a--b", "-a", "a_b", "ä", long.as_str()] {
            assert!(!is_skill_name(wrong), "{wrong:.10?}");
        }
    }
}
