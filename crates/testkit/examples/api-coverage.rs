//! Tells what tests have not shown of the published API: routes that no test has seen to succeed,
//! fields that no answer had, deviations that are not needed any more.
//!
//! ```sh
//! export CODER_TEST_SWAGGER=/path/to/document.json CODER_TEST_API_SEEN=$PWD/target/api-seen
//! cargo test -p server && cargo test -p e2e -- shapes
//! cargo run -p testkit --no-default-features --example api-coverage
//! ```

use testkit::published;

fn main() -> std::process::ExitCode {
    let Some(document) = published::document() else {
        eprintln!("CODER_TEST_SWAGGER is not set: nothing to compare with");
        return std::process::ExitCode::FAILURE;
    };
    let seen = std::env::var_os("CODER_TEST_API_SEEN").unwrap_or_default();
    match std::fs::read_to_string(&seen) {
        Ok(seen) => print!("{}", published::report(document, &seen)),
        Err(error) => {
            eprintln!(
                "CODER_TEST_API_SEEN ({}): {error}; run the tests with it first",
                seen.display()
            );
            return std::process::ExitCode::FAILURE;
        }
    }
    std::process::ExitCode::SUCCESS
}
