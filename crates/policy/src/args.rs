//! The arguments of a call, checked against the tool's declaration and given to policies with their types. What
//! does not fit exactly is refused before any policy is asked: a policy must see what the system will see.

use cedar_policy::RestrictedExpression;
use provost_domain::{
    Decimal,
    tool::{ArgShape, ArgType},
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is wrong with one argument: its path, and the fault in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArgFault {
    pub(crate) path: String,
    pub(crate) problem: String,
}

/// Every argument as a Cedar value, or everything that is wrong with them.
pub(crate) fn typed(
    declared: &BTreeMap<String, ArgType>,
    args: &Map<String, Value>,
) -> Result<RestrictedExpression, Vec<ArgFault>> {
    let mut faults = Vec::new();
    let record = members(declared, args, &mut Path { steps: Vec::new() }, &mut faults);
    if faults.is_empty() { Ok(record) } else { Err(faults) }
}

/// The number at a dotted path, in ten-thousandths; `Ok(None)` when the call does not have it.
pub(crate) fn number_at(args: &Map<String, Value>, path: &str) -> Result<Option<i64>, String> {
    match value_at(args, path) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            Decimal::from_json(number).map(|decimal| Some(decimal.units())).map_err(|error| error.to_string())
        }
        Some(other) => Err(format!("is {}, not a number", json_word(other))),
    }
}

fn value_at<'a>(args: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(found) = args.get(path) {
        return Some(found);
    }
    // A member's name may itself hold dots: the shortest head that leads somewhere wins, as charters are checked
    // to have only one reading.
    path.match_indices('.').find_map(|(at, _)| {
        let (head, rest) = path.split_at_checked(at)?;
        value_at(args.get(head)?.as_object()?, rest.strip_prefix('.')?)
    })
}

fn members(
    declared: &BTreeMap<String, ArgType>,
    args: &Map<String, Value>,
    path: &mut Path,
    faults: &mut Vec<ArgFault>,
) -> RestrictedExpression {
    for name in args.keys().filter(|name| !declared.contains_key(*name)) {
        faults.push(path.fault(name, "is not an argument of this tool"));
    }
    let mut pairs = Vec::with_capacity(args.len());
    for (name, arg) in declared {
        match args.get(name) {
            None if arg.required => faults.push(path.fault(name, "is missing")),
            None => {}
            Some(value) => {
                path.steps.push(name.clone());
                let value = one(&arg.shape, value, path, faults);
                path.steps.pop();
                pairs.extend(value.map(|value| (name.clone(), value)));
            }
        }
    }
    RestrictedExpression::new_record(pairs).unwrap_or_else(|_twice| {
        faults.push(ArgFault { path: path.text(), problem: "has a member twice".to_owned() });
        RestrictedExpression::new_bool(false)
    })
}

fn one(
    shape: &ArgShape,
    value: &Value,
    path: &mut Path,
    faults: &mut Vec<ArgFault>,
) -> Option<RestrictedExpression> {
    match (shape, value) {
        (ArgShape::String, Value::String(text)) => {
            return Some(RestrictedExpression::new_string(text.clone()));
        }
        (ArgShape::Bool, Value::Bool(bool)) => return Some(RestrictedExpression::new_bool(*bool)),
        (ArgShape::Long, Value::Number(number)) => {
            if let Some(long) = number.as_i64() {
                return Some(RestrictedExpression::new_long(long));
            }
            faults.push(path.here(format!("must be a whole number in 64 bits, and is {number}")));
        }
        (ArgShape::Decimal, Value::Number(number)) => match Decimal::from_json(number) {
            Ok(decimal) => return Some(crate::bucket::decimal(decimal)),
            Err(error) => faults.push(path.here(format!("is refused: {error}"))),
        },
        (ArgShape::Set { of }, Value::Array(elements)) => {
            let mut typed = Vec::with_capacity(elements.len());
            for (index, element) in elements.iter().enumerate() {
                path.steps.push(index.to_string());
                typed.extend(one(of, element, path, faults));
                path.steps.pop();
            }
            return Some(RestrictedExpression::new_set(typed));
        }
        (ArgShape::Record { members: declared }, Value::Object(object)) => {
            return Some(members(declared, object, path, faults));
        }
        (ArgShape::Json, any) => match provost_domain::canonical::to_string(any) {
            Ok(text) => return Some(RestrictedExpression::new_string(text)),
            Err(error) => faults.push(path.here(error.to_string())),
        },
        (wanted, found) => {
            faults.push(path.here(format!(
                "must be {}, and is {}",
                crate::rule::word(wanted),
                json_word(found)
            )));
        }
    }
    None
}

