//! Why options were refused.

/// A refused option: which one, where it was set, what is wrong, what to do.
#[derive(Debug, thiserror::Error)]
pub enum OptionError {
    /// The value has not the form that the option needs.
    #[error("{origin}: {problem} (option --{flag})")]
    Value {
        /// The option.
        flag: &'static str,
        /// Where the value was set.
        origin: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The option belongs to the published set, but does nothing here yet.
    #[error(
        "{origin}: --{flag} is not available in this version, and is refused rather than ignored; remove it to go on"
    )]
    NotHonoured {
        /// The option.
        flag: &'static str,
        /// Where the value was set.
        origin: String,
    },
    /// The YAML file cannot be read.
    #[error("the configuration file {path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The YAML file has a key that no option has.
    #[error(
        "the configuration file {path}: nothing is called `{key}`; `coder server --write-config` prints all keys"
    )]
    UnknownKey {
        /// The file.
        path: String,
        /// The key, sections before it with dots between.
        key: String,
    },
}
