//! Terraform numbers, as far as a provider of whole-number attributes needs them.

use std::fmt;

/// A number in the smallest of the forms that hosts send.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// A whole number of 64 bits.
    Int(i64),
    /// A number with a fraction, or beyond 64 bits.
    Float(f64),
    /// A decimal text: hosts send it for what neither of the others holds exactly.
    Text(String),
}

impl Number {
    /// The number as a whole one, if it is whole and fits 64 bits.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            // Beyond 2^53 a float no longer tells neighbouring whole numbers apart; hosts send those as integers.
            Self::Float(number)
                if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 =>
            {
                Some(*number as i64)
            }
            Self::Float(_) => None,
            Self::Text(digits) => digits.parse().ok(),
        }
    }

    /// Reads a decimal number as it stands in a state file or where a string was given for a number.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<i64>() {
            return Some(Self::Int(number));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Some(Self::Float(number)),
            _ => None,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Text(digits) => f.write_str(digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn whole_numbers_are_told_from_fractions_and_from_what_does_not_fit() {
        assert_eq!(Number::Int(-3).as_int(), Some(-3));
        assert_eq!(Number::Float(4.0).as_int(), Some(4));
        assert_eq!(Number::Float(4.5).as_int(), None);
        assert_eq!(Number::Float(1e300).as_int(), None);
        assert_eq!(Number::Float(f64::NAN).as_int(), None);
        assert_eq!(Number::Text("12".into()).as_int(), Some(12));
        assert_eq!(Number::Text("99999999999999999999".into()).as_int(), None);
        assert_eq!(Number::parse("1e400"), None);
        assert_eq!(Number::parse("x"), None);
    }
}
