//! References inside one document (RFC 6901 pointers behind `#`). What leads outside is not there.

use serde_json::Value;
use std::collections::BTreeMap;

/// The whole document.
#[derive(Clone, Copy)]
pub(super) struct Document<'a>(pub(super) &'a Value);

impl<'a> Document<'a> {
    /// The value itself, or what it refers to; nothing when that is not in the document, or leads in a circle.
    pub(super) fn follow(&self, value: &'a Value) -> Option<&'a Value> {
        let mut value = value;
        for _step in 0..REFERENCES_MAX {
            match value.get("$ref") {
                None => return Some(value),
                Some(reference) => value = self.0.pointer(reference.as_str()?.strip_prefix('#')?)?,
            }
        }
        None
    }

    /// Everything a value refers to, however far, each under its pointer: what a pin holds besides the value itself.
    pub(super) fn reachable(&self, values: &[&'a Value]) -> BTreeMap<String, &'a Value> {
        let mut found = BTreeMap::new();
        let mut waiting: Vec<&'a Value> = values.to_vec();
        while let Some(value) = waiting.pop() {
            match value {
                Value::Object(members) => {
                    if let Some(pointer) = members.get("$ref").and_then(Value::as_str)
                        && !found.contains_key(pointer)
                        && let Some(target) =
                            pointer.strip_prefix('#').and_then(|pointer| self.0.pointer(pointer))
                    {
                        found.insert(pointer.to_owned(), target);
                        waiting.push(target);
                    }
                    waiting.extend(members.values());
                }
                Value::Array(elements) => waiting.extend(elements),
                _ => {}
            }
        }
        found
    }
}

const REFERENCES_MAX: usize = 16;
