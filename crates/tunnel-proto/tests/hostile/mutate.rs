//! Makes hostile inputs out of good ones: a small fuzzer that needs no tools and no time of its own.
//!
//! A corpus is a text file: each line one input in hexadecimal, `#` begins a comment. Runs are
//! bounded by `CODER_FUZZ_SECONDS` for each target (a quarter of a second if it is not set), and
//! begin with the corpus as it is. What fails is printed as a line for the corpus.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Longest input that is made.
const MAX_LEN: usize = 4096;
/// Numbers that are at the edge of something.
const EDGES: [u64; 10] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    u64::MAX,
];

/// The inputs of a corpus file's text.
pub fn corpus(text: &str) -> Vec<Vec<u8>> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap().trim());
    let inputs = lines.filter(|line| !line.is_empty()).map(|line| {
        let digits: Vec<u8> = line.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let pairs = digits.as_chunks::<2>().0.iter();
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    });
    inputs.collect()
}

/// Time for one target.
pub fn budget() -> Duration {
    let seconds = std::env::var("CODER_FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(0.25);
    Duration::from_secs_f64(seconds)
}

/// Gives `target` the inputs, and then changed ones until the time is over.
pub fn fuzz(inputs: &[Vec<u8>], mut target: impl FnMut(&[u8])) {
    assert!(!inputs.is_empty(), "a corpus without inputs");
    let mut rng = StdRng::seed_from_u64(inputs.len() as u64);
    let until = Instant::now() + budget();
    for input in inputs {
        attempt(input, &mut target);
    }
    let mut made = 0;
    while Instant::now() < until || made < 200 {
        let input = mutate(inputs, &mut rng);
        attempt(&input, &mut target);
        made += 1;
    }
}

fn attempt(input: &[u8], target: &mut impl FnMut(&[u8])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let hex = input.iter().fold(String::new(), |mut text, byte| {
            // A string takes everything.
            let _ = write!(text, "{byte:02x}");
            text
        });
        eprintln!("failed on this input:\n{hex}");
        resume_unwind(panic);
    }
}

/// An input that is like one of `inputs`, or two of them.
pub fn mutate(inputs: &[Vec<u8>], rng: &mut StdRng) -> Vec<u8> {
    let mut input = inputs.choose(rng).unwrap().clone();
    for _ in 0..rng.random_range(1..5) {
        let len = input.len();
        let at = rng.random_range(0..=len);
        match rng.random_range(0..9) {
            0 if at < len => input[at] ^= 1 << rng.random_range(0..8),
            1 if at < len => input[at] = rng.random(),
            2 => input.truncate(at),
            3 => {
                let other = inputs.choose(rng).unwrap();
                let from = rng.random_range(0..=other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            4 => {
                let extra: Vec<u8> = (0..rng.random_range(1..20)).map(|_| rng.random()).collect();
                input.splice(at..at, extra);
            }
            5 => {
                // A number of some size and order, where one may be expected.
                let value = EDGES.choose(rng).unwrap();
                let size = *[1, 2, 4, 8].choose(rng).unwrap();
                let bytes = if rng.random() {
                    value.to_be_bytes()[8 - size..].to_vec()
                } else {
                    value.to_le_bytes()[..size].to_vec()
                };
                for (slot, byte) in input[at..].iter_mut().zip(bytes) {
                    *slot = byte;
                }
            }
            6 => {
                let part = input[at..].to_vec();
                input.extend(part);
            }
            7 => {
                input.drain(..at.min(4));
            }
            _ => input.extend_from_slice(inputs.choose(rng).unwrap()),
        }
        input.truncate(MAX_LEN);
    }
    input
}
