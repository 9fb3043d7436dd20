//! What is known before the call: an agent's own attributes, the system's, and the tool's facts. A policy whose
//! conditions are false by these alone, and cannot err before they are, is left out of what each call evaluates.
//! Everything else stays. The property test in `plain.rs` holds this against plain Cedar.

use provost_domain::{Agent, Label, System, Tool};
use serde_json::{Map, Value, json};

/// Facts by the place policies read them from.
pub(crate) struct Facts {
    principal: Map<String, Value>,
    resource: Map<String, Value>,
    tool: Map<String, Value>,
}

impl Facts {
    pub(crate) fn new(agent: &Agent, system: &System, tool: &Tool) -> Self {
        let labels = |labels: &mut dyn Iterator<Item = &Label>| -> Value {
            labels.map(|label| Value::String(label.as_str().to_owned())).collect()
        };
        let charter = &agent.charter;
        let returns = tool.labels();
        let map = |value: Value| if let Value::Object(map) = value { map } else { Map::new() };
        Self {
            principal: map(json!({
                "environment": charter.environment.as_str(),
                "autonomy": charter.autonomy.as_str(),
                "status": agent.status.as_str(),
                "level": agent.level.as_str(),
                "revision": agent.revision,
                "data": labels(&mut charter.data.iter()),
            })),
            resource: map(json!({ "environment": system.environment.as_str() })),
            tool: map(json!({
                "classified": !tool.effects.is_empty(),
                "only_reads": tool.only_reads(),
                "sends_out": tool.sends_out,
                "returns": labels(&mut returns.into_iter().filter(|label| !label.is_integrity())),
            })),
        }
    }

    /// Whether a policy (in Cedar's JSON form) matches no call at all.
    pub(crate) fn never_match(&self, policy: &Value) -> bool {
        for condition in policy.get("conditions").and_then(Value::as_array).into_iter().flatten() {
            let wanted = condition.get("kind").and_then(Value::as_str) == Some("when");
            match condition.get("body").and_then(|body| self.value(body)) {
                // Conditions are asked in order; one that is true leads to the next.
                Some(Value::Bool(holds)) if holds == wanted => {}
                Some(Value::Bool(_)) => return true,
                // Not known before the call, and it might err.
                _ => return false,
            }
        }
        false
    }

    /// The value of an expression, if it is known and reaching it cannot err.
    fn value(&self, expression: &Value) -> Option<Value> {
        let (name, body) = expression.as_object()?.iter().next()?;
        let sides = || Some((body.get("left")?, body.get("right")?));
        match name.as_str() {
            "Value" => (!body.is_object()).then(|| body.clone()),
            "Set" => body.as_array()?.iter().map(|member| self.value(member)).collect(),
            "." => self.attribute(body).cloned(),
            "!" => Some(Value::Bool(!self.value(body.get("arg")?)?.as_bool()?)),
            "&&" | "||" => {
                let (left, right) = sides()?;
                let left = self.value(left)?.as_bool()?;
                // The right side is reached only when the left one does not settle it.
                if left == (name == "||") { Some(Value::Bool(left)) } else { self.value(right) }
            }
            "==" | "!=" => {
                let (left, right) = sides()?;
                let (left, right) = (self.value(left)?, self.value(right)?);
                let scalar = |value: &Value| value.is_string() || value.is_boolean() || value.is_i64();
                (scalar(&left) && scalar(&right)).then(|| Value::Bool((left == right) == (name == "==")))
            }
            "contains" => {
                let (left, right) = sides()?;
                let (left, right) = (self.value(left)?, self.value(right)?);
                right.is_string().then(|| left.as_array().map(|set| Value::Bool(set.contains(&right))))?
            }
            "containsAll" => {
                let (left, right) = sides()?;
                let (left, right) = (self.value(left)?, self.value(right)?);
                let (left, right) = (left.as_array()?, right.as_array()?);
                Some(Value::Bool(right.iter().all(|member| left.contains(member))))
            }
            _ => None,
        }
    }

    fn attribute(&self, path: &Value) -> Option<&Value> {
        let name = path.get("attr")?.as_str()?;
        let left = path.get("left")?;
        if let Some(of) = left.get("Var").and_then(Value::as_str) {
            return match of {
                "principal" => self.principal.get(name),
                "resource" => self.resource.get(name),
                _ => None,
            };
        }
        let inner = left.get(".")?;
        let is_tool =
            inner.get("left")?.get("Var")?.as_str()? == "context" && inner.get("attr")?.as_str()? == "tool";
        is_tool.then(|| self.tool.get(name))?
    }
}
