//! Changing single members of a message while every other byte stays as it was received.

use serde_json::Value;

use crate::message::RequestId;
use crate::raw::Raw;

/// A set of changes to the members of an object, by path. Members that are not named keep their bytes, their
/// order and the whitespace around them; new members are appended to their object; missing objects on the way
/// are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    entries: Vec<(String, Change)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Set(String),
    Remove,
    Inside(Patch),
}

impl Patch {
    /// No change.
    pub fn new() -> Patch {
        Patch::default()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sets the member at `path` to a value. A later change of the same path replaces an earlier one.
    #[must_use]
    pub fn set(self, path: &[&str], value: &Value) -> Patch {
        self.with(path, Change::Set(value.to_string()))
    }

    /// Sets the member at `path` to a value whose bytes are kept.
    #[must_use]
    pub fn set_raw(self, path: &[&str], value: Raw<'_>) -> Patch {
        self.with(path, Change::Set(value.as_str().to_owned()))
    }

    /// Removes the member at `path`, if it is there.
    #[must_use]
    pub fn remove(self, path: &[&str]) -> Patch {
        self.with(path, Change::Remove)
    }

    /// Sets the message's id.
    #[must_use]
    pub fn id(self, id: &RequestId) -> Patch {
        self.with(&["id"], Change::Set(id.to_json()))
    }

    /// Sets `params.name`.
    #[must_use]
    pub fn name(self, name: &str) -> Patch {
        self.set(&["params", "name"], &Value::from(name))
    }

    /// Sets a member of `params._meta`.
    #[must_use]
    pub fn meta(self, key: &str, value: &Value) -> Patch {
        self.set(&["params", "_meta", key], value)
    }

    /// Removes a member of `params._meta`.
    #[must_use]
    pub fn remove_meta(self, key: &str) -> Patch {
        self.remove(&["params", "_meta", key])
    }

    /// The object with the changes made.
    ///
    /// Errors: [`RewriteError`] when the text, or a value on the way to a change, is not an object.
    pub fn apply(&self, object: Raw<'_>) -> Result<String, RewriteError> {
        let mut out = String::with_capacity(object.as_str().len() + 256);
        self.write(object, "$", &mut out)?;
        Ok(out)
    }

    fn with(mut self, path: &[&str], change: Change) -> Patch {
        self.put(path, change);
        self
    }

    fn put(&mut self, path: &[&str], change: Change) {
        let Some((first, rest)) = path.split_first() else { return };
        let at = self.entries.iter().position(|(key, _)| key == first);
        if rest.is_empty() {
            match at.and_then(|i| self.entries.get_mut(i)) {
                Some(entry) => entry.1 = change,
                None => self.entries.push(((*first).to_owned(), change)),
            }
            return;
        }
        if let Some((_, Change::Inside(inner))) = at.and_then(|i| self.entries.get_mut(i)) {
            return inner.put(rest, change);
        }
        let mut inner = Patch::new();
        inner.put(rest, change);
        self.entries.retain(|(key, _)| key != first);
        self.entries.push(((*first).to_owned(), Change::Inside(inner)));
    }

    fn change(&self, key: &str) -> Option<&Change> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, change)| change)
    }

    fn write(&self, raw: Raw<'_>, path: &str, out: &mut String) -> Result<(), RewriteError> {
        let object = raw.as_object().ok_or_else(|| RewriteError { path: path.to_owned() })?;
        let text = raw.as_str();
        let piece = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        let mut written = 0usize;
        let mut from = 0usize;
        for (i, member) in object.members().iter().enumerate() {
            // `from` stands behind the previous member; the bytes up to this one are `{` or `,` and
            // whitespace.
            let change = self.change(&member.key);
            if matches!(change, Some(Change::Remove)) {
                if i == 0 {
                    out.push('{');
                }
                from = member.span.end;
                continue;
            }
            let lead = piece(from, member.span.start);
            // After a removed first member the separator's comma has nothing before it.
            out.push_str(if i > 0 && written == 0 {
                lead.trim_start_matches([' ', '\n', '\r', '\t']).trim_start_matches(',')
            } else {
                lead
            });
            out.push_str(piece(member.span.start, member.value_start));
            match change {
                Some(Change::Set(json)) => out.push_str(json),
                Some(Change::Inside(inner)) => {
                    inner.write(member.value, &format!("{path}.{}", member.key), out)?
                }
                Some(Change::Remove) | None => out.push_str(member.value.as_str()),
            }
            written += 1;
            from = member.span.end;
        }
        if object.members().is_empty() {
            out.push('{');
            from = 1;
        }
        self.append_missing(&object, written, out);
        out.push_str(piece(from, text.len()));
        Ok(())
    }

    fn append_missing(&self, object: &crate::raw::Object<'_>, mut written: usize, out: &mut String) {
        for (key, change) in &self.entries {
            if object.get(key).is_some() {
                continue;
            }
            let Some(json) = change.fresh() else { continue };
            if written > 0 {
                out.push(',');
            }
            out.push_str(&Value::from(key.as_str()).to_string());
            out.push(':');
            out.push_str(&json);
            written += 1;
        }
    }

    /// This patch as an object of its own, or nothing when it sets nothing.
    fn fresh(&self) -> Option<String> {
        let members: Vec<String> = self
            .entries
            .iter()
            .filter_map(|(key, change)| Some(format!("{}:{}", Value::from(key.as_str()), change.fresh()?)))
            .collect();
        (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
    }
}

