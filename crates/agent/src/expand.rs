//! Small text languages of the shell that settings use: `$VAR` in values, and
//! words with quotes. Nothing here runs anything.

/// Replaces `$NAME` and `${NAME}` by what `lookup` knows; unknown names vanish,
/// a `$` without a name stays.
pub fn variables(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if let Some(braced) = rest.strip_prefix('{') {
            // An unclosed brace swallows only itself, as does an empty pair.
            let end = braced.find('}');
            let name = end.map_or("", |end| &braced[..end]);
            out.push_str(
                &lookup(name)
                    .filter(|_| !name.is_empty())
                    .unwrap_or_default(),
            );
            rest = end.map_or(braced, |end| &braced[end + 1..]);
        } else {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            if end == 0 {
                out.push('$');
            } else {
                out.push_str(&lookup(&rest[..end]).unwrap_or_default());
            }
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    out
}

/// Splits like a shell: blanks separate, quotes and backslashes keep together.
/// An unclosed quote reaches to the end.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => {
                word.get_or_insert_default().extend(chars.next());
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced() {
        let lookup = |name: &str| (name == "PATH").then(|| "/bin".to_owned());
        let expand = |text: &str| variables(text, lookup);
        assert_eq!(expand("/x:$PATH:${PATH}y"), "/x:/bin:/biny");
        assert_eq!(expand("a$UNKNOWN-b${}c"), "a-bc");
        assert_eq!(expand("5$ and $"), "5$ and $");
        assert_eq!(expand("${PATH"), "PATH");
    }

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(
            words(r#"scp -t 'a b'"c" d\ e "" "#),
            ["scp", "-t", "a bc", "d e", ""]
        );
        assert_eq!(words("  "), Vec::<String>::new());
        assert_eq!(words("'open"), ["open"]);
    }
}
