//! What is known before a policy is asked: an agent's own attributes, the system's, the tool's facts, and, of a call,
//! the usual moment. A policy whose conditions are false by these alone, and cannot err before they are, is left out of
//! what the call evaluates. Everything else stays. The property test in `plain.rs` holds this against plain Cedar.

use crate::Question;
use provost_domain::{Agent, Environment, Label, Restriction, Tool};
use serde_json::{Value, json};

/// Facts by the place policies read them from.
pub(crate) struct Facts {
    principal: Value,
    resource: Value,
    context: Value,
}

/// The moment nearly every call is made at: a live task, a tool in its scope and as it was reviewed, every budget with
/// room, no approval yet, no labelled data in its arguments, nothing done before that is dangerous with what comes next, and a run like others. What differs even then is what the task has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsualMoment {
    untrusted: bool,
    confidential: bool,
}

impl UsualMoment {
    /// How many there are.
    pub(crate) const COUNT: usize = 4;

    /// The usual moment this call is made at, if it is one.
    pub(crate) fn of(question: &Question<'_>, approved: bool) -> Option<Self> {
        let Question { task, state, system, tool, pinned, exhausted, args_from, now, .. } = question;
        let usual = *pinned
            && !approved
            && exhausted.is_empty()
            && args_from.carries.is_empty()
            && args_from.past.is_empty()
            && args_from.drift == 0
            && task.is_live(*now)
            && task.includes(&system.name, &tool.name);
        usual.then(|| Self {
            untrusted: state.labels.iter().any(Label::is_untrusted),
            confidential: state.labels.iter().any(|label| !label.is_integrity()),
        })
    }

    /// From 0 up to [`Self::COUNT`].
    pub(crate) fn index(self) -> usize {
        usize::from(self.untrusted) * 2 + usize::from(self.confidential)
    }

    fn task(self) -> Value {
        json!({"live": true, "in_scope": true, "untrusted": self.untrusted, "confidential": self.confidential})
    }
}

impl Facts {
    pub(crate) fn new((agent, left): (&Agent, &Restriction), environment: Environment, tool: &Tool) -> Self {
        let labels = |labels: &mut dyn Iterator<Item = &Label>| -> Value {
            labels.map(|label| Value::String(label.as_str().to_owned())).collect()
        };
        let charter = &agent.charter;
        let returns = tool.labels();
        Self {
            principal: json!({
                "environment": charter.environment.as_str(),
                "autonomy": charter.autonomy.as_str(),
                "status": agent.status.as_str(),
                "level": left.level.as_str(),
                "asks": left.asks,
                "without": left.without.iter().map(|effect| effect.as_str()).collect::<Vec<_>>(),
                "revision": agent.revision,
                "data": labels(&mut charter.data.iter()),
            }),
            resource: json!({ "environment": environment.as_str() }),
            context: context(
                tool,
                json!({
                    "classified": !tool.effects.is_empty(),
                    "only_reads": tool.only_reads(),
                    "effects": tool.effects_or_worst().iter().map(|effect| effect.as_str()).collect::<Vec<_>>(),
                    "sends_out": tool.sends_out,
                    "plain": tool.is_plain(),
                    "steers": !tool.steering.is_empty(),
                    "returns": labels(&mut returns.into_iter().filter(|label| !label.is_integrity())),
                }),
            ),
        }
    }

    /// Nothing is known but that the moment is a usual one.
    pub(crate) fn of_usual_moments() -> Self {
        let task = json!({"live": true, "in_scope": true});
        let context = json!({"task": task, "tool": {"pinned": true}, "exhausted": [], "approvals": [], "carries": [], "past": [], "drift": 0});
        Self { principal: Value::Null, resource: Value::Null, context }
    }

    /// The same facts, and the moment.
    pub(crate) fn at(mut self, moment: UsualMoment) -> Self {
        if let Some(context) = self.context.as_object_mut() {
            context.insert("task".to_owned(), moment.task());
            context.insert("exhausted".to_owned(), json!([]));
            context.insert("approvals".to_owned(), json!([]));
            context.insert("carries".to_owned(), json!([]));
            context.insert("past".to_owned(), json!([]));
            context.insert("drift".to_owned(), json!(0));
            if let Some(tool) = context.get_mut("tool").and_then(Value::as_object_mut) {
                tool.insert("pinned".to_owned(), Value::Bool(true));
            }
        }
        self
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
            // A record is known in part only.
            "." => self.attribute(body).filter(|value| !value.is_object()).cloned(),
            "isEmpty" => Some(Value::Bool(self.value(body.get("arg")?)?.as_array()?.is_empty())),
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
            "<" | "<=" | ">" | ">=" => {
                let (left, right) = sides()?;
                let (left, right) = (self.value(left)?.as_i64()?, self.value(right)?.as_i64()?);
                let holds = match name.as_str() {
                    "<" => left < right,
                    "<=" => left <= right,
                    ">" => left > right,
                    _ => left >= right,
                };
                Some(Value::Bool(holds))
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
            "containsAny" => {
                let (left, right) = sides()?;
                let (left, right) = (self.value(left)?, self.value(right)?);
                let (left, right) = (left.as_array()?, right.as_array()?);
                Some(Value::Bool(right.iter().any(|member| left.contains(member))))
            }
            _ => None,
        }
    }

    fn attribute(&self, path: &Value) -> Option<&Value> {
        let name = path.get("attr")?.as_str()?;
        let left = path.get("left")?;
        let of = match left.get("Var").and_then(Value::as_str) {
            Some("principal") => &self.principal,
            Some("resource") => &self.resource,
            Some("context") => &self.context,
            Some(_) => return None,
            None => self.attribute(left.get(".")?)?,
        };
        of.get(name)
    }
}

/// Nothing steers a tool of which nobody said what does.
fn context(tool: &Tool, facts: Value) -> Value {
    if tool.steering.is_empty() { json!({"tool": facts, "steered": []}) } else { json!({"tool": facts}) }
}
