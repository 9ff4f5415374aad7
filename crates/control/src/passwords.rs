//! Passwords: hashing, checking, and what is too weak to be one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use rand::Rng as _;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::{Error, Result};

/// Rounds of PBKDF2 for new hashes.
const ROUNDS: u32 = 65_535;
/// Rounds of a stored hash at most: more would be an attack by whoever wrote it.
const MAX_ROUNDS: u32 = 10_000_000;
const SALT_LEN: usize = 16;
const HASH_LEN: usize = 64;
const SCHEME: &str = "pbkdf2-sha256";
/// Longest password, in bytes.
pub(crate) const MAX_LEN: usize = 64;
/// Bits of entropy that a password needs.
const MIN_ENTROPY: f64 = 52.0;

/// Hashes a password: `$pbkdf2-sha256$<rounds>$<salt>$<hash>`.
pub(crate) async fn hash(password: &str) -> Result<String> {
    let password = password.to_owned();
    blocking(move || {
        let salt: [u8; SALT_LEN] = rand::rng().random();
        let hash = derive(password.as_bytes(), &salt, ROUNDS);
        format!(
            "${SCHEME}${ROUNDS}${}${}",
            BASE64.encode(salt),
            BASE64.encode(hash)
        )
    })
    .await
}

/// Whether the password is the one of the hash. For an empty hash, which is
/// that of nobody, it takes as long and says no.
pub(crate) async fn verify(stored: &str, password: &str) -> Result<bool> {
    let (stored, password) = (stored.to_owned(), password.to_owned());
    blocking(move || {
        let Some((rounds, salt, hash)) = parse(&stored) else {
            let salt: [u8; SALT_LEN] = rand::rng().random();
            std::hint::black_box(derive(password.as_bytes(), &salt, ROUNDS));
            return false;
        };
        derive(password.as_bytes(), &salt, rounds)
            .ct_eq(hash.as_slice())
            .into()
    })
    .await
}

fn parse(stored: &str) -> Option<(u32, Vec<u8>, Vec<u8>)> {
    let mut parts = stored.strip_prefix('$')?.split('$');
    if parts.next()? != SCHEME {
        return None;
    }
    let rounds = parts
        .next()?
        .parse()
        .ok()
        .filter(|rounds| (1..=MAX_ROUNDS).contains(rounds))?;
    let salt = BASE64.decode(parts.next()?).ok()?;
    let hash = BASE64.decode(parts.next()?).ok()?;
    (parts.next().is_none() && hash.len() == HASH_LEN).then_some((rounds, salt, hash))
}

fn derive(password: &[u8], salt: &[u8], rounds: u32) -> [u8; HASH_LEN] {
    pbkdf2::pbkdf2_hmac_array::<Sha256, HASH_LEN>(password, salt, rounds)
}

/// Tens of milliseconds of arithmetic: not on a thread that serves requests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::internal)
}

/// Refuses what is too long or too easy to guess.
///
/// # Errors
/// Says what to do, as a sentence.
pub(crate) fn check(password: &str) -> Result<(), String> {
    if password.len() > MAX_LEN {
        return Err(format!(
            "password must be no more than {MAX_LEN} characters"
        ));
    }
    if entropy(password) < MIN_ENTROPY {
        return Err(
            "insecure password, try including more special characters, using uppercase letters, \
             using numbers or using a longer password"
                .to_owned(),
        );
    }
    Ok(())
}

/// Bits of entropy: length times the logarithm of the size of the alphabet,
/// after dropping repeats and runs that people type without thinking.
fn entropy(password: &str) -> f64 {
    let base = f64::from(alphabet(password));
    if base < 1.0 {
        return 0.0;
    }
    remaining(password) as f64 * base.log2()
}

fn alphabet(password: &str) -> u32 {
    const COMMON: &str = "!@$&*";
    const SEPARATORS: &str = "_-., ";
    let mut sets = [false; 6];
    let mut others = std::collections::BTreeSet::new();
    for c in password.chars() {
        match c {
            c if COMMON.contains(c) => sets[0] = true,
            c if SEPARATORS.contains(c) => sets[1] = true,
            c if c.is_ascii_punctuation() => sets[2] = true,
            c if c.is_ascii_lowercase() => sets[3] = true,
            c if c.is_ascii_uppercase() => sets[4] = true,
            c if c.is_ascii_digit() => sets[5] = true,
            c => {
                others.insert(c);
            }
        }
    }
    const SIZES: [u32; 6] = [5, 5, 22, 26, 26, 10];
    let size: u32 = sets
        .iter()
        .zip(SIZES)
        .filter(|(used, _)| **used)
        .map(|(_, size)| size)
        .sum();
    size + u32::try_from(others.len()).unwrap_or(u32::MAX - size)
}

/// Bytes left when the third and later of repeats and of runs are dropped.
fn remaining(password: &str) -> usize {
    const RUNS: [&str; 5] = [
        "0123456789",
        "qwertyuiop",
        "asdfghjkl",
        "zxcvbnm",
        "abcdefghijklmnopqrstuvwxyz",
    ];
    let mut chars: Vec<char> = password.chars().collect();
    chars = drop_third(&chars, |a, b| a == b);
    for run in RUNS {
        chars = drop_runs(&chars, run);
    }
    for run in RUNS {
        let reversed: String = run.chars().rev().collect();
        chars = drop_runs(&chars, &reversed);
    }
    chars.iter().map(|c| c.len_utf8()).sum()
}

fn drop_runs(chars: &[char], run: &str) -> Vec<char> {
    drop_third(chars, |a, b| {
        let next = run
            .find(a)
            .and_then(|at| run[at + a.len_utf8()..].chars().next());
        next == Some(b)
    })
}

/// Keeps two of each stretch in which neighbours are `linked`.
fn drop_third(chars: &[char], linked: impl Fn(char, char) -> bool) -> Vec<char> {
    let mut kept = Vec::with_capacity(chars.len());
    let mut length = 0;
    for (i, &c) in chars.iter().enumerate() {
        length = if i > 0 && linked(chars[i - 1], c) {
            length + 1
        } else {
            1
        };
        if length <= 2 {
            kept.push(c);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_verify() {
        let stored = hash("SomeSecurePassword!").await.unwrap();
        assert!(stored.starts_with("$pbkdf2-sha256$65535$"));
        assert!(verify(&stored, "SomeSecurePassword!").await.unwrap());
        assert!(!verify(&stored, "SomeSecurePassword").await.unwrap());
        for broken in [
            "",
            "x",
            "$pbkdf2-sha256$0$a$b",
            "$pbkdf2-sha256$99999999999$YQ$YQ",
            "$md5$1$a$b",
        ] {
            assert!(!verify(broken, "").await.unwrap(), "{broken}");
        }
    }

    #[test]
    fn weak_ones_are_refused() {
        for weak in [
            "",
            "password",
            "12345678901234567890",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "qwertyuiop1",
            &"x1!".repeat(30),
        ] {
            assert!(check(weak).is_err(), "{weak}");
        }
        for good in [
            "SomeSecurePassword!",
            "Correct-Horse-9-Battery",
            "pass phrase of words",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
    }
}
