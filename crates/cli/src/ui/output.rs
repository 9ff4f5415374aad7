//! `-o table|json` and `-c columns`, the same for every command that lists.

use std::marker::PhantomData;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use crate::ui::table;

/// One column: its name as given to `-c`, and how a row shows there.
pub struct Column<R> {
    /// Name, in lower case.
    pub name: &'static str,
    /// Text of the cell.
    pub cell: fn(&R) -> String,
}

impl<R> Column<R> {
    /// A column of that name.
    pub const fn new(name: &'static str, cell: fn(&R) -> String) -> Self {
        Self { name, cell }
    }
}

/// A kind of table.
pub trait Table: 'static {
    /// What one row shows.
    type Row;
    /// Every column, in the order of the help text.
    const COLUMNS: &'static [Column<Self::Row>];
    /// Columns shown when nothing else is asked for.
    const DEFAULT: &'static [&'static str];
    /// Whether a form for reading (`text`) exists beside table and JSON.
    const TEXT: bool = false;
    /// Whether to sort rows by their first column.
    const SORTED: bool = true;
}

/// The form of output that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people, one thing.
    Text,
    /// For people, many things.
    Table,
    /// For programs.
    Json,
}

/// The flags `--output` and `--column` of a table `T`.
pub struct Listing<T> {
    format: Format,
    columns: Vec<String>,
    kind: PhantomData<fn() -> T>,
}

impl<T: Table> Listing<T> {
    /// The form that was asked for.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Prints `rows`, or `json` when that was asked for.
    pub fn print(&self, rows: &[T::Row], json: &impl Serialize) -> Result<()> {
        if self.format == Format::Json {
            print_json(json)
        } else {
            emit(&self.table(rows))
        }
    }

    /// `rows` as a table with the chosen columns.
    pub fn table(&self, rows: &[T::Row]) -> String {
        let chosen: Vec<&Column<T::Row>> = self
            .columns
            .iter()
            .filter_map(|name| {
                T::COLUMNS
                    .iter()
                    .find(|c| c.name.eq_ignore_ascii_case(name))
            })
            .collect();
        let header: Vec<&str> = chosen.iter().map(|c| c.name).collect();
        let mut cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| chosen.iter().map(|c| (c.cell)(row)).collect())
            .collect();
        if T::SORTED {
            cells.sort_by(|a, b| a.first().cmp(&b.first()));
        }
        table::render(&header, &cells)
    }
}

impl<T: Table> clap::FromArgMatches for Listing<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let format = match matches.get_one::<String>("output").map(String::as_str) {
            Some("json") => Format::Json,
            Some("text") => Format::Text,
            _ => Format::Table,
        };
        let columns = matches
            .get_many::<String>("column")
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        Ok(Self {
            format,
            columns,
            kind: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<T: Table> clap::Args for Listing<T> {
    fn augment_args(command: Command) -> Command {
        let forms: &[&str] = if T::TEXT {
            &["text", "table", "json"]
        } else {
            &["table", "json"]
        };
        command
            .arg(
                Arg::new("output")
                    .short('o')
                    .long("output")
                    .value_name("format")
                    .value_parser(PossibleValuesParser::new(forms))
                    .default_value(forms[0])
                    .help("Form of the output."),
            )
            .arg(
                Arg::new("column")
                    .short('c')
                    .long("column")
                    .value_name("columns")
                    .action(ArgAction::Append)
                    .value_delimiter(',')
                    .ignore_case(true)
                    .value_parser(PossibleValuesParser::new(T::COLUMNS.iter().map(|c| c.name)))
                    .default_values(T::DEFAULT)
                    .help("Columns of the table, separated by commas."),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// `items`, separated by commas.
pub fn join<T: std::fmt::Display>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Prints `value` as JSON, indented by two spaces.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    emit(&text)
}

/// Writes `text` to standard output. A reader that has gone away (`| head`)
/// ends the program quietly.
pub fn emit(text: &str) -> Result<()> {
    emit_bytes(text.as_bytes())
}

/// Like [`emit`], for what is no text.
pub fn emit_bytes(bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Err(crate::failure::Exit(1).into()),
        result => Ok(result?),
    }
}

/// Writes `text` to standard error; a closed one is nothing to fail for.
pub fn emit_err(text: &str) {
    use std::io::Write;
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// Prints a line to standard output like `println!`, but ends the program
/// quietly when nobody reads it.
#[macro_export]
macro_rules! say {
    () => { $crate::ui::output::emit("\n") };
    ($($part:tt)*) => { $crate::ui::output::emit(&format!("{}\n", format_args!($($part)*))) };
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches};

    use super::*;

    struct Pets;
    impl Table for Pets {
        type Row = (&'static str, u32);
        const COLUMNS: &'static [Column<Self::Row>] = &[
            Column {
                name: "name",
                cell: |r| r.0.into(),
            },
            Column {
                name: "legs",
                cell: |r| r.1.to_string(),
            },
        ];
        const DEFAULT: &'static [&'static str] = &["name"];
    }

    fn parse(args: &[&str]) -> Result<Listing<Pets>, clap::Error> {
        let command = Listing::<Pets>::augment_args(Command::new("pets"));
        Listing::from_arg_matches(&command.try_get_matches_from(args)?)
    }

    #[test]
    fn columns_are_chosen_and_rows_sorted() {
        let rows = [("dog", 4), ("bird", 2)];
        assert_eq!(parse(&["pets"]).unwrap().table(&rows), "NAME\nbird\ndog\n");
        assert_eq!(
            parse(&["pets", "-c", "Legs,name"]).unwrap().table(&rows),
            "LEGS  NAME\n2     bird\n4     dog\n"
        );
    }

    #[test]
    fn unknown_columns_are_refused() {
        assert!(parse(&["pets", "-c", "wings"]).is_err());
        assert!(parse(&["pets", "-o", "xml"]).is_err());
    }
}
