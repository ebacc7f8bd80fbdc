//! What handlers take out of a request. Each extractor refuses with a [`crate::problem::Problem`], in the order in
//! which a handler names them: who asks first, then what for, the body last.

pub(crate) mod body;
pub(crate) mod conditions;
pub(crate) mod identity;
pub(crate) mod key;
pub(crate) mod params;
pub(crate) mod path;
pub(crate) mod receipt;
