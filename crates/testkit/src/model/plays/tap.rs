//! What a run of tests printed, as TAP.

/// Tests by how they ended.
pub(super) struct Tap {
    /// How many passed.
    pub passed: usize,
    /// What the failed ones said.
    pub failed: Vec<String>,
}

impl Tap {
    /// Reads the output of a test program.
    pub fn read(output: &str) -> Self {
        let failed = output.lines().filter_map(|l| l.strip_prefix("not ok "));
        Tap {
            passed: output.lines().filter(|l| l.starts_with("ok ")).count(),
            failed: failed.map(str::to_owned).collect(),
        }
    }

    /// How many there are.
    pub fn all(&self) -> usize {
        self.passed + self.failed.len()
    }

    /// The result in a sentence.
    pub fn summary(&self) -> String {
        match (self.all(), self.failed.len()) {
            (0, _) => "No test ran.".to_owned(),
            (all, 0) => format!("All {all} tests pass."),
            (all, failed) => format!(
                "{failed} of {all} tests fail:\n\n- {}",
                self.failed.join("\n- ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tap;

    #[test]
    fn counts() {
        let tap = Tap::read("1..2\nok 1 - a\nnot ok 2 - b: got 'x'\n");
        assert_eq!((tap.passed, tap.all()), (1, 2));
        assert!(tap.summary().contains("1 of 2") && tap.summary().contains("b: got 'x'"));
        assert_eq!(Tap::read("sh: not found").summary(), "No test ran.");
    }
}
