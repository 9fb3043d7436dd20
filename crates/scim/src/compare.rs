//! Whether a value is what a filter asks for (RFC 7644 table 3), by the schema's word on case.

use crate::{Attribute, Fault, fault::clip, schema::Kind};
use jiff::Timestamp;
use serde_json::Value;
use std::cmp::Ordering;

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words are the protocol's")]
pub enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
    Pr,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Self; 10] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le, Self::Pr];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Pr => "pr",
        }
    }

    const fn orders(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }
}

/// Whether the operator can be asked of the attribute with this value, and the value as it is compared.
///
/// # Errors
/// `invalidFilter` when it cannot.
pub(crate) fn check(attribute: &Attribute, operator: Operator, wanted: Value) -> Result<Value, Fault> {
    let cannot = |why: &str| Fault::filter(format!("`{} {}`: {why}", attribute.name, operator.as_str()));
    if wanted.is_null() && matches!(operator, Operator::Eq | Operator::Ne) {
        return Ok(wanted);
    }
    match (attribute.kind, &wanted) {
        (Kind::Complex, _) => Err(cannot("an object cannot be compared; name a member of it")),
        (Kind::Boolean, _) if !matches!(operator, Operator::Eq | Operator::Ne) => {
            Err(cannot("true and false are equal or not, and nothing else"))
        }
        (Kind::Boolean, Value::Bool(_)) => Ok(wanted),
        (Kind::Boolean, Value::String(text)) => match boolean(text) {
            Some(value) => Ok(Value::Bool(value)),
            None => Err(cannot(&format!("{} is neither true nor false", clip(text)))),
        },
        (Kind::Moment, Value::String(text)) if operator.orders() && moment(text).is_none() => {
            Err(cannot(&format!("{} is no moment such as 2026-11-30T10:00:00Z", clip(text))))
        }
        (Kind::Text | Kind::Reference | Kind::Moment, Value::String(_)) => Ok(wanted),
        (Kind::Text | Kind::Reference | Kind::Moment, Value::Number(number)) => {
            Ok(Value::String(number.to_string()))
        }
        _ => Err(cannot("the value is of another type")),
    }
}

/// Whether a value fits.
pub(crate) fn fits(attribute: &Attribute, operator: Operator, have: &Value, wanted: &Value) -> bool {
    match (have, wanted) {
        (Value::Bool(have), Value::Bool(wanted)) => match operator {
            Operator::Eq => have == wanted,
            Operator::Ne => have != wanted,
            _ => false,
        },
        (Value::String(have), Value::String(wanted)) => {
            if attribute.kind == Kind::Moment
                && let (Some(have), Some(wanted)) = (moment(have), moment(wanted))
            {
                return ordered(operator, have.cmp(&wanted)).unwrap_or(false);
            }
            if attribute.case_exact {
                return text(operator, have, wanted);
            }
            text(operator, &have.to_lowercase(), &wanted.to_lowercase())
        }
        _ => false,
    }
}

/// Whether there is something (`pr`): neither nothing nor empty.
pub(crate) fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(all) => all.iter().any(is_present),
        Value::Object(all) => all.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// `True` and `False`, as some providers write them.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    [("true", true), ("false", false)]
        .into_iter()
        .find_map(|(word, value)| text.trim().eq_ignore_ascii_case(word).then_some(value))
}

pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn text(operator: Operator, have: &str, wanted: &str) -> bool {
    match operator {
        Operator::Co => have.contains(wanted),
        Operator::Sw => have.starts_with(wanted),
        Operator::Ew => have.ends_with(wanted),
        _ => ordered(operator, have.cmp(wanted)).unwrap_or(false),
    }
}

fn ordered(operator: Operator, order: Ordering) -> Option<bool> {
    Some(match operator {
        Operator::Eq => order.is_eq(),
        Operator::Ne => order.is_ne(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
        Operator::Co | Operator::Sw | Operator::Ew | Operator::Pr => return None,
    })
}
