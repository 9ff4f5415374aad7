//! When workspaces start and stop by themselves: cron expressions and deadlines. Pure.

mod autostop;
mod cron;

pub use autostop::{Autostop, AutostopRequirement, Deadlines, deadlines};
pub use cron::Cron;

use std::time::Duration;

/// Shortest time to live that may be set.
pub const MIN_TTL: Duration = Duration::from_mins(1);

/// Longest time to live that may be set.
pub const MAX_TTL: Duration = Duration::from_hours(720);

/// Names of the week's days, in the order of the bits of a day set: bit 0 is Monday.
pub const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// All days of a week as bits.
pub const ALL_DAYS: i16 = 0b111_1111;

/// Day names to bits; answers the first name that is no day.
pub fn days_to_bits(days: &[String]) -> Result<i16, String> {
    let mut bits = 0;
    for day in days {
        match DAYS.iter().position(|d| d.eq_ignore_ascii_case(day)) {
            Some(bit) => bits |= 1 << bit,
            None => return Err(day.clone()),
        }
    }
    Ok(bits)
}

/// Bits to day names, Monday first.
pub fn bits_to_days(bits: i16) -> Vec<String> {
    let names = DAYS
        .iter()
        .enumerate()
        .filter(|(bit, _)| bits & (1 << bit) != 0);
    names.map(|(_, day)| (*day).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_round_trip() {
        let days = vec!["monday".to_owned(), "sunday".to_owned()];
        assert_eq!(days_to_bits(&days), Ok(0b100_0001));
        assert_eq!(bits_to_days(0b100_0001), days);
        assert_eq!(days_to_bits(&["funday".into()]), Err("funday".into()));
        assert_eq!(bits_to_days(ALL_DAYS).len(), 7);
    }
}
