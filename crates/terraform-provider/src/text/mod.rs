//! Texts as templates write them: the forms were defined by Go's standard library, whose reading of them is kept so
//! that a template means the same here.

pub mod cron;
pub mod go_bool;
pub mod go_regex;
pub mod go_url;
pub mod schedules;
pub mod timezone;
pub mod uuid;