struct Path {
    steps: Vec<String>,
}

impl Path {
    fn text(&self) -> String {
        self.steps.join(".")
    }

    fn here(&self, problem: String) -> ArgFault {
        ArgFault { path: self.text(), problem }
    }

    fn fault(&self, name: &str, problem: &str) -> ArgFault {
        let mut path = self.text();
        if !path.is_empty() {
            path.push('.');
        }
        path.extend(name.chars().take(NAME_CHARS_SHOWN_MAX));
        ArgFault { path, problem: problem.to_owned() }
    }
}

pub(crate) fn json_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

const NAME_CHARS_SHOWN_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn arg(shape: ArgShape, required: bool) -> ArgType {
        ArgType { shape, required }
    }

    fn declared() -> BTreeMap<String, ArgType> {
        let iban = BTreeMap::from([("iban".to_owned(), arg(ArgShape::String, true))]);
        BTreeMap::from([
            ("text".to_owned(), arg(ArgShape::String, false)),
            ("count".to_owned(), arg(ArgShape::Long, false)),
            ("amount".to_owned(), arg(ArgShape::Decimal, false)),
            ("flag".to_owned(), arg(ArgShape::Bool, false)),
            ("tags".to_owned(), arg(ArgShape::Set { of: Box::new(ArgShape::String) }, false)),
            ("to".to_owned(), arg(ArgShape::Record { members: iban }, false)),
            ("any".to_owned(), arg(ArgShape::Json, false)),
        ])
    }

    #[test]
    fn an_argument_that_does_not_fit_its_type_is_refused_by_path_and_reason() {
        for (args, path, problem) in [
            (json!({"text": 1}), "text", "must be text, and is a number"),
            (json!({"text": null}), "text", "must be text, and is null"),
            (json!({"count": 1.5}), "count", "must be a whole number in 64 bits, and is 1.5"),
            (json!({"count": 9_223_372_036_854_775_808_u64}), "count", "must be a whole number in 64 bits"),
            (json!({"count": "1"}), "count", "must be a whole number, and is text"),
            (json!({"amount": 0.00001}), "amount", "at most four fraction digits"),
            (json!({"amount": "5"}), "amount", "must be a decimal, and is text"),
            (json!({"flag": "true"}), "flag", "must be true or false, and is text"),
            (json!({"tags": ["a", 2]}), "tags.1", "must be text, and is a number"),
            (json!({"to": {}}), "to.iban", "is missing"),
            (json!({"to": {"iban": "x", "bic": "y"}}), "to.bic", "is not an argument of this tool"),
            (json!({"other": 1}), "other", "is not an argument of this tool"),
        ] {
            let faults = typed(&declared(), args.as_object().unwrap()).unwrap_err();
            assert_eq!(faults.len(), 1, "{args}");
            assert_eq!(faults[0].path, path, "{args}");
            assert!(faults[0].problem.contains(problem), "{args}: {}", faults[0].problem);
        }
    }

    #[test]
    fn every_fault_of_a_call_is_told_at_once() {
        let args = json!({"text": 1, "count": "x", "zzz": []});
        assert_eq!(typed(&declared(), args.as_object().unwrap()).unwrap_err().len(), 3);
    }

    #[test]
    fn a_number_is_found_below_dots_and_in_names_with_dots() {
        let args = json!({"a": {"b.c": 1.5}, "d.e": 2, "t": "x"});
        let args = args.as_object().unwrap();
        assert_eq!(number_at(args, "a.b.c"), Ok(Some(15_000)));
        assert_eq!(number_at(args, "d.e"), Ok(Some(20_000)));
        assert_eq!(number_at(args, "nowhere.at.all"), Ok(None));
        assert!(number_at(args, "t").is_err());
    }
}
