//! Names that people choose: what may be one.

use rand::Rng as _;

/// Longest name of a user, an organization, a template, a workspace.
const MAX_NAME: usize = 32;
const MAX_REAL_NAME: usize = 128;

/// Checks the name of a user or another thing.
///
/// # Errors
/// Says what a name is.
pub(crate) fn name(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > MAX_NAME {
        return Err("must have 1 to 32 characters");
    }
    let parts = text.split('-');
    if !parts
        .clone()
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    {
        return Err("must be letters and digits, with single dashes between them");
    }
    if matches!(text, "new" | "create") {
        return Err("must not be \"new\" or \"create\"");
    }
    Ok(())
}

/// Checks the real name of a person; it may be empty.
///
/// # Errors
/// Says what such a name is.
pub(crate) fn real(text: &str) -> Result<(), &'static str> {
    if text.chars().count() > MAX_REAL_NAME {
        return Err("must have at most 128 characters");
    }
    trimmed(text)
}

fn trimmed(text: &str) -> Result<(), &'static str> {
    if text.trim() != text || text.contains('\0') {
        return Err("must not begin or end with white space");
    }
    Ok(())
}

/// Checks an address: something at something.
///
/// # Errors
/// Says what an address is.
pub(crate) fn email(text: &str) -> Result<(), &'static str> {
    const MAX: usize = 254;
    let parts = text.rsplit_once('@');
    let good = parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty());
    let clean = text.len() <= MAX && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if good && clean {
        Ok(())
    } else {
        Err("must be an e-mail address")
    }
}

/// A name of a user made from what there is: itself if it is one, else what
/// stands before the @ without foreign characters, else a random one.
pub(crate) fn username_from(text: &str) -> String {
    if name(text).is_ok() {
        return text.to_owned();
    }
    let local = text.rsplit_once('@').map_or(text, |(local, _)| local);
    let plain: String = local
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    if name(&plain).is_ok() {
        return plain;
    }
    format!("user-{}", random_text(8).to_lowercase())
}

/// Random letters and digits.
pub(crate) fn random_text(len: usize) -> String {
    let mut random = rand::rng();
    (0..len)
        .map(|_| char::from(random.sample(rand::distr::Alphanumeric)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_name() {
        for good in ["a", "A-1", "x".repeat(32).as_str(), "123"] {
            assert_eq!(name(good), Ok(()), "{good}");
        }
        let long = "x".repeat(33);
        for bad in [
            "",
            "-a",
            "a-",
            "a--b",
            "a_b",
            "a b",
            "é",
            "new",
            "create",
            "a\0",
            long.as_str(),
        ] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_from_addresses() {
        assert_eq!(username_from("dean"), "dean");
        assert_eq!(username_from("de.an@example.com"), "dean");
        assert!(name(&username_from("@")).is_ok());
        assert!(name(&username_from("ééé@x")).is_ok());
    }

    #[test]
    fn what_is_an_address() {
        assert!(email("a@b").is_ok());
        for bad in ["", "a", "@b", "a@", "a b@c", "a@b\n"] {
            assert!(email(bad).is_err(), "{bad}");
        }
    }
}
