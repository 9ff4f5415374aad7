//! What a template says of itself, cut to what a model should read of it.

use api_types::skill_body;

/// The text of a README without its front matter, `most` characters of it at most.
pub(super) fn excerpt(readme: &str, most: usize) -> String {
    // Its head is written as that of a skill.
    let text = skill_body(readme).trim();
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

/// A text cut to `most` characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let text = text.trim();
    text.char_indices()
        .nth(most)
        .map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_left_out_and_long_texts_are_cut() {
        let full = "\u{feff}\n---\nname: x\n---\n\n# Docker\r\nfor all\n";
        assert_eq!(excerpt(full, 100), "# Docker\r\nfor all");
        assert_eq!(excerpt("---\nnever closed", 100), "---\nnever closed");
        assert_eq!(excerpt("no --- here", 100), "no --- here");
        assert_eq!(excerpt("ééééé", 3), "ééé…");
        assert_eq!(excerpt("ééé", 3), "ééé");
        assert_eq!(
            (cut(" ééé ", 2), cut("a", 5), excerpt("", 5).as_str()),
            ("éé", "a", "")
        );
    }
}
