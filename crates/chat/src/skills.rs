//! Skills: Markdown with a head that says when to use it. A user has its own; a workspace may
//! have more.

/// Largest file of a skill, in bytes.
pub const MAX_SKILL: usize = 64 << 10;
/// Longest name, in bytes.
pub const MAX_NAME: usize = 256;
/// Longest description, in bytes.
pub const MAX_DESCRIPTION: usize = 4096;
/// Most skills of a user.
pub const MAX_SKILLS: usize = 100;

/// A skill's file, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skill {
    /// Its name: words in lower case, joined by hyphens.
    pub name: String,
    /// When to use it; may be empty.
    pub description: String,
    /// What it says.
    pub body: String,
}

/// Takes a skill's file apart.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn parse(text: &str) -> Result<Skill, String> {
    if text.len() > MAX_SKILL {
        return Err(format!("A skill has {} KiB at most.", MAX_SKILL >> 10));
    }
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
    if name.len() > MAX_NAME || !is_name(&name) {
        return Err(format!(
            "The name must be of lower case letters and digits, joined by single hyphens, with \
             {MAX_NAME} bytes at most."
        ));
    }
    if description.len() > MAX_DESCRIPTION {
        return Err(format!(
            "The description has {MAX_DESCRIPTION} bytes at most."
        ));
    }
    if body.trim().is_empty() {
        return Err("Nothing follows the head.".to_owned());
    }
    Ok(Skill {
        name,
        description,
        body: body.trim().to_owned(),
    })
}

/// What follows the head of a skill's file; all of it if there is no head.
pub fn body(text: &str) -> &str {
    split(text).map_or(text, |(_, body)| body).trim()
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
    Err(no_head())
}

fn unquoted(value: &str) -> String {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"')
        .or_else(|| within('\''))
        .unwrap_or(value)
        .to_owned()
}

fn is_name(name: &str) -> bool {
    name.split('-').all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

/// The list of a user's skills, as the model is told of them; none without any.
pub fn index<'a>(own: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let lines: Vec<String> = own
        .into_iter()
        .map(|(name, description)| format!("- personal/{name}: {}", one_line(description)))
        .collect();
    (!lines.is_empty()).then(|| {
        format!(
            "Skills of the user. Before a task that one of them is for, read it with read_skill.\n{}",
            lines.join("\n")
        )
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_apart() {
        let skill = parse("---\nname: \"a-1\"\ndescription: does: it\n---\n\n# Do\n---\n").unwrap();
        assert_eq!(
            (skill.name.as_str(), skill.description.as_str()),
            ("a-1", "does: it")
        );
        assert_eq!(skill.body, "# Do\n---");
        let long = format!("---\nname: {}\n---\nx", "a".repeat(MAX_NAME + 1));
        let wordy = format!(
            "---\nname: a\ndescription: {}\n---\nx",
            "a".repeat(MAX_DESCRIPTION + 1)
        );
        let big = format!("---\nname: a\n---\n{}", "a".repeat(MAX_SKILL));
        for bad in [
            "",
            "name: x",
            "---",
            "---\nname: x\n",
            "---\nname: x\n---\n \n",
            "---\ndescription: x\n---\nbody",
            "---\nname: A\n---\nbody",
            "---\nname: a--b\n---\nbody",
            long.as_str(),
            wordy.as_str(),
            big.as_str(),
        ] {
            assert!(parse(bad).is_err(), "{bad:.40}");
        }
        assert_eq!(body("no head"), "no head");
    }

    #[test]
    fn the_index_is_a_line_each() {
        assert_eq!(index([]), None);
        let text = index([("a", "one\ntwo"), ("b", "")]).unwrap();
        assert!(text.contains("- personal/a: one two\n- personal/b:"));
    }
}
