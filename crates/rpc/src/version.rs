//! API levels ("major.minor") and what a server accepts.

use std::fmt;
use std::str::FromStr;

/// The level of the agent and tailnet services that this code speaks.
pub const TAILNET: Version = Version {
    major: 2,
    minor: 11,
};
/// The level of the provisioner daemon service that this code speaks.
pub const PROVISIONERD: Version = Version {
    major: 1,
    minor: 19,
};

/// An API level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Changes when old peers are no longer understood.
    pub major: u32,
    /// Grows with each addition.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a peer's level is refused; the texts are part of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not `major.minor`.
    #[error("invalid version string: {0}")]
    Invalid(String),
    /// Newer than the server.
    #[error("server is at version {server}, behind requested major version {requested}")]
    MajorAhead {
        /// What the server speaks.
        server: Version,
        /// What was asked for.
        requested: u32,
    },
    /// Newer than the server.
    #[error("server is at version {server}, behind requested minor version {requested}")]
    MinorAhead {
        /// What the server speaks.
        server: Version,
        /// What was asked for.
        requested: Version,
    },
    /// Older than anything that is served.
    #[error("version {0} is no longer supported")]
    Gone(Version),
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .split_once('.')
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        match parts {
            Some((major, minor)) => Ok(Self { major, minor }),
            // Cut, because the text goes back to the sender.
            None => Err(VersionError::Invalid(text.chars().take(32).collect())),
        }
    }
}

impl Version {
    /// Whether a server of this level serves a peer that asks for `requested`:
    /// the same major version and at most our minor one.
    pub fn accepts(self, requested: &str) -> Result<Version, VersionError> {
        let requested: Version = requested.parse()?;
        if requested.major > self.major {
            return Err(VersionError::MajorAhead {
                server: self,
                requested: requested.major,
            });
        }
        if requested.major < self.major {
            return Err(VersionError::Gone(requested));
        }
        if requested.minor > self.minor {
            return Err(VersionError::MinorAhead {
                server: self,
                requested,
            });
        }
        Ok(requested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_minors_of_the_same_major_are_served() {
        assert_eq!(TAILNET.accepts("2.0").unwrap().minor, 0);
        assert_eq!(TAILNET.accepts("2.11").unwrap(), TAILNET);
    }

    #[test]
    fn refusals_say_why() {
        let text = |requested: &str| TAILNET.accepts(requested).unwrap_err().to_string();
        assert_eq!(
            text("3.0"),
            "server is at version 2.11, behind requested major version 3"
        );
        assert_eq!(
            text("2.12"),
            "server is at version 2.11, behind requested minor version 2.12"
        );
        assert_eq!(text("1.0"), "version 1.0 is no longer supported");
        for bad in ["", "2", "2.", ".1", "2.0.1", "two.one", "-2.0"] {
            assert_eq!(text(bad), format!("invalid version string: {bad}"));
        }
    }
}
