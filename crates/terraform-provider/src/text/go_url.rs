//! URLs as Go's `net/url` reads them: nearly every text is one, a bare path included.

/// The parts of an access URL that templates see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUrl {
    text: String,
    /// `scheme://authority`, empty where the text has none.
    origin_len: usize,
    https: bool,
    port: Option<u32>,
}

/// Reads an access URL.
///
/// # Errors
/// A reason why the text is no URL.
pub fn parse(text: &str) -> Result<AccessUrl, String> {
    check(text)?;
    let (scheme, rest) = split_scheme(text)?;
    let authority = authority(rest);
    let port = authority.map(port).transpose()?.flatten();
    Ok(AccessUrl {
        text: text.to_owned(),
        origin_len: authority.map_or(0, |authority| text.len() - rest.len() + 2 + authority.len()),
        https: scheme.eq_ignore_ascii_case("https"),
        port,
    })
}

impl AccessUrl {
    /// The URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The root of the server: the URL without path, query and fragment, and with a final slash.
    pub fn root(&self) -> String {
        format!("{}/", &self.text[..self.origin_len])
    }

    /// The port that is given, else 443 for https and 80 for everything else.
    pub fn port(&self) -> u32 {
        self.port.unwrap_or(if self.https { 443 } else { 80 })
    }
}

/// Says why a text is no URL.
///
/// # Errors
/// The reason.
pub fn check(text: &str) -> Result<(), String> {
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return Err("it contains a control character".to_owned());
    }
    let (before_fragment, fragment) = text.split_once('#').unwrap_or((text, ""));
    check_escapes(fragment)?;
    let (scheme, rest) = split_scheme(before_fragment)?;
    let (rest, _query) = rest.split_once('?').unwrap_or((rest, ""));
    let Some(authority) = authority(rest) else {
        let first = rest.split('/').next().unwrap_or_default();
        if scheme.is_empty() && first.contains(':') {
            return Err("the first part of its path contains a colon".to_owned());
        }
        return check_escapes(rest);
    };
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let never = [' ', '<', '>', '"', '\\', '^', '`', '{', '}'];
    if let Some(bad) = host.chars().find(|c| never.contains(c)) {
        return Err(format!("its host name contains {bad:?}"));
    }
    port(authority)?;
    check_escapes(&rest[2 + authority.len()..])
}

fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return Err("its scheme is missing before the colon".to_owned()),
            b':' => return Ok((&text[..index], &text[index + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

/// The part between `//` and the next `/`, `?` or `#`.
fn authority(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix("//")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some(&rest[..end])
}

fn port(authority: &str) -> Result<Option<u32>, String> {
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let after = if host.starts_with('[') {
        let Some(end) = host.rfind(']') else {
            return Err("']' is missing in its host name".to_owned());
        };
        &host[end + 1..]
    } else {
        host.find(':').map_or("", |colon| &host[colon..])
    };
    if after.is_empty() {
        return Ok(None);
    }
    let invalid = || format!("its port {after:?} is not a number");
    let digits = after.strip_prefix(':').ok_or_else(invalid)?;
    if digits.is_empty() {
        return Ok(None);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    digits.parse().map(Some).map_err(|_| invalid())
}

fn check_escapes(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    for (index, _) in text.match_indices('%') {
        let valid = bytes
            .get(index + 1..index + 3)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        if !valid {
            return Err("it contains a percent sign without two hexadecimal digits".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check, parse};

    #[test]
    fn an_access_url_has_a_root_and_a_port() {
        let url = parse("http://localhost:3000/p?q#f").unwrap();
        assert_eq!(
            (url.root().as_str(), url.port()),
            ("http://localhost:3000/", 3000)
        );
        let url = parse("https://coder.example.com").unwrap();
        assert_eq!(
            (url.root().as_str(), url.port()),
            ("https://coder.example.com/", 443)
        );
        let url = parse("http://[::1]").unwrap();
        assert_eq!((url.root().as_str(), url.port()), ("http://[::1]/", 80));
        let url = parse("coder.example.com").unwrap();
        assert_eq!((url.root().as_str(), url.port()), ("/", 80));
    }

    #[test]
    fn paths_and_data_are_urls_and_broken_ones_say_why() {
        for text in [
            "",
            "/icon/x.svg",
            "a b",
            "data:image/png;base64,AA==",
            "file:///x",
            "/emojis/25b6.png",
            "?q=%zz",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in [
            "\u{7f}",
            ":x",
            "http://a b/",
            "http://h:x/",
            "http://[::1",
            "/%2",
            "/%zz",
            "1:2",
            "http://h:1:2",
            "é:x",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
