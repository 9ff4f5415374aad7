//! Environment variables of a session.

use anyhow::{Result, bail};

use crate::csv;

/// Reads `name=value` pairs.
pub fn parse(given: &[String]) -> Result<Vec<(String, String)>> {
    let given: Vec<String> = given.iter().filter(|v| !v.is_empty()).cloned().collect();
    let pairs = csv::pairs(&given)?;
    for (name, _) in &pairs {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || !name.chars().all(valid)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            bail!("{name:?} cannot be the name of an environment variable");
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(
            parse(&["A=1,B=x y".into()]).unwrap(),
            [("A".into(), "1".into()), ("B".into(), "x y".into())]
        );
        for bad in ["=1", "1A=x", "A B=x", "A", "A-B=1"] {
            assert!(parse(&[bad.into()]).is_err(), "{bad}");
        }
    }
}
