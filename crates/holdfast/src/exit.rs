//! How the program ends: one number per kind of ending, and the words that go with a failure.

use std::process::ExitCode;

/// How the program ends. The numbers are documented in `--help` and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything went as it should.
    Fine,
    /// Something could not be done; the message says what.
    Error,
    /// The command line makes no sense. (clap ends with the same number.)
    Usage,
    /// A promise was broken: the crowd's oracle or the audit found a contradiction.
    Violation,
    /// The log is damaged. The message says where and what to do.
    Damaged,
    /// The log failed while the server was running, after which nothing is acknowledged; or a bug stopped a part that nothing
    /// goes on without.
    LogFailed,
}

/// The part of `--help` that documents [`Exit`].
pub(crate) const HELP: &str = "\
Exit codes:
  0   fine
  1   an error; the message says which (for `replay diff`: the logs differ)
  2   the command line or the configuration makes no sense
  3   a promise was broken: the crowd, the audit or a replay found a contradiction
  4   the log is damaged; the message says where and what to do
  70  the log failed while serving, or a bug stopped what nothing goes on without";

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::Violation => 3,
            Self::Damaged => 4,
            Self::LogFailed => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A failure on its way to the outermost function, the only one that prints it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends for it.
    pub(crate) exit: Exit,
    /// What happened, with its causes.
    pub(crate) error: anyhow::Error,
}

impl Failure {
    /// A failure that ends the program with `exit`.
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// What is printed: what happened, then one line for each cause that the words before do not tell already.
    pub(crate) fn in_words(&self) -> String {
        let mut chain = self.error.chain().map(ToString::to_string);
        let mut told = chain.next().unwrap_or_default();
        let mut words = format!("holdfast: {told}");
        for cause in chain.filter(|cause| !cause.is_empty()) {
            if told.contains(&cause) {
                continue;
            }
            words.push_str("\n  because: ");
            words.push_str(&cause.replace('\n', "\n    "));
            told = cause;
        }
        words
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Exit::Error, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_failure_is_told_with_all_its_causes_one_per_line() {
        let cause: Result<(), std::io::Error> = Err(std::io::Error::other("no space left"));
        let failure = Failure::from(cause.context("the token cannot be stored").expect_err("it is refused"));
        assert_eq!(failure.in_words(), "holdfast: the token cannot be stored\n  because: no space left");
    }

    #[test]
    fn a_cause_that_was_told_already_is_not_told_again() {
        let cause: Result<(), std::io::Error> = Err(std::io::Error::other("no space left"));
        let failure = Failure::from(cause.context("could not copy db: no space left. Make room").expect_err("refused"));
        assert_eq!(failure.in_words(), "holdfast: could not copy db: no space left. Make room");
    }

    #[test]
    fn the_help_names_every_exit_code() {
        let all = [Exit::Fine, Exit::Error, Exit::Usage, Exit::Violation, Exit::Damaged, Exit::LogFailed];
        for exit in all {
            assert!(HELP.contains(&format!("\n  {:<4}", exit.code())), "{exit:?}");
        }
    }
}
