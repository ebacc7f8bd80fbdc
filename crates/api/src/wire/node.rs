//! Walking a body: every reader gets a value and its place, says what is wrong with it, and goes on.

use super::json::Json;
use super::report::Report;
use core::fmt::Display;
use core::ops::RangeInclusive;
use domain::time::Timestamp;

/// A value and its place in the body.
#[derive(Clone, Copy)]
pub(crate) struct Node<'n> {
    json: &'n Json<'n>,
    place: Place<'n>,
}

/// A place in the body, spelled only when there is something to say about it.
#[derive(Clone, Copy)]
enum Place<'n> {
    Root,
    Member { of: &'n Place<'n>, name: &'n str },
    Element { of: &'n Place<'n>, at: usize },
}

impl Place<'_> {
    /// The place as a JSON pointer (RFC 6901).
    fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member { of, name } => {
                format!("{}/{}", of.pointer(), name.replace('~', "~0").replace('/', "~1"))
            }
            Self::Element { of, at } => format!("{}/{at}", of.pointer()),
        }
    }
}

/// A number as JSON writes it: whoever reads it has written it so.
fn as_json(number: f64) -> String {
    serde_json::Number::from_f64(number).map_or_else(|| number.to_string(), |number| number.to_string())
}

impl<'n> Node<'n> {
    /// A whole body.
    pub(crate) fn root(json: &'n Json<'n>) -> Self {
        Self { json, place: Place::Root }
    }

    /// Reports what is wrong with it; always `None`, so that readers can end with it.
    pub(crate) fn wrong<T>(&self, report: &mut Report, detail: impl Into<String>) -> Option<T> {
        report.at(&self.place.pointer(), detail);
        None
    }

    /// As an object.
    pub(crate) fn object(&self, report: &mut Report) -> Option<Object<'n>> {
        match self.json {
            Json::Object(members) => Some(Object { members, place: self.place }),
            other => self.wrong(report, format!("must be an object, not {}", other.kind())),
        }
    }

    /// As an array of 1 to `most` elements, each read the same way. Every fault of every element is told.
    pub(crate) fn each<T>(
        &self,
        report: &mut Report,
        most: usize,
        mut read: impl FnMut(&Node<'_>, &mut Report) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Json::Array(elements, are_more) = self.json else {
            return self.wrong(report, format!("must be an array, not {}", self.json.kind()));
        };
        if elements.is_empty() || elements.len() > most || *are_more {
            return self.wrong(report, format!("has 1 to {most} elements"));
        }
        let mut all = Vec::with_capacity(elements.len());
        for (at, json) in elements.iter().enumerate() {
            all.extend(read(&Node { json, place: Place::Element { of: &self.place, at } }, report));
        }
        (all.len() == elements.len()).then_some(all)
    }

    /// As a whole number within a range. `what` names it in the fault: "a quantity".
    pub(crate) fn whole(&self, report: &mut Report, range: RangeInclusive<u64>, what: &str) -> Option<u64> {
        let wanted = format_args!("{what} is a whole number from {} to {}", range.start(), range.end());
        let found = match self.json {
            Json::Whole(number) => match u64::try_from(*number) {
                Ok(number) if range.contains(&number) => return Some(number),
                _ => number.to_string(),
            },
            Json::Fraction(number) => as_json(*number),
            other => other.kind().to_owned(),
        };
        self.wrong(report, format!("{wanted}; got {found}"))
    }

    /// As a whole number that may be negative, within `-most..=most`.
    pub(crate) fn signed(&self, report: &mut Report, most: i32, what: &str) -> Option<i32> {
        match self.json {
            Json::Whole(number) => match i32::try_from(*number) {
                Ok(number) if number.unsigned_abs() <= most.unsigned_abs() => Some(number),
                _ => self.wrong(report, format!("{what} is a whole number from -{most} to {most}; got {number}")),
            },
            Json::Fraction(number) => self.wrong(report, format!("{what} is a whole number; got {}", as_json(*number))),
            other => self.wrong(report, format!("{what} is a whole number; got {}", other.kind())),
        }
    }

    /// As a text.
    pub(crate) fn text(&self, report: &mut Report) -> Option<&'n str> {
        match self.json {
            Json::Text(text) => Some(text),
            other => self.wrong(report, format!("must be a text, not {}", other.kind())),
        }
    }

    /// As a text of a kind that parses itself.
    pub(crate) fn parsed<T, E: Display>(
        &self,
        report: &mut Report,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(self.text(report)?) {
            Ok(value) => Some(value),
            Err(error) => self.wrong(report, error.to_string()),
        }
    }

    /// As `true` or `false`.
    pub(crate) fn flag(&self, report: &mut Report) -> Option<bool> {
        match self.json {
            Json::Bool(flag) => Some(*flag),
            other => self.wrong(report, format!("must be true or false, not {}", other.kind())),
        }
    }

    /// As an instant.
    pub(crate) fn instant(&self, report: &mut Report) -> Option<Timestamp> {
        match super::time::parse(self.text(report)?) {
            Some(instant) => Some(instant),
            None => {
                self.wrong(report, "must be an instant with its offset, for example 2030-01-31T12:00:00Z (RFC 3339)")
            }
        }
    }
}

