//! Lists in flags and environment variables: values separated by commas, which
//! may be quoted like CSV.

/// Splits `text` at commas. A value with a comma is quoted: `"a,b",c`. Text
/// that is no proper CSV (JSON, for instance) is one value as it stands.
pub fn split(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some((value, after)) = unquote(quoted) else {
                return vec![text.to_owned()];
            };
            values.push(value);
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None if after.is_empty() => return values,
                None => return vec![text.to_owned()],
            }
        } else {
            let (value, next) = match rest.split_once(',') {
                Some((value, next)) => (value, Some(next)),
                None => (rest, None),
            };
            if value.contains('"') {
                return vec![text.to_owned()];
            }
            values.push(value.to_owned());
            match next {
                Some(next) => rest = next,
                None => return values,
            }
        }
    }
}

/// Splits every element, as a repeated flag gives them.
pub fn split_all(texts: &[String]) -> Vec<String> {
    texts.iter().flat_map(|t| split(t)).collect()
}

/// Splits `name=value` pairs. A piece without `=` belongs to the value before
/// it, so that values with commas need no quotes.
pub fn pairs(texts: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for text in texts {
        let before = pairs.len();
        for piece in split(text) {
            match piece.split_once('=') {
                Some((name, value)) => pairs.push((name.trim().to_owned(), value.to_owned())),
                None => match pairs.get_mut(before..).and_then(<[_]>::last_mut) {
                    Some((_, value)) => {
                        value.push(',');
                        value.push_str(&piece);
                    }
                    None => anyhow::bail!("{piece:?} is not of the form name=value"),
                },
            }
        }
    }
    Ok(pairs)
}

/// Reads up to the closing quote; gives the value and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                value.push('"');
                rest = after;
            }
            None => return Some((value, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_like_csv() {
        assert_eq!(split("a,b"), ["a", "b"]);
        assert_eq!(split("\"a,b\",c"), ["a,b", "c"]);
        assert_eq!(split("\"x=[\"\"a\"\",\"\"b\"\"]\""), ["x=[\"a\",\"b\"]"]);
        assert_eq!(split(""), [""]);
    }

    #[test]
    fn improper_csv_is_one_value() {
        for text in ["x=[\"a\",\"b\"]", "\"open", "\"a\"b"] {
            assert_eq!(split(text), [text]);
        }
    }

    #[test]
    fn pairs_keep_commas_of_values() {
        let given = [
            "a=1,b=2,3".to_owned(),
            "c=x=y".to_owned(),
            "d=[\"p\",\"q\"]".to_owned(),
        ];
        let expected = [
            ("a", "1"),
            ("b", "2,3"),
            ("c", "x=y"),
            ("d", "[\"p\",\"q\"]"),
        ];
        let got = pairs(&given).unwrap();
        assert!(
            got.iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .eq(expected)
        );
        assert!(pairs(&["novalue".to_owned()]).is_err());
        assert!(pairs(&["a=1".to_owned(), "novalue".to_owned()]).is_err());
    }
}
