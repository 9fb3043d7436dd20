//! JSON that means one thing: no member twice, nothing nested or counted beyond the limits. What a lenient reader
//! would silently drop is refused by name.

use provost_domain::limits::Limits;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::{cell::Cell, collections::HashSet, fmt};

/// Looks at a whole text.
///
/// # Errors
/// Where it is no JSON, says something twice, or is beyond a limit.
pub(crate) fn check(text: &[u8], limits: &Limits) -> Result<(), serde_json::Error> {
    let nodes = Cell::new(0);
    let mut reader = serde_json::Deserializer::from_slice(text);
    Walk { limits, nodes: &nodes, depth: 0 }.deserialize(&mut reader)?;
    reader.end()
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    limits: &'a Limits,
    nodes: &'a Cell<usize>,
    depth: usize,
}

impl Walk<'_> {
    fn node<E: Error>(&self) -> Result<(), E> {
        let seen = self.nodes.get().saturating_add(1);
        self.nodes.set(seen);
        if seen > self.limits.json_nodes_max {
            return Err(E::custom(format!(
                "more than {} members and elements, the limit `json_nodes_max`",
                self.limits.json_nodes_max
            )));
        }
        Ok(())
    }

    fn deeper<E: Error>(&self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        if depth > self.limits.json_depth_max {
            return Err(E::custom(format!(
                "nested deeper than {}, the limit `json_depth_max`",
                self.limits.json_depth_max
            )));
        }
        Ok(Self { depth, ..*self })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.node()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _value: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _value: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _value: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _value: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _value: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value_seed(inner)?;
            if let Some(twice) = names.replace(name) {
                return Err(A::Error::custom(format!("the member `{twice}` stands there twice")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_one_thing_passes_and_the_rest_is_named() {
        let limits = Limits { json_depth_max: 3, json_nodes_max: 8, ..Limits::default() };
        let cases = [
            (r#"{"a":[{"b":1.5}],"c":null}"#, ""),
            (r#"{"a":1,"a":2}"#, "`a` stands there twice"),
            (r#"{"x":{"a":1,"\u0061":2}}"#, "`a` stands there twice"),
            ("[[[[]]]]", "json_depth_max"),
            ("[1,2,3,4,5,6,7,8]", "json_nodes_max"),
            ("{} {}", "trailing"),
            ("{", "EOF"),
        ];
        for (text, wanted) in cases {
            let said =
                check(text.as_bytes(), &limits).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(said.contains(wanted) && said.is_empty() == wanted.is_empty(), "{text}: {said}");
        }
    }
}
