//! Texts of people for models, freed of what people do not see and models do.

/// Unix line ends; no invisible or direction-changing characters (the zero-width non-joiner,
/// which some scripts need, stays); no more than one empty line in a row; no blanks around.
pub fn sanitize_prompt(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(text.len());
    let mut newlines = 0;
    for c in text.chars().filter(|c| !is_invisible(*c)) {
        newlines = if c == '\n' { newlines + 1 } else { 0 };
        if newlines <= 2 {
            out.push(c);
        }
    }
    out.trim().to_owned()
}

/// A text without HTML comments, which renderers of Markdown hide. One without an end is none.
pub fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        let Some((_, next)) = after.split_once("-->") else {
            break;
        };
        out.push_str(before);
        rest = next;
    }
    out.push_str(rest);
    out
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{70F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}'
        | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200D}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
        || (c.is_control() && c != '\n' && c != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_gone() {
        assert_eq!(
            sanitize_prompt(" a\r\nb\u{200B}\u{202E}c\n\n\n\n\nd\u{200C}e\0 "),
            "a\nbc\n\nd\u{200C}e"
        );
        assert_eq!(sanitize_prompt("\u{FEFF}\n\n"), "");
    }

    #[test]
    fn comments_are_gone() {
        assert_eq!(
            without_comments("a <!-- b --> c<!---->d <!-- e"),
            "a  cd <!-- e"
        );
    }
}
