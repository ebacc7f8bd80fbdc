//! A JSON body as a tree that borrows from its bytes: what is needed to point at every fault, and no more.
//!
//! Not `serde_json::Value`: that one forgets names given twice, and this one costs a request with a small object one
//! allocation. Only so many elements of an array are kept: more than any body of ours has.

use crate::limits::{JSON_ELEMENTS_MAX, JSON_MEMBERS_MAX};
use core::fmt;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number written as an integer that fits into 64 bits, with or without sign.
    Whole(i128),
    /// Any other number.
    Fraction(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// An array: its first elements, and whether there were more than are kept.
    Array(Vec<Json<'a>>, bool),
    /// An object, its members in the order they were given.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Whole(_) | Self::Fraction(_) => "a number",
            Self::Text(_) => "a text",
            Self::Array(..) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Whole(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Whole(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Json::Fraction(value))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < JSON_ELEMENTS_MAX
            && let Some(element) = elements.next_element()?
        {
            kept.push(element);
        }
        let mut are_more = false;
        while elements.next_element::<IgnoredAny>()?.is_some() {
            are_more = true;
        }
        Ok(Json::Array(kept, are_more))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("{name:?} is given twice")));
            }
            if members.len() >= JSON_MEMBERS_MAX {
                return Err(A::Error::custom(format_args!("an object has more than {JSON_MEMBERS_MAX} members")));
            }
            members.push((name, map.next_value()?));
        }
        Ok(Json::Object(members))
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// A member's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_given_twice_is_refused_at_its_place() {
        let error = serde_json::from_str::<Json<'_>>("{\"a\":1,\n\"\\u0061\":2}").expect_err("twice");
        assert_eq!(error.to_string(), "\"a\" is given twice at line 2 column 8");
    }

    #[test]
    fn deep_wide_and_huge_inputs_are_refused_and_not_kept() {
        assert!(serde_json::from_str::<Json<'_>>(&"[".repeat(10_000)).is_err());
        assert!(serde_json::from_str::<Json<'_>>(&"{\"a\":".repeat(10_000)).is_err());
        let wide = (0..1_000).map(|n| format!("\"m{n}\":1")).collect::<Vec<_>>().join(",");
        assert!(serde_json::from_str::<Json<'_>>(&format!("{{{wide}}}")).is_err());
        let nested = serde_json::from_str::<Json<'_>>("[1,[2]]").expect("JSON");
        let inner = Json::Array(vec![Json::Whole(2)], false);
        assert_eq!(nested, Json::Array(vec![Json::Whole(1), inner], false));
        let long = format!("[{}1]", "1,".repeat(5_000));
        let Json::Array(kept, are_more) = serde_json::from_str(&long).expect("JSON") else { panic!("an array") };
        assert_eq!((kept.len(), are_more), (JSON_ELEMENTS_MAX, true));
        assert_eq!(serde_json::from_str::<Json<'_>>("18446744073709551616").expect("JSON").kind(), "a number");
    }
}
