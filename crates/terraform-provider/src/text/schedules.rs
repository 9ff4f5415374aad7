//! Prebuild schedules: cron expressions that stand for ranges of whole hours, of which no two may overlap.

use std::collections::BTreeSet;

/// Checks that no two schedules are ever active at once.
///
/// # Errors
/// The pair that overlaps, or the part that is no range. Ranges and lists are understood, steps are not.
pub fn check_overlaps(schedules: &[&str]) -> Result<(), String> {
    for (index, first) in schedules.iter().enumerate() {
        for second in &schedules[index + 1..] {
            if overlap(first, second).map_err(|reason| format!("invalid schedule: {reason}"))? {
                return Err(format!("schedules overlap: {first} and {second}"));
            }
        }
    }
    Ok(())
}

fn overlap(first: &str, second: &str) -> Result<bool, String> {
    let [_, hour1, day1, month1, weekday1] = fields(first)?;
    let [_, hour2, day2, month2, weekday2] = fields(second)?;
    if !meet(month1, month2, 12).map_err(|reason| format!("invalid month range: {reason}"))? {
        return Ok(false);
    }
    // Cron runs on a day that matches either field, unless one of them is free; then the other decides.
    let days = || -> Result<bool, String> {
        if day1 == "*" || day2 == "*" {
            meet(weekday1, weekday2, 6)
        } else if weekday1 == "*" || weekday2 == "*" {
            meet(day1, day2, 31)
        } else {
            Ok(meet(day1, day2, 31)? | meet(weekday1, weekday2, 6)?)
        }
    };
    if !days().map_err(|reason| format!("invalid day range: {reason}"))? {
        return Ok(false);
    }
    meet(hour1, hour2, 23).map_err(|reason| format!("invalid hour range: {reason}"))
}

fn fields(schedule: &str) -> Result<[&str; 5], String> {
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    fields.try_into().map_err(|fields: Vec<&str>| {
        format!(
            "schedule {schedule:?} has {} fields, expected 5 (minute, hour, day of month, month, day of week)",
            fields.len()
        )
    })
}

fn meet(first: &str, second: &str, most: u32) -> Result<bool, String> {
    let first = values(first, most)?;
    let second = values(second, most)?;
    Ok(!first.is_disjoint(&second))
}

/// The numbers of a field such as `1-3,5`.
fn values(field: &str, most: u32) -> Result<BTreeSet<u32>, String> {
    if field == "*" {
        return Ok((0..=most).collect());
    }
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_| format!("{text:?} is not a number"))
    };
    let mut values = BTreeSet::new();
    for part in field.split(',') {
        let (start, end) = match part.split_once('-') {
            Some((start, end)) => (number(start)?, number(end)?),
            None => (number(part)?, number(part)?),
        };
        if end > most || start > end {
            return Err(format!(
                "invalid range {part}: values must rise and lie between 0 and {most}"
            ));
        }
        values.extend(start..=end);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::check_overlaps;

    #[test]
    fn schedules_overlap_where_month_day_and_hour_all_meet() {
        let apart = [
            ["* 9-18 * * 1-5", "* 19-20 * * 1-5"],
            ["* 9-18 * * 1-5", "* 9-18 * * 6,0"],
            ["* * * 1-3 *", "* * * 4 *"],
            ["* 8 1-5 * *", "* 8 6-10 * *"],
            ["* 8 1 * 1", "* 8 2 * 2"],
        ];
        for pair in apart {
            assert_eq!(check_overlaps(&pair), Ok(()), "{pair:?}");
        }
        let meeting = [
            ["* 9-18 * * 1-5", "* 18 * * 5"],
            ["* * * * *", "* 3 * * *"],
            ["* 8 1 * 1", "* 8 1 * 2"],
            ["* 8 1 * *", "* 8 2 * *"],
        ];
        for pair in &meeting[..3] {
            assert!(
                check_overlaps(pair).unwrap_err().contains("overlap"),
                "{pair:?}"
            );
        }
        // With free weekdays on both sides the days of the month decide.
        assert_eq!(check_overlaps(&meeting[3]), Ok(()));
    }

    #[test]
    fn what_is_not_a_range_is_named() {
        for pair in [
            ["* */2 * * *", "* 1 * * *"],
            ["* 24 * * *", "* 1 * * *"],
            ["* 3-1 * * *", "* 1 * * *"],
            ["*", "* *"],
        ] {
            let error = check_overlaps(&pair).unwrap_err();
            assert!(error.starts_with("invalid schedule"), "{error}");
        }
        assert!(check_overlaps(&["* 1-4294967295 * * *", "* 1 * * *"]).is_err());
    }
}
