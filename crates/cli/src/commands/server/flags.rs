//! The flags of the server, which come from its table of options.

use std::collections::HashMap;

use clap::{ArgMatches, Command};

/// What was given on the command line, as text; the server checks it.
#[derive(Debug, Clone, Default)]
pub struct Flags(HashMap<String, Vec<String>>);

impl Flags {
    /// The values of a flag; `None` when it was not given.
    pub fn get(&self, name: &str) -> Option<Vec<String>> {
        self.0.get(name).cloned()
    }
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(server::options::arguments())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = server::options::table().iter().filter_map(|spec| {
            // An option whose value has another type is not one of ours.
            let values = matches.try_get_many::<String>(spec.flag).ok().flatten()?;
            Some((spec.flag.to_owned(), values.cloned().collect()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    #[test]
    fn given_flags_alone_count() {
        let command = Flags::augment_args(Command::new("server"));
        let matches = command
            .try_get_matches_from(["server", "--http-address", "127.0.0.1:0"])
            .unwrap();
        let flags = Flags::from_arg_matches(&matches).unwrap();
        assert_eq!(
            flags.get("http-address"),
            Some(vec!["127.0.0.1:0".to_owned()])
        );
        assert_eq!(flags.get("access-url"), None);
        assert_eq!(flags.get("no-such-flag"), None);
    }
}
