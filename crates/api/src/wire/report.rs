//! What is wrong with a request's values: every fault, each with its place, in one answer.

use crate::limits::FIELD_ERRORS_MAX;
use crate::problem::{Code, Problem};
use domain::policy::SettingError;
use serde_json::{Value, json};

/// Faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    faults: Vec<Value>,
}

impl Report {
    /// A fault in the body, at a JSON pointer (RFC 6901).
    pub(crate) fn at(&mut self, pointer: &str, detail: impl Into<String>) {
        if self.faults.len() < FIELD_ERRORS_MAX {
            self.faults.push(json!({ "pointer": pointer, "detail": detail.into() }));
        }
    }

    /// The value, if it is there and nothing was found wrong.
    pub(crate) fn close<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(self.problem()),
        }
    }

    fn problem(self) -> Problem {
        let detail = match self.faults.len() {
            1 => "one value is not what it should be".to_owned(),
            count => format!("{count} values are not what they should be"),
        };
        Problem::new(Code::ValidationFailed, detail).with("errors", self.faults)
    }
}

/// One fault in the body.
pub(crate) fn pointed(pointer: &str, detail: impl Into<String>) -> Problem {
    let mut report = Report::default();
    report.at(pointer, detail);
    report.problem()
}

/// One fault in the query.
pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Problem {
    Report { faults: vec![json!({ "parameter": name, "detail": detail.into() })] }.problem()
}

/// A setting that cannot be, at the place it has in a body.
pub(crate) fn setting(error: &SettingError) -> Problem {
    pointed(&format!("/{}", error.field.replace('.', "/")), error.problem.clone())
}
