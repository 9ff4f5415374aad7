//! Booleans and numbers as texts, read like Go's `strconv` does.

/// Reads a boolean: `1 t T TRUE true True 0 f F FALSE false False`.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Whether the text is a decimal floating-point number. One too large for 64 bits is none.
pub fn is_float(text: &str) -> bool {
    match text.parse::<f64>() {
        Ok(number) => number.is_finite() || !text.bytes().any(|byte| byte.is_ascii_digit()),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_float, parse_bool};

    #[test]
    fn booleans_have_twelve_spellings() {
        assert_eq!(parse_bool("T"), Some(true));
        assert_eq!(parse_bool("False"), Some(false));
        assert_eq!(parse_bool("yes"), None);
        assert_eq!(parse_bool(""), None);
        assert_eq!(parse_bool("tRUE"), None);
    }

    #[test]
    fn numbers_may_have_fractions_and_exponents() {
        for text in ["1", "-1.5", "+2", "1e3", ".5", "5.", "inf", "NaN"] {
            assert!(is_float(text), "{text}");
        }
        for text in ["", "x", "1 ", "1e400", "0 1"] {
            assert!(!is_float(text), "{text}");
        }
    }
}
