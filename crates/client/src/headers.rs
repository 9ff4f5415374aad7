//! Extra request headers: `key=value` pairs and commands that print them.

use std::process::{Command, Stdio};

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// Why an extra header cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// Not of the form `key=value`.
    #[error("header {0:?} is not of the form key=value")]
    Form(String),
    /// The name or value has characters that a header cannot carry.
    #[error("header {0:?} has a name or value that HTTP cannot carry")]
    Characters(String),
    /// The header command could not run.
    #[error("cannot run the header command {command:?}: {reason}")]
    Spawn {
        /// The command.
        command: String,
        /// Why not.
        reason: std::io::Error,
    },
    /// The header command failed.
    #[error("the header command {command:?} failed with {status}: {stderr}")]
    Failed {
        /// The command.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it printed as its error.
        stderr: String,
    },
}

/// Reads `key=value` and adds it to `into`.
pub fn parse_header(pair: &str, into: &mut HeaderMap) -> Result<(), HeaderError> {
    let (name, value) = pair
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| HeaderError::Form(pair.to_owned()))?;
    // The value may be a secret: errors show the name alone.
    let characters = || HeaderError::Characters(name.to_owned());
    let name = HeaderName::try_from(name).map_err(|_| characters())?;
    let mut value = HeaderValue::try_from(value).map_err(|_| characters())?;
    value.set_sensitive(true);
    into.append(name, value);
    Ok(())
}

/// Runs `command` in a shell with `CODER_URL` set; each line that it prints is
/// a header `key=value`.
pub fn run_header_command(
    command: &str,
    url: &Url,
    into: &mut HeaderMap,
) -> Result<(), HeaderError> {
    let shell = if cfg!(windows) {
        ["cmd.exe", "/c"]
    } else {
        ["sh", "-c"]
    };
    let output = Command::new(shell[0])
        .arg(shell[1])
        .arg(command)
        .env("CODER_URL", url.as_str())
        .stdin(Stdio::null())
        .output()
        .map_err(|reason| HeaderError::Spawn {
            command: command.to_owned(),
            reason,
        })?;
    if !output.status.success() {
        return Err(HeaderError::Failed {
            command: command.to_owned(),
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    for line in String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|l| !l.trim().is_empty())
    {
        parse_header(line, into)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_may_contain_equals_signs() {
        let mut headers = HeaderMap::new();
        parse_header("X-Proxy=a=b", &mut headers).unwrap();
        assert_eq!(headers["x-proxy"], "a=b");
    }

    #[test]
    fn refuses_what_http_cannot_carry() {
        let mut headers = HeaderMap::new();
        assert!(matches!(
            parse_header("no-equals", &mut headers),
            Err(HeaderError::Form(_))
        ));
        assert!(matches!(
            parse_header("=v", &mut headers),
            Err(HeaderError::Form(_))
        ));
        let error = parse_header("X-Key=secret\nX-Other: 1", &mut headers).unwrap_err();
        assert!(!error.to_string().contains("secret"));
        assert!(parse_header("bad name=v", &mut headers).is_err());
        assert!(headers.is_empty());
    }

    #[test]
    fn command_sees_the_address_and_may_print_several() {
        let mut headers = HeaderMap::new();
        let url: Url = "http://coder.test/".parse().unwrap();
        run_header_command("printf 'A=1\\nB=%s\\n' \"$CODER_URL\"", &url, &mut headers).unwrap();
        assert_eq!(headers["a"], "1");
        assert_eq!(headers["b"], "http://coder.test/");
        let error = run_header_command("echo broken >&2; exit 3", &url, &mut headers).unwrap_err();
        assert!(error.to_string().contains("broken"));
    }
}
