//! Skills: Markdown with a head that says when to use it. A user has its own; a workspace may
//! have more.

use std::collections::HashSet;

use api_types::{MAX_SKILL_NAME, SkillFile, is_skill_name, sanitize_prompt};

/// Largest file of a skill, in bytes.
pub const MAX_SKILL: usize = 64 << 10;
/// Longest description, in bytes.
pub const MAX_DESCRIPTION: usize = 4096;
/// Most characters of a description in the list that models get.
const MAX_TOLD: usize = 500;
/// Longest list that models get, in bytes: it comes with every request.
const MAX_INDEX: usize = 32 << 10;
/// Most skills of a user.
pub const MAX_SKILLS: usize = 100;

/// Takes a user's skill apart and checks it.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn parse(text: &str) -> Result<SkillFile<'_>, String> {
    if text.len() > MAX_SKILL {
        return Err(format!("A skill has {} KiB at most.", MAX_SKILL >> 10));
    }
    let skill = SkillFile::parse(text)?;
    if !is_skill_name(&skill.name) {
        return Err(format!(
            "The name must be of lower case letters and digits, joined by single hyphens, with \
             {MAX_SKILL_NAME} bytes at most."
        ));
    }
    if skill.description.len() > MAX_DESCRIPTION {
        return Err(format!(
            "The description has {MAX_DESCRIPTION} bytes at most."
        ));
    }
    if skill.body.is_empty() {
        return Err("Nothing follows the head.".to_owned());
    }
    Ok(skill)
}

/// The list of skills, as the model is told of them: name and description of each of the user and
/// of the workspace. Where both have one of a name, it says whose. None without any.
pub fn index(own: &[(&str, &str)], workspace: &[(&str, &str)]) -> Option<String> {
    let names = |all: &[(&str, &str)]| -> HashSet<String> {
        all.iter().map(|(name, _)| (*name).to_owned()).collect()
    };
    let (mine, theirs) = (names(own), names(workspace));
    let mut lines = Vec::new();
    for (skills, whose, others) in [(own, "personal", &theirs), (workspace, "workspace", &mine)] {
        for (name, description) in skills {
            let whose = if others.contains(*name) {
                format!("{whose}/")
            } else {
                String::new()
            };
            let description: String = one_line(description).chars().take(MAX_TOLD).collect();
            lines.push(format!("- {whose}{name}: {description}"));
        }
    }
    if lines.is_empty() {
        return None;
    }
    let mut text = String::from(
        "Skills: instructions for kinds of tasks. Before a task that one of them is for, read it with \
         read_skill.",
    );
    for (told, line) in lines.iter().enumerate() {
        if text.len() + line.len() > MAX_INDEX {
            text.push_str(&format!(
                "\n({} more: read_skill names all of them when asked for one that does not exist.)",
                lines.len() - told
            ));
            break;
        }
        text.push('\n');
        text.push_str(line);
    }
    Some(text)
}

fn one_line(text: &str) -> String {
    sanitize_prompt(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_checked() {
        let skill = parse("---\nname: \"a-1\"\ndescription: does: it\n---\n\n# Do\n---\n").unwrap();
        assert_eq!(skill.body, "# Do\n---");
        let long = format!("---\nname: {}\n---\nx", "a".repeat(MAX_SKILL_NAME + 1));
        let wordy = format!(
            "---\nname: a\ndescription: {}\n---\nx",
            "a".repeat(MAX_DESCRIPTION + 1)
        );
        let big = format!("---\nname: a\n---\n{}", "a".repeat(MAX_SKILL));
        for bad in [
            "",
            "---\nname: x\n---\n \n",
            "---\nname: A\n---\nbody",
            long.as_str(),
            wordy.as_str(),
            big.as_str(),
        ] {
            assert!(parse(bad).is_err(), "{bad:.40}");
        }
    }

    #[test]
    fn the_index_is_a_line_each() {
        assert_eq!(index(&[], &[]), None);
        let text = index(
            &[("a", "one\ntwo"), ("both", "")],
            &[("both", "x"), ("c", "y")],
        );
        let lines = "- a: one two\n- personal/both: \n- workspace/both: x\n- c: y";
        assert!(text.unwrap().ends_with(lines));
        let many: Vec<String> = (0..600).map(|n| format!("skill-{n}")).collect();
        let words = "word ".repeat(1000);
        let many: Vec<(&str, &str)> = many.iter().map(|n| (n.as_str(), words.as_str())).collect();
        let text = index(&[], &many).unwrap();
        assert!(text.len() < MAX_INDEX + 200 && text.contains(" more: "));
    }
}
