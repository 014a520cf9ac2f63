//! A lenient look into a foreign JSON document.
//!
//! The Engine API's documents come from the engine, but half of what they say was chosen by
//! whoever started the container, and engines of ten years leave out different fields. A
//! field that is missing or `null` has its zero value, as in the engine's own Go types; one
//! of another type is noted, so that a check on that document can't pass because of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

/// Elements taken of one list or object.
const MAX_ITEMS: usize = 4096;
/// Characters taken of one text.
const MAX_TEXT: usize = 64 << 10;
/// Complaints kept for one document.
const MAX_COMPLAINTS: usize = 32;

/// What was wrong with a document: paths of fields of another type or over a bound.
pub type Complaints = RefCell<Vec<String>>;

/// A place in a document.
#[derive(Clone, Copy)]
pub struct Doc<'v> {
    value: &'v Value,
    complaints: &'v Complaints,
}

impl<'v> Doc<'v> {
    /// The whole of a document.
    pub fn new(value: &'v Value, complaints: &'v Complaints) -> Doc<'v> {
        Doc { value, complaints }
    }

    fn complain(&self, path: &str, wanted: &str) {
        let mut complaints = self.complaints.borrow_mut();
        if complaints.len() < MAX_COMPLAINTS {
            complaints.push(format!("`{path}` is no {wanted}"));
        }
    }

    /// The value at a dotted path, unless it is missing or `null`.
    fn at(&self, path: &str) -> Option<&'v Value> {
        let mut value = self.value;
        for (depth, key) in path.split('.').enumerate() {
            match value {
                Value::Object(map) => value = map.get(key)?,
                Value::Null if depth > 0 => return None,
                _ => {
                    self.complain(path, "part of an object");
                    return None;
                }
            }
        }
        (!value.is_null()).then_some(value)
    }

    /// The part of the document at a path; missing ones are empty.
    pub fn part(&self, path: &str) -> Doc<'v> {
        static NULL: Value = Value::Null;
        Doc {
            value: self.at(path).unwrap_or(&NULL),
            complaints: self.complaints,
        }
    }

    /// Whether there is something other than `null`.
    pub fn has(&self, path: &str) -> bool {
        self.at(path).is_some()
    }

    /// A text; empty when missing.
    pub fn text(&self, path: &str) -> String {
        match self.at(path) {
            Some(Value::String(text)) => self.bounded(path, text),
            Some(_) => {
                self.complain(path, "text");
                String::new()
            }
            None => String::new(),
        }
    }

    fn bounded(&self, path: &str, text: &str) -> String {
        if text.len() > MAX_TEXT {
            self.complain(path, "text of a sane length");
        }
        text.chars().take(MAX_TEXT).collect()
    }

    /// A truth value, where there is one.
    pub fn maybe_flag(&self, path: &str) -> Option<bool> {
        match self.at(path) {
            Some(Value::Bool(flag)) => Some(*flag),
            Some(_) => {
                self.complain(path, "truth value");
                None
            }
            None => None,
        }
    }

    /// A truth value; false when missing.
    pub fn flag(&self, path: &str) -> bool {
        self.maybe_flag(path).unwrap_or(false)
    }

    /// A whole number, where there is one.
    pub fn maybe_number(&self, path: &str) -> Option<i64> {
        match self.at(path)? {
            Value::Number(number) => {
                let found = number.as_i64();
                if found.is_none() {
                    self.complain(path, "whole number of 64 bits");
                }
                found
            }
            _ => {
                self.complain(path, "number");
                None
            }
        }
    }

    /// A whole number; 0 when missing.
    pub fn number(&self, path: &str) -> i64 {
        self.maybe_number(path).unwrap_or(0)
    }

    /// The elements of a list; none when missing.
    pub fn items(&self, path: &str) -> Vec<Doc<'v>> {
        match self.at(path) {
            Some(Value::Array(items)) => self.list(path, items),
            Some(_) => {
                self.complain(path, "list");
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// The elements of the document itself, where it is a list.
    pub fn elements(&self) -> Vec<Doc<'v>> {
        match self.value {
            Value::Array(items) => self.list("the document", items),
            Value::Null => Vec::new(),
            _ => {
                self.complain("the document", "list");
                Vec::new()
            }
        }
    }

    fn list(&self, path: &str, items: &'v [Value]) -> Vec<Doc<'v>> {
        if items.len() > MAX_ITEMS {
            self.complain(path, "list of a sane length");
        }
        let inside = |value| Doc {
            value,
            complaints: self.complaints,
        };
        items.iter().take(MAX_ITEMS).map(inside).collect()
    }

    /// Texts of a list; none when missing. A single text counts as a list of one, as the
    /// engine accepts for commands.
    pub fn texts(&self, path: &str) -> Vec<String> {
        if let Some(Value::String(text)) = self.at(path) {
            return vec![self.bounded(path, text)];
        }
        self.items(path)
            .iter()
            .filter_map(|item| match item.value {
                Value::String(text) => Some(self.bounded(path, text)),
                _ => {
                    self.complain(path, "list of texts");
                    None
                }
            })
            .collect()
    }

    /// The members of an object, sorted by name; none when missing.
    pub fn members(&self, path: &str) -> Vec<(String, Doc<'v>)> {
        match self.at(path) {
            Some(Value::Object(map)) => {
                if map.len() > MAX_ITEMS {
                    self.complain(path, "object of a sane size");
                }
                map.iter()
                    .take(MAX_ITEMS)
                    .map(|(name, value)| {
                        let doc = Doc {
                            value,
                            complaints: self.complaints,
                        };
                        (self.bounded(path, name), doc)
                    })
                    .collect()
            }
            Some(_) => {
                self.complain(path, "object");
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// An object of texts; none when missing.
    pub fn text_map(&self, path: &str) -> BTreeMap<String, String> {
        self.members(path)
            .into_iter()
            .filter_map(|(name, doc)| match doc.value {
                Value::String(text) => Some((name, self.bounded(path, text))),
                Value::Null => Some((name, String::new())),
                _ => {
                    self.complain(path, "object of texts");
                    None
                }
            })
            .collect()
    }

    /// Names of an object; none when missing.
    pub fn keys(&self, path: &str) -> Vec<String> {
        self.members(path)
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    }

    /// The value itself.
    pub fn value(&self) -> &'v Value {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_type_is_noted_and_a_missing_field_is_not() {
        let value =
            serde_json::json!({"A": {"Privileged": "yes", "N": 1e99, "L": ["x", 1]}, "B": null});
        let complaints = Complaints::default();
        let doc = Doc::new(&value, &complaints);
        assert!(!doc.flag("A.Privileged"));
        assert_eq!(doc.number("A.N"), 0);
        assert_eq!(doc.texts("A.L"), ["x"]);
        assert_eq!(doc.text("B.Name"), "");
        assert_eq!(doc.text("C"), "");
        assert_eq!(
            complaints.into_inner(),
            [
                "`A.Privileged` is no truth value",
                "`A.N` is no whole number of 64 bits",
                "`A.L` is no list of texts"
            ]
        );
    }
}