impl Change {
    fn fresh(&self) -> Option<String> {
        match self {
            Change::Set(json) => Some(json.clone()),
            Change::Remove => None,
            Change::Inside(patch) => patch.fresh(),
        }
    }
}

/// A change inside something that is not an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot change members of `{path}`: it is not an object")]
pub struct RewriteError {
    /// The value that is not an object.
    pub path: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, strict};
    use serde_json::json;

    fn apply(patch: &Patch, text: &str) -> String {
        let out = patch.apply(strict::check(text.as_bytes(), &Limits::default()).unwrap()).unwrap();
        strict::check(out.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{e}: {out}"));
        out
    }

    #[test]
    fn only_the_named_members_change() {
        let text = "{ \"jsonrpc\":\"2.0\" , \"id\" :  1,\n \"x\\u0041\":1.50,\"params\":{\"_meta\":{\"a\":1 , \"b\":2},\"name\":\"t\" }}";
        let rows: [(Patch, &str); 7] = [
            (Patch::new(), text),
            (
                Patch::new().id(&"q".into()),
                "{ \"jsonrpc\":\"2.0\" , \"id\" :  \"q\",\n \"x\\u0041\":1.50,\"params\":{\"_meta\":{\"a\":1 , \"b\":2},\"name\":\"t\" }}",
            ),
            (
                Patch::new().name("s.t"),
                "{ \"jsonrpc\":\"2.0\" , \"id\" :  1,\n \"x\\u0041\":1.50,\"params\":{\"_meta\":{\"a\":1 , \"b\":2},\"name\":\"s.t\" }}",
            ),
            (
                Patch::new().remove_meta("a"),
                "{ \"jsonrpc\":\"2.0\" , \"id\" :  1,\n \"x\\u0041\":1.50,\"params\":{\"_meta\":{ \"b\":2},\"name\":\"t\" }}",
            ),
            (
                Patch::new().remove_meta("b").meta("c", &json!([3])),
                "{ \"jsonrpc\":\"2.0\" , \"id\" :  1,\n \"x\\u0041\":1.50,\"params\":{\"_meta\":{\"a\":1,\"c\":[3]},\"name\":\"t\" }}",
            ),
            (
                Patch::new().remove(&["params", "_meta"]),
                "{ \"jsonrpc\":\"2.0\" , \"id\" :  1,\n \"x\\u0041\":1.50,\"params\":{\"name\":\"t\" }}",
            ),
            (
                Patch::new().set(&["new", "deep"], &json!(true)),
                "{ \"jsonrpc\":\"2.0\" , \"id\" :  1,\n \"x\\u0041\":1.50,\"params\":{\"_meta\":{\"a\":1 , \"b\":2},\"name\":\"t\" },\"new\":{\"deep\":true}}",
            ),
        ];
        for (patch, expected) in rows {
            assert_eq!(apply(&patch, text), expected);
        }
    }

    #[test]
    fn empty_objects_and_emptied_objects_stay_objects() {
        for (patch, text, expected) in [
            (Patch::new().set(&["a"], &json!(1)), "{ }", "{\"a\":1 }"),
            (Patch::new().remove(&["a"]), "{\"a\":1}", "{}"),
            (Patch::new().remove(&["a"]).remove(&["b"]), "{\"a\":1,\"b\":2}", "{}"),
            (
                Patch::new().remove(&["a"]).remove(&["b"]).set(&["c"], &json!(3)),
                "{\"a\":1,\"b\":2}",
                "{\"c\":3}",
            ),
            (Patch::new().remove(&["a"]).remove(&["b"]), "{\"a\":1,\"b\":2, \"c\":3}", "{ \"c\":3}"),
            (Patch::new().remove(&["params", "_meta", "x"]), "{}", "{}"),
            (Patch::new().set(&["a"], &json!(1)).remove(&["a"]), "{\"a\":5,\"b\":6}", "{\"b\":6}"),
        ] {
            assert_eq!(apply(&patch, text), expected, "{text}");
        }
    }

    #[test]
    fn a_change_inside_a_scalar_is_refused() {
        let raw = strict::check(br#"{"params":{"_meta":5}}"#, &Limits::default()).map(Some).unwrap().unwrap();
        let error = Patch::new().meta("a", &json!(1)).apply(raw).unwrap_err();
        assert_eq!(error.to_string(), "cannot change members of `$.params._meta`: it is not an object");
    }
}
