//! Cedar policies as data. Charters are built from these pieces and never from text, so that no name, label or
//! pattern that somebody wrote can become syntax.

use provost_domain::Decimal;
use serde_json::{Value, json};

/// The entity type of agents.
pub(crate) const AGENT: &str = "Agent";
/// The entity type of systems.
pub(crate) const SYSTEM: &str = "System";
/// The entity type of people.
pub(crate) const PERSON: &str = "Person";
/// The entity type of actions.
pub(crate) const ACTION: &str = "Action";

pub(crate) fn lit(value: impl Into<Value>) -> Value {
    json!({ "Value": value.into() })
}

pub(crate) fn set(members: impl IntoIterator<Item = Value>) -> Value {
    json!({ "Set": members.into_iter().collect::<Vec<_>>() })
}

pub(crate) fn decimal(value: Decimal) -> Value {
    json!({ "decimal": [lit(value.to_string())] })
}

pub(crate) fn var(name: &str) -> Value {
    json!({ "Var": name })
}

pub(crate) fn attr(left: Value, name: &str) -> Value {
    json!({ ".": { "left": left, "attr": name } })
}

pub(crate) fn has(left: Value, name: &str) -> Value {
    json!({ "has": { "left": left, "attr": name } })
}

pub(crate) fn context(name: &str) -> Value {
    attr(var("context"), name)
}

/// `==`, `<=`, `>=`, `contains`, `containsAll`, `containsAny`, `&&`, `||`.
pub(crate) fn op(name: &str, left: Value, right: Value) -> Value {
    json!({ name: { "left": left, "right": right } })
}

/// `lessThanOrEqual`, `greaterThanOrEqual`: the methods of `decimal`.
pub(crate) fn method(name: &str, left: Value, right: Value) -> Value {
    json!({ name: [left, right] })
}

pub(crate) fn not(arg: Value) -> Value {
    json!({ "!": { "arg": arg } })
}

pub(crate) fn when_then(test: Value, then: Value, otherwise: Value) -> Value {
    json!({ "if-then-else": { "if": test, "then": then, "else": otherwise } })
}

/// All of these; `true` for none.
pub(crate) fn all(parts: impl IntoIterator<Item = Value>) -> Value {
    parts.into_iter().reduce(|left, right| op("&&", left, right)).unwrap_or_else(|| lit(true))
}

/// A pattern in which `*` stands for any text and `\*` for a star.
pub(crate) fn like(left: Value, pattern: &str) -> Value {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' if chars.peek() == Some(&'*') => text.extend(chars.next()),
            '*' => {
                parts.extend(literal(&mut text));
                parts.push(json!("Wildcard"));
            }
            _ => text.push(char),
        }
    }
    parts.extend(literal(&mut text));
    if parts.is_empty() {
        parts.push(json!({ "Literal": "" }));
    }
    json!({ "like": { "left": left, "pattern": parts } })
}

fn literal(text: &mut String) -> Option<Value> {
    (!text.is_empty()).then(|| json!({ "Literal": std::mem::take(text) }))
}

/// Whom and what a policy is about.
pub(crate) struct Scope<'a> {
    pub(crate) agent: &'a str,
    /// `system/tool`; none means any.
    pub(crate) actions: &'a [String],
    pub(crate) system: Option<&'a str>,
}

impl Scope<'_> {
    pub(crate) fn permit(&self, id: &str, reason: &str) -> Value {
        self.policy("permit", id, reason, Vec::new())
    }

    /// Forbids when `body` holds.
    pub(crate) fn forbid_when(&self, id: &str, reason: &str, body: Value) -> Value {
        self.policy("forbid", id, reason, vec![json!({ "kind": "when", "body": body })])
    }

    /// Forbids unless `body` holds.
    pub(crate) fn forbid_unless(&self, id: &str, reason: &str, body: Value) -> Value {
        self.policy("forbid", id, reason, vec![json!({ "kind": "unless", "body": body })])
    }

    fn policy(&self, effect: &str, id: &str, reason: &str, conditions: Vec<Value>) -> Value {
        let action = |id: &String| json!({ "type": ACTION, "id": id });
        let actions = match self.actions {
            [] => json!({ "op": "All" }),
            [one] => json!({ "op": "==", "entity": action(one) }),
            many => json!({ "op": "in", "entities": many.iter().map(action).collect::<Vec<_>>() }),
        };
        let resource = match self.system {
            None => json!({ "op": "All" }),
            Some(name) => json!({ "op": "==", "entity": { "type": SYSTEM, "id": name } }),
        };
        json!({
            "effect": effect,
            "principal": { "op": "==", "entity": { "type": AGENT, "id": self.agent } },
            "action": actions,
            "resource": resource,
            "conditions": conditions,
            "annotations": { "id": id, "reason": reason },
        })
    }
}

