//! Query parameters. Unknown ones are ignored, wrong ones are not.

use crate::app::SharedApp;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::problem::Problem;
use crate::wire::report::parameter;
use axum::extract::{FromRequestParts, Query};
use core::fmt::Display;
use core::str::FromStr;
use domain::ids::Seq;
use http::request::Parts;

/// The parameters of a query.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn of(parts: &Parts) -> Result<Self, Problem> {
        if parts.uri.query().is_none() {
            return Ok(Self(Vec::new()));
        }
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(parameter("", "the query is not made of name=value pairs in UTF-8")),
        }
    }

    /// A parameter's text, if it is given once.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(parameter(name, "is given more than once")),
        }
    }

    /// A parameter that parses itself.
    pub(crate) fn parsed<T, E: Display>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let wrong = |error: E| parameter(name, error.to_string());
        self.text(name)?.map(|text| parse(text).map_err(wrong)).transpose()
    }

    fn number<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, Problem> {
        self.parsed(name, |text| text.parse().map_err(|_| format!("{what}, not {text:?}")))
    }

    /// `min_sequence`: a place in the item's log that the answer has to reflect at least.
    pub(crate) fn min_sequence(&self) -> Result<Option<Seq>, Problem> {
        Ok(self.number("min_sequence", "must be a sequence that an answer told")?.map(Seq))
    }

    /// `limit`: how many entries a page has at most.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let what = format!("must be a whole number from 1 to {PAGE_MAX}");
        match self.number::<usize>("limit", &what)? {
            None => Ok(PAGE_DEFAULT),
            Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
            Some(limit) => Err(parameter("limit", format!("{what}, not {limit}"))),
        }
    }

    /// `cursor`: where the page begins, as the page before told.
    pub(crate) fn cursor<T, E>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<Option<T>, Problem> {
        self.parsed("cursor", |text| parse(text).map_err(|_| "is not one that a page told"))
    }
}

impl FromRequestParts<SharedApp> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self, Problem> {
        Self::of(parts)
    }
}
