//! Prompts that people wrote, freed of what nobody can see.

/// Unix line ends; no invisible or direction-changing characters (the zero-width non-joiner,
/// which some scripts need, stays); no more than one empty line in a row; no blanks around.
pub fn sanitize(text: &str) -> String {
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

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180E}' | '\u{200B}' | '\u{200D}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
        || (c.is_control() && c != '\n' && c != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_gone() {
        assert_eq!(
            sanitize(" a\r\nb\u{200B}\u{202E}c\n\n\n\n\nd\u{200C}e\0 "),
            "a\nbc\n\nd\u{200C}e"
        );
        assert_eq!(sanitize("\u{FEFF}\n\n"), "");
    }
}
