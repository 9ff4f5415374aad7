//! What the control plane tells the provider about the build: variables of the process's environment.

#[cfg(test)]
use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

/// The environment variables of a build.
#[derive(Debug, Clone)]
pub struct Environment(Source);

#[derive(Clone)]
enum Source {
    Process,
    #[cfg(test)]
    Given(HashMap<String, String>),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Tokens and keys are among the values.
        f.write_str(match self {
            Self::Process => "Process",
            #[cfg(test)]
            Self::Given(_) => "Given",
        })
    }
}

/// Name of the variable that names the running build. Without it the template is run by hand.
const BUILD_ID: &str = "CODER_WORKSPACE_BUILD_ID";

impl Environment {
    /// The environment of this process.
    pub fn process() -> Self {
        Self(Source::Process)
    }

    /// These variables and no others.
    #[cfg(test)]
    pub fn given<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self(Source::Given(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        ))
    }

    /// A variable that is set, be it empty. One that is not Unicode counts as not set.
    pub fn lookup(&self, name: &str) -> Option<String> {
        match &self.0 {
            // The process's environment rejects these names with a panic or never has them.
            Source::Process if name.is_empty() || name.contains(['=', '\0']) => None,
            Source::Process => std::env::var(name).ok(),
            #[cfg(test)]
            Source::Given(variables) => variables.get(name).cloned(),
        }
    }

    /// A variable, empty where it is not set.
    pub fn get(&self, name: &str) -> String {
        self.lookup(name).unwrap_or_default()
    }

    /// A variable that is set and not empty.
    pub fn non_empty(&self, name: &str) -> Option<String> {
        self.lookup(name).filter(|value| !value.is_empty())
    }

    /// Whether a variable says `true`, in any case.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).eq_ignore_ascii_case("true")
    }

    /// A variable that every build has.
    ///
    /// # Errors
    /// It is empty although a build runs.
    pub fn required(&self, name: &str) -> Result<String, String> {
        match self.non_empty(name) {
            Some(value) => Ok(value),
            None if self.non_empty(BUILD_ID).is_some() => Err(format!("{name} is required")),
            None => Ok(String::new()),
        }
    }

    /// Whether this is a build that starts a workspace, and not a stop, a deletion or a run by hand.
    pub fn is_start_build(&self) -> bool {
        self.non_empty(BUILD_ID).is_some() && self.get("CODER_WORKSPACE_TRANSITION") == "start"
    }

    /// The input for a parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.lookup(&format!("CODER_PARAMETER_{}", hashed(name)))
    }

    /// The value that a parameter had in the last build.
    pub fn previous_parameter(&self, name: &str) -> Option<String> {
        self.lookup(&format!("CODER_PARAMETER_PREVIOUS_{}", hashed(name)))
    }

    /// The token of the agent that goes on running while its prebuilt workspace is claimed.
    pub fn running_agent_token(&self) -> Option<String> {
        self.non_empty(&format!(
            "CODER_RUNNING_WORKSPACE_AGENT_TOKEN_{}",
            hashed("")
        ))
    }
}

/// Names can hold any character, names of variables cannot.
fn hashed(name: &str) -> String {
    hex::encode(Sha256::digest(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::Environment;

    #[test]
    fn parameters_are_found_by_the_hash_of_their_names() {
        let hash = "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592";
        let environment = Environment::given([
            (format!("CODER_PARAMETER_{hash}"), "1"),
            (format!("CODER_PARAMETER_PREVIOUS_{hash}"), ""),
        ]);
        let name = "The quick brown fox jumps over the lazy dog";
        assert_eq!(environment.parameter(name).as_deref(), Some("1"));
        assert_eq!(environment.previous_parameter(name).as_deref(), Some(""));
        assert_eq!(environment.parameter("x"), None);
    }

    #[test]
    fn what_every_build_has_is_missed_only_in_a_build() {
        assert_eq!(
            Environment::given([("A", "b")]).required("X"),
            Ok(String::new())
        );
        let build = Environment::given([("CODER_WORKSPACE_BUILD_ID", "1"), ("A", "b"), ("E", "")]);
        assert_eq!(build.required("A"), Ok("b".to_owned()));
        assert!(build.required("E").unwrap_err().contains("E is required"));
    }

    #[test]
    fn names_that_no_environment_can_hold_are_not_set() {
        for name in ["", "a=b", "a\0b"] {
            assert_eq!(Environment::process().lookup(name), None);
        }
    }
}
