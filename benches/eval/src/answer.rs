//! What a tool answered, as a gateway would see it. The benchmark's tools answer with YAML or with a dictionary as Python
//! prints it; an MCP server answers with JSON. So what is a list or mapping becomes structure, and all else stays text.

use serde_json::Value;
use std::collections::HashMap;

/// Results by their hash.
pub struct Answers<'a> {
    texts: &'a HashMap<String, String>,
    structures: HashMap<&'a str, Value>,
}

/// One answer.
pub enum Answer<'a> {
    Structured(&'a Value),
    Text(&'a str),
}

impl<'a> Answers<'a> {
    pub fn new(texts: &'a HashMap<String, String>) -> Self {
        let structure = |(hash, text): (&'a String, &'a String)| Some((hash.as_str(), structured(text)?));
        Self { texts, structures: texts.iter().filter_map(structure).collect() }
    }

    /// The answer under a hash, if there is one.
    pub fn get(&self, hash: &str) -> Option<Answer<'_>> {
        match self.structures.get(hash) {
            Some(value) => Some(Answer::Structured(value)),
            None => self.texts.get(hash).map(|text| Answer::Text(text)),
        }
    }
}

fn structured(text: &str) -> Option<Value> {
    let start = text.trim_start();
    let first = start.lines().next()?;
    let mapping =
        first.split_once(':').is_some_and(|(key, _)| key.chars().all(|c| c.is_alphanumeric() || c == '_'));
    let like_yaml =
        start.starts_with("- ") || start.starts_with(['{', '[']) || mapping && text.contains('\n');
    if !like_yaml {
        return None;
    }
    let value: Value = serde_saphyr::from_str(text).ok()?;
    (value.is_array() || value.is_object()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_mappings_are_structure_and_all_else_is_text() {
        assert!(structured("- body: hi\n  sender: Bob\n").is_some());
        assert!(structured("{'message': 'done'}").is_some());
        assert!(structured("all_day: false\ndescription: ''\n").is_some());
        assert!(structured("Bill for the month: 3\n---\nService").is_none());
        assert!(structured("1810.0").is_none());
    }
}
