//! The description at the head of a skill's file.

/// Bytes of a name.
const MAX_NAME: usize = 64;

/// Name and description; the error is for people.
pub fn parse(text: &str) -> Result<(String, String), String> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return Err("missing frontmatter: the file must begin with a line ---".into());
    }
    let (mut name, mut description) = (String::new(), String::new());
    let mut closed = false;
    for line in lines {
        if line.trim_end() == "---" {
            closed = true;
            break;
        }
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = unquoted(value.trim());
        match key.trim() {
            "name" => name = value,
            "description" => description = value,
            _ => {}
        }
    }
    if !closed {
        return Err("the frontmatter has no end: a second line --- is missing".into());
    }
    if name.is_empty() {
        return Err("the frontmatter has no name".into());
    }
    Ok((name, description))
}

fn unquoted(value: &str) -> String {
    let quoted = |quote| {
        value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    };
    quoted('"')
        .or_else(|| quoted('\''))
        .unwrap_or(value)
        .to_owned()
}

/// Whether a skill may be called so: words in lower case with single hyphens.
pub fn is_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    name.len() <= MAX_NAME && name.split('-').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let text = "---\nname: \"a-skill\"\ndescription: does: things\nother\n---\nbody\nname: x\n";
        assert_eq!(parse(text), Ok(("a-skill".into(), "does: things".into())));
        for wrong in [
            "",
            "name: x",
            "---\nname: x\n",
            "---\ndescription: x\n---\n",
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_are_kebab_case() {
        assert!(is_name("a-1") && is_name("x"));
        for wrong in ["", "A", "a--b", "-a", "a_b", "ä"] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
    }
}
