//! Cases of `provost policy test`: `[[case]]` tables in TOML files, as plain values with their places. What is in a
//! case (given, when, then) is read by the policy tests.

use crate::{
    Fault, Place, Severity, SourceFile,
    desk::{Desk, Found},
    source::{Source, extension},
    table::{Item, Table},
};
use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

/// One case as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseText {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// All of it, its name included: dates as text, numbers as they are written.
    pub value: Value,
}

/// Reads the cases of files; files without cases are none. A case without a name, and a name used twice in a file,
/// are faults.
#[must_use]
pub fn read_cases(files: &[SourceFile]) -> (Vec<CaseText>, Vec<Fault>) {
    let mut found = Found::default();
    let mut cases: Vec<CaseText> = Vec::new();
    for file in files.iter().filter(|file| extension(&file.path) == Some("toml")) {
        if file.text.len() > crate::limits::FILE_BYTES_MAX {
            let message =
                format!("file has {} bytes, more than {}", file.text.len(), crate::limits::FILE_BYTES_MAX);
            let cure = "split it".to_owned();
            found.faults.push(Source::fault_of_file(&file.path, Severity::Error, message, cure));
            continue;
        }
        let source = Source::new(file);
        let (tree, errors) = DeTable::parse_recoverable(&file.text);
        let mut desk = Desk::new(&source, &mut found);
        for error in errors {
            desk.broken(&error.span().unwrap_or(0..0), format!("not valid TOML: {}", error.message()));
        }
        let mut root = Table::new(tree.get_ref(), 0..0, "this file");
        let first = cases.len();
        for item in root.get("case").and_then(|item| item.list(&mut desk)).unwrap_or_default() {
            if let Some(case) = case(&item, &mut desk) {
                if cases.iter().skip(first).any(|other| other.name == case.name) {
                    desk.error(
                        &item.at,
                        format!("case `{}` stands here twice", case.name),
                        "give each its own name",
                    );
                }
                cases.push(case);
            }
        }
    }
    let mut faults = found.faults;
    faults.sort();
    (cases, faults)
}

fn case(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<CaseText> {
    let mut table = item.table(desk, "[[case]]")?;
    let name = table.sentence(desk, "name", "say in a sentence what must hold")?;
    Some(CaseText { name, place: desk.source.place(&item.at), value: json(item.value) })
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) => Value::Number(value.into()),
            Err(_) => Value::String(number.as_str().to_owned()),
        },
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map_or_else(|| Value::String(number.as_str().to_owned()), Value::Number),
        DeValue::Datetime(written) => Value::String(written.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| json(item.get_ref())).collect()),
        DeValue::Table(members) => {
            let member = |(key, value): (&toml::Spanned<_>, &toml::Spanned<_>)| {
                let key: &toml::de::DeString<'_> = key.get_ref();
                (key.to_string(), json(value.get_ref()))
            };
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cases_are_read_as_they_are_written_with_their_places() {
        let text = "[[case]]\nname = \"small\"\ngiven.amount = 12.50\ngiven.day = 2026-11-20\nthen = \"allow\"\n\n\
                    [[case]]\nwhen = { n = 0x10 }\n[[case]]\nname = \"small\"\n";
        let (cases, faults) = read_cases(&[SourceFile::new("cases/a.toml", text)]);
        assert_eq!(
            cases.first().map(|case| &case.value),
            Some(&json!({"name": "small", "given": {"amount": 12.5, "day": "2026-11-20"}, "then": "allow"}))
        );
        assert_eq!(cases.iter().map(|case| case.place.line).collect::<Vec<_>>(), [1, 9]);
        let said: Vec<_> = faults.iter().map(|fault| (fault.line, fault.message.as_str())).collect();
        assert_eq!(said, [(7, "[[case]] has no `name`"), (9, "case `small` stands here twice")]);
    }
}
