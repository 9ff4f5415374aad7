//! What a person sees: colours, tables, prompts, times.

pub mod browser;
pub mod output;
pub mod prompt;
pub mod select;
pub mod style;
pub mod table;
pub mod terminal;
pub mod time;
