//! Canonical JSON (RFC 8785): one value, one text, so that a digest names an action and a record for ever.

use serde::Serialize;

/// The canonical text of a value.
///
/// # Errors
/// When the value cannot be JSON: a map with keys that are not strings, or a number that is not finite.
pub fn to_string<T: Serialize>(value: &T) -> Result<String, CanonicalError> {
    serde_json_canonicalizer::to_string(value).map_err(|source| CanonicalError { source })
}

/// A value that has no canonical JSON.
#[derive(Debug, thiserror::Error)]
#[error("the value has no canonical JSON form (RFC 8785)")]
pub struct CanonicalError {
    #[source]
    source: serde_json::Error,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn members_are_sorted_and_numbers_written_one_way() {
        let value = json!({"b": 1.0, "a": [true, null, "\u{e9}"], "A": 1e21});
        assert_eq!(super::to_string(&value).unwrap(), r#"{"A":1e+21,"a":[true,null,"é"],"b":1}"#);
    }
}