/// The same policy for calls that are known to be in its scope, under no name.
pub(crate) fn bare(mut policy: Value) -> Value {
    if let Some(parts) = policy.as_object_mut() {
        for scope in ["principal", "action", "resource"] {
            parts.insert(scope.to_owned(), json!({ "op": "All" }));
        }
        if let Some(annotations) = parts.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("id");
        }
    }
    policy
}

/// Members of the context, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reads(u16);

impl Reads {
    /// The members there are.
    pub(crate) const MEMBERS: [&str; 13] = [
        "now",
        "weekday",
        "minute",
        "task",
        "tool",
        "approvals",
        "exhausted",
        "args",
        "args_from",
        "steered",
        "carries",
        "past",
        "drift",
    ];
    /// Every member: for whoever takes the context whole.
    pub(crate) const ALL: Self = Self(u16::MAX);

    /// What an expression or policy may look at in the context: directly, or by taking it whole.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Object(members) => {
                if let Some(path) = members.get(".").or_else(|| members.get("has"))
                    && path.get("left").is_some_and(is_context)
                {
                    // `has` on the context may carry a whole path; only its head is below the context.
                    let head = match path.get("attr") {
                        Some(Value::Array(path)) => path.first().and_then(Value::as_str),
                        other => other.and_then(Value::as_str),
                    };
                    return head.map_or(Self::ALL, Self::member);
                }
                if is_context(value) { Self::ALL } else { members.values().map(Self::of).collect() }
            }
            Value::Array(members) => members.iter().map(Self::of).collect(),
            _ => Self::default(),
        }
    }

    /// Whether it has this member.
    pub(crate) fn has(self, member: &str) -> bool {
        self.0 & Self::member(member).0 != 0
    }

    fn member(name: &str) -> Self {
        Self::MEMBERS.iter().position(|member| *member == name).map_or(Self(0), |at| Self(1 << at))
    }
}

impl FromIterator<Self> for Reads {
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |sum, reads| sum | reads.0))
    }
}

fn is_context(value: &Value) -> bool {
    value.get("Var").and_then(Value::as_str) == Some("context")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_keeps_escaped_stars_and_other_backslashes_as_text() {
        for (pattern, parts) in [
            ("a*b", json!([{"Literal": "a"}, "Wildcard", {"Literal": "b"}])),
            (r"a\*b", json!([{"Literal": "a*b"}])),
            (r"C:\x*", json!([{"Literal": "C:\\x"}, "Wildcard"])),
            ("", json!([{"Literal": ""}])),
            ("**", json!(["Wildcard", "Wildcard"])),
        ] {
            assert_eq!(like(lit("x"), pattern)["like"]["pattern"], parts, "{pattern}");
        }
    }

    #[test]
    fn a_policy_that_may_look_at_arguments_is_known() {
        let of = |text: &str| {
            let policy = cedar_policy::Policy::parse(None, text).unwrap();
            Reads::of(&policy.to_json().unwrap()).has("args")
        };
        for (condition, expected) in [
            ("context.args.amount > 3", true),
            ("context.args has amount", true),
            ("context has args", true),
            ("context has args.amount", true),
            ("context has task.id", false),
            ("context == context", true),
            ("context[\"args\"] has x", true),
            ("{a: context}.a has args", true),
            ("context.task.live", false),
            ("principal.level == \"off\" && context.now > 3", false),
            ("context.approvals.contains(\"args\")", false),
        ] {
            let text = format!("forbid(principal, action, resource) when {{ {condition} }};");
            assert_eq!(of(&text), expected, "{condition}");
        }
    }
}