/// An object whose members are read one by one.
pub(crate) struct Object<'n> {
    members: &'n [(std::borrow::Cow<'n, str>, Json<'n>)],
    place: Place<'n>,
}

/// A member that may be missing, or be `null`.
pub(crate) enum Given<T> {
    /// Not there, or wrong (which was reported).
    Nothing,
    /// `null`.
    Null,
    /// A value.
    Value(T),
}

impl<T> Given<T> {
    /// The value, if there is one.
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Nothing | Self::Null => None,
        }
    }
}

impl Object<'_> {
    fn find(&self, name: &str) -> Option<&Json<'_>> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, json)| json)
    }

    /// Whether it has no members.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether it has this member and it is not `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some_and(|json| *json != Json::Null)
    }

    /// Reports what is wrong with a member.
    pub(crate) fn wrong(&self, name: &str, report: &mut Report, detail: &str) {
        report.at(&Place::Member { of: &self.place, name }.pointer(), detail);
    }

    /// A member that has to be there.
    pub(crate) fn required<T>(
        &self,
        name: &str,
        report: &mut Report,
        read: impl FnOnce(&Node<'_>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        let place = Place::Member { of: &self.place, name };
        match self.find(name) {
            Some(json) => read(&Node { json, place }, report),
            None => {
                report.at(&place.pointer(), "is missing");
                None
            }
        }
    }

    /// A member that may be missing or `null`, which are told apart.
    pub(crate) fn given<T>(
        &self,
        name: &str,
        report: &mut Report,
        read: impl FnOnce(&Node<'_>, &mut Report) -> Option<T>,
    ) -> Given<T> {
        match self.find(name) {
            None => Given::Nothing,
            Some(Json::Null) => Given::Null,
            Some(json) => {
                let place = Place::Member { of: &self.place, name };
                read(&Node { json, place }, report).map_or(Given::Nothing, Given::Value)
            }
        }
    }

    /// A member that may be missing; `null` says the same.
    pub(crate) fn optional<T>(
        &self,
        name: &str,
        report: &mut Report,
        read: impl FnOnce(&Node<'_>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        self.given(name, report, read).value()
    }

    /// Reports members that nobody knows: a misspelled name must not be a silent default.
    pub(crate) fn only(&self, known: &[&str], report: &mut Report) {
        for (name, _) in self.members {
            if !known.contains(&name.as_ref()) {
                let place = Place::Member { of: &self.place, name };
                let detail = match known {
                    [] => "unknown field; nothing is to be said here".to_owned(),
                    known => format!("unknown field; known: {}", known.join(", ")),
                };
                report.at(&place.pointer(), detail);
            }
        }
    }
}
