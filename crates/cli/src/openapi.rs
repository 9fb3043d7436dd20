//! An OpenAPI document as JSON text, whether it is written in JSON or in YAML. The plane reads one form only.

use crate::Failure;
use std::path::Path;

/// Reads a document.
///
/// # Errors
/// When the file cannot be read, or is neither.
pub(crate) fn json_of(file: &Path) -> Result<String, Failure> {
    let failed = |what: &str| Failure::new(format!("{} {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| failed("cannot be read").because(error))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim_start().starts_with('{') {
        return Ok(text.to_owned());
    }
    let value: serde_json::Value = serde_saphyr::from_str(text)
        .map_err(|error| failed("is neither JSON nor YAML that can be read").because(error))?;
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<serde_json::Value, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("api.yaml");
        std::fs::write(&file, text).unwrap();
        json_of(&file).map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = "openapi: 3.0.3\npaths:\n  /a/{id}:\n    get:\n      operationId: show\n      responses:\n        200: {description: ok}\n\
                    x: &a {b: [1, 2.5, true, null, 'no']}\ny: *a\n";
        let json = r#"{"openapi":"3.0.3","paths":{"/a/{id}":{"get":{"operationId":"show","responses":{"200":{"description":"ok"}}}}},
                       "x":{"b":[1,2.5,true,null,"no"]},"y":{"b":[1,2.5,true,null,"no"]}}"#;
        assert_eq!(read(yaml).unwrap(), serde_json::from_str::<serde_json::Value>(json).unwrap());
        assert_eq!(read(json).unwrap(), read(yaml).unwrap());
    }

    #[test]
    fn what_says_a_thing_twice_or_without_end_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let refs = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb.push_str(&format!("a{n}: &a{n} [{refs}]\n"));
        }
        for text in ["a: 1\na: 2\n", "a: [1\n", bomb.as_str()] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(json_of(Path::new("/nowhere/at/all.yaml")).is_err());
    }
}
