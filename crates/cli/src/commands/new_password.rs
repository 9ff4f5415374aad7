//! Asking for a new password, twice.

use anyhow::{Result, bail, ensure};
use api_types::Secret;

use crate::ui::prompt::Question;

/// Asks until something was typed, and once more to be sure.
pub fn ask() -> Result<Secret<String>> {
    let secret = |text| Question {
        text,
        default: None,
        secret: true,
    };
    let not_empty = |answer: &str| {
        ensure!(!answer.is_empty(), "A password is needed.");
        Ok(())
    };
    let password = secret("Enter new password:").ask(not_empty)?;
    if secret("Confirm password:").ask(not_empty)? != password {
        bail!("the passwords do not match");
    }
    Ok(password.into())
}
