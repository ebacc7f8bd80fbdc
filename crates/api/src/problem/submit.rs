//! Operating trouble as problems: the contract behind 503 and 504.

use super::{Code, Problem};
use engine::error::SubmitError;

impl From<SubmitError> for Problem {
    /// What a command's trouble is called. 503 says that nothing happened; 504 and 500 that it may have.
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded
            | SubmitError::Late
            | SubmitError::TooManyItems
            | SubmitError::ItemRebuilding { .. } => {
                Self::new(Code::Overloaded, format!("{error}; nothing happened")).come_back_soon()
            }
            SubmitError::Draining => Self::new(Code::Draining, format!("{error}; nothing happened")).come_back_soon(),
            SubmitError::NotOwner => Self::new(Code::NotOwner, format!("{error}; nothing happened")).come_back_soon(),
            SubmitError::OutcomeUnknown => Self::new(Code::OutcomeUnknown, error.to_string()),
            SubmitError::ItemStopped { .. } => {
                Self::new(Code::ItemStopped, format!("{error}; whether it happened is not known"))
            }
        }
    }
}

impl Problem {
    /// What a read's trouble is called: a read that was not answered changed nothing, so it is never unknown.
    pub(crate) fn of_read(error: SubmitError) -> Self {
        match error {
            SubmitError::OutcomeUnknown => {
                Self::new(Code::Overloaded, "the read was not answered in time").come_back_soon()
            }
            SubmitError::ItemStopped { .. } => {
                Self::new(Code::ItemStopped, format!("{error}; nothing can be read of it until an operator has looked"))
            }
            SubmitError::Overloaded
            | SubmitError::Late
            | SubmitError::Draining
            | SubmitError::NotOwner
            | SubmitError::ItemRebuilding { .. }
            | SubmitError::TooManyItems => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::ItemNo;

    #[test]
    fn nothing_happened_is_503_with_retry_after_and_everything_else_is_retried_with_the_same_key() {
        let item = ItemNo::from_u32(1);
        for (error, code) in [
            (SubmitError::Overloaded, Code::Overloaded),
            (SubmitError::Late, Code::Overloaded),
            (SubmitError::TooManyItems, Code::Overloaded),
            (SubmitError::Draining, Code::Draining),
            (SubmitError::NotOwner, Code::NotOwner),
            (SubmitError::OutcomeUnknown, Code::OutcomeUnknown),
            (SubmitError::ItemStopped { item }, Code::ItemStopped),
            (SubmitError::ItemRebuilding { item }, Code::Overloaded),
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.code(), code, "{error}");
            assert_eq!(problem.status().as_u16() == 503, error.nothing_happened(), "{error}");
            assert_eq!(problem.retry_after_s.is_some(), error.nothing_happened(), "{error}");
        }
    }

    #[test]
    fn a_read_without_an_answer_changed_nothing() {
        assert_eq!(Problem::of_read(SubmitError::OutcomeUnknown).code(), Code::Overloaded);
    }
}
