//! A rule on one argument becomes a Cedar expression that holds when the rule is met, or a fault that says why it
//! cannot be said.

use crate::{CharterFault, est};
use provost_domain::{
    Decimal, Tool,
    charter::{ArgRule, Scalar},
    tool::{ArgShape, ArgType},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A compiled rule.
pub(crate) struct Rule {
    /// Holds when the call keeps to the rule.
    pub(crate) satisfied: Value,
    /// `` `amount` must be at most 500.0 ``.
    pub(crate) reason: String,
    /// `` lower `amount` to at most 500.0 ``.
    pub(crate) cure: String,
}

/// Compiles a rule; `None` when every call that has the right types keeps to it.
pub(crate) fn compile(arg: &str, rule: &ArgRule, tool: &Tool) -> Result<Option<Rule>, Vec<CharterFault>> {
    let target = resolve(arg, tool).map_err(|fault| vec![fault])?;
    if rule.absent {
        return absent(arg, rule, &target).map(Some).map_err(|fault| vec![fault]);
    }
    let mut parts = Parts::default();
    parts.values(rule, &target);
    parts.patterns(rule, &target);
    parts.bounds(arg, rule, &target);
    if !parts.faults.is_empty() {
        return Err(parts.faults);
    }
    let presence = target.presence();
    if parts.tests.is_empty() && (rule.optional || presence.is_none()) {
        return Ok(None);
    }
    let values_hold = est::all(parts.tests);
    let satisfied = match (presence, rule.optional) {
        (None, _) => values_hold,
        (Some(there), true) => est::when_then(there, values_hold, est::lit(true)),
        (Some(there), false) => est::op("&&", there, values_hold),
    };
    let words = if parts.words.is_empty() { "be given".to_owned() } else { parts.words.join(" and ") };
    let cure = parts.cure.unwrap_or_else(|| format!("make `{arg}` {words}"));
    Ok(Some(Rule { satisfied, reason: format!("`{arg}` must {words}"), cure }))
}

/// That a budget can sum this argument.
pub(crate) fn number(arg: &str, tool: &Tool) -> Result<(), CharterFault> {
    match resolve(arg, tool)?.shape {
        ArgShape::Long | ArgShape::Decimal => Ok(()),
        other => {
            Err(fault("", format!("`{arg}` of {} is {}, not a number", tool.path(), word(other)), SUM_HELP))
        }
    }
}

impl CharterFault {
    /// The same fault, seen from further up.
    pub(crate) fn below(mut self, path: &str) -> Self {
        self.path = if self.path.is_empty() { path.to_owned() } else { format!("{path}.{}", self.path) };
        self
    }
}

/// An argument, found by its dotted path.
struct Target<'a> {
    /// Name and whether calls always have it.
    steps: Vec<(&'a str, bool)>,
    shape: &'a ArgShape,
}

impl Target<'_> {
    fn value(&self) -> Value {
        self.steps.iter().fold(est::context("args"), |left, (name, _)| est::attr(left, name))
    }

    /// Holds when the call has the argument; `None` when every call has.
    fn presence(&self) -> Option<Value> {
        let mut left = est::context("args");
        let mut tests = Vec::new();
        for (name, required) in &self.steps {
            if !required {
                tests.push(est::has(left.clone(), name));
            }
            left = est::attr(left, name);
        }
        (!tests.is_empty()).then(|| est::all(tests))
    }
}

/// A member's own name may hold dots, so every way to cut the path is tried; two ways that fit are a fault.
fn resolve<'a>(arg: &'a str, tool: &'a Tool) -> Result<Target<'a>, CharterFault> {
    let mut found = Vec::new();
    walk(arg, &tool.args, &mut Vec::new(), &mut found);
    match (found.pop(), found.is_empty()) {
        (Some(target), true) => Ok(target),
        (Some(_), false) => Err(fault(
            "",
            format!("`{arg}` of {} can be read in two ways", tool.path()),
            "rename one of the members",
        )),
        (None, _) => {
            let help = crate::charter::did_you_mean(
                arg,
                tool.args.keys().map(String::as_str),
                "policies see only the arguments that the tool's row declares",
            );
            Err(fault("", format!("{} has no argument `{arg}`", tool.path()), help))
        }
    }
}

fn walk<'a>(
    path: &'a str,
    members: &'a BTreeMap<String, ArgType>,
    steps: &mut Vec<(&'a str, bool)>,
    found: &mut Vec<Target<'a>>,
) {
    if steps.len() > PATH_STEPS_MAX {
        return;
    }
    for (name, arg) in members {
        let Some(rest) = path.strip_prefix(name.as_str()) else { continue };
        steps.push((name, arg.required));
        if rest.is_empty() {
            found.push(Target { steps: steps.clone(), shape: &arg.shape });
        } else if let (Some(rest), ArgShape::Record { members }) = (rest.strip_prefix('.'), &arg.shape) {
            walk(rest, members, steps, found);
        }
        steps.pop();
    }
}

fn absent(arg: &str, rule: &ArgRule, target: &Target<'_>) -> Result<Rule, CharterFault> {
    let plain = ArgRule { absent: true, ..ArgRule::default() };
    if *rule != plain && *rule != (ArgRule { optional: true, ..plain }) {
        return Err(fault(
            "absent",
            format!("`{arg}` is to be left out, and there are limits on its value"),
            "keep `absent`, or the limits",
        ));
    }
    let Some(there) = target.presence() else {
        return Err(fault(
            "absent",
            format!("the tool needs `{arg}`, so no call could leave it out"),
            "remove the tool from the grant, or limit the argument's value",
        ));
    };
    let (reason, cure) = (format!("`{arg}` must be left out"), format!("leave `{arg}` out"));
    Ok(Rule { satisfied: est::not(there), reason, cure })
}

#[derive(Default)]
struct Parts {
    tests: Vec<Value>,
    words: Vec<String>,
    cure: Option<String>,
    faults: Vec<CharterFault>,
}

impl Parts {
    fn values(&mut self, rule: &ArgRule, target: &Target<'_>) {
        let listed = |values: &[Scalar]| -> Vec<String> { values.iter().map(scalar_text).collect() };
        if !rule.one_of.is_empty()
            && let Some(allowed) = self.set("one_of", &rule.one_of, target.shape)
        {
            let name = if is_set(target.shape) { "containsAll" } else { "contains" };
            self.tests.push(est::op(name, allowed, target.value()));
            let each = if is_set(target.shape) { "hold only" } else { "be one of" };
            self.words.push(format!("{each} {}", clip(&listed(&rule.one_of))));
        }
        if !rule.none_of.is_empty()
            && let Some(refused) = self.set("none_of", &rule.none_of, target.shape)
        {
            let name = if is_set(target.shape) { "containsAny" } else { "contains" };
            self.tests.push(est::not(est::op(name, refused, target.value())));
            let each = if is_set(target.shape) { "hold none of" } else { "be none of" };
            self.words.push(format!("{each} {}", clip(&listed(&rule.none_of))));
        }
    }

    /// The listed values as a Cedar set of the argument's type.
    fn set(&mut self, part: &str, values: &[Scalar], shape: &ArgShape) -> Option<Value> {
        let of = if let ArgShape::Set { of } = shape { of.as_ref() } else { shape };
        if matches!(of, ArgShape::Record { .. } | ArgShape::Set { .. }) {
            let help = "limit the members of the object one by one";
            self.faults.push(fault(part, format!("{} cannot be listed", word(of)), help));
            return None;
        }
        let typed: Result<Vec<Value>, CharterFault> =
            values.iter().map(|value| typed(part, value, of)).collect();
        typed.map_err(|fault| self.faults.push(fault)).ok().map(est::set)
    }

    fn patterns(&mut self, rule: &ArgRule, target: &Target<'_>) {
        for (part, pattern, is_like) in [("like", &rule.like, true), ("not_like", &rule.not_like, false)] {
            let Some(pattern) = pattern else { continue };
            if !matches!(target.shape, ArgShape::String | ArgShape::Json) {
                let message = format!("a pattern is for text, and this is {}", word(target.shape));
                self.faults.push(fault(part, message, "use one_of, min or max"));
                continue;
            }
            let test = est::like(target.value(), pattern);
            self.tests.push(if is_like { test } else { est::not(test) });
            self.words.push(format!("{} {pattern:?}", if is_like { "match" } else { "not match" }));
            if is_like && pattern.contains('/') {
                self.stays_below(target);
            }
        }
    }

    /// A pattern with a slash means a place, and `/srv/docs/../../etc/passwd` is another place although it matches: a
    /// value that climbs, plainly or percent-encoded, does not keep to such a rule.
    fn stays_below(&mut self, target: &Target<'_>) {
        self.tests.extend(CLIMBS.map(|climb| est::not(est::like(target.value(), climb))));
        self.words.push("not climb with `..`".to_owned());
    }

    fn bounds(&mut self, arg: &str, rule: &ArgRule, target: &Target<'_>) {
        if let (Some(min), Some(max)) = (rule.min, rule.max)
            && min > max
        {
            let message = format!("{min} is more than {max}, so no value fits");
            self.faults.push(fault("min", message, "make `min` at most `max`"));
            return;
        }
        for (part, bound, long, decimal) in
            [("min", rule.min, ">=", "greaterThanOrEqual"), ("max", rule.max, "<=", "lessThanOrEqual")]
        {
            let Some(bound) = bound else { continue };
            let test = match target.shape {
                ArgShape::Decimal => Ok(est::method(decimal, target.value(), est::decimal(bound))),
                ArgShape::Long => whole(part, bound).map(|n| est::op(long, target.value(), est::lit(n))),
                other => {
                    let message = format!("a bound is for numbers, and this is {}", word(other));
                    Err(fault(part, message, "use one_of or like"))
                }
            };
            match test {
                Ok(test) => self.tests.push(test),
                Err(fault) => self.faults.push(fault),
            }
        }
        let shown = |bound: Decimal| match target.shape {
            ArgShape::Long => (bound.units() / UNITS).to_string(),
            _ => bound.to_string(),
        };
        let (words, cure) = match (rule.min.map(shown), rule.max.map(shown)) {
            (None, None) => return,
            (Some(min), None) => (format!("be at least {min}"), format!("raise `{arg}` to at least {min}")),
            (None, Some(max)) => (format!("be at most {max}"), format!("lower `{arg}` to at most {max}")),
            (Some(min), Some(max)) => {
                (format!("be from {min} to {max}"), format!("bring `{arg}` between {min} and {max}"))
            }
        };
        if self.words.is_empty() {
            self.cure = Some(cure);
        }
        self.words.push(words);
    }
}

fn typed(part: &str, value: &Scalar, shape: &ArgShape) -> Result<Value, CharterFault> {
    match (shape, value) {
        (ArgShape::Bool, Scalar::Bool(bool)) => Ok(est::lit(*bool)),
        (ArgShape::Long, Scalar::Long(long)) => Ok(est::lit(*long)),
        (ArgShape::String | ArgShape::Json, Scalar::Text(text)) => Ok(est::lit(text.as_str())),
        (ArgShape::Decimal, Scalar::Long(long)) => long
            .checked_mul(UNITS)
            .map(|units| est::decimal(Decimal::from_units(units)))
            .ok_or_else(|| fault(part, format!("{long} is too large for a decimal"), "use a smaller number")),
        (ArgShape::Decimal, Scalar::Text(text)) => {
            text.parse().map(est::decimal).map_err(|error: provost_domain::decimal::DecimalError| {
                fault(part, error.to_string(), "write it as in \"12.50\"")
            })
        }
        _ => {
            let message = format!("{} is not {}", scalar_text(value), word(shape));
            Err(fault(part, message, "list values of the argument's own type"))
        }
    }
}

fn whole(part: &str, bound: Decimal) -> Result<i64, CharterFault> {
    if bound.units() % UNITS == 0 {
        return Ok(bound.units() / UNITS);
    }
    Err(fault(
        part,
        format!("{bound} is a fraction, and the argument is a whole number"),
        "use a whole number",
    ))
}

fn is_set(shape: &ArgShape) -> bool {
    matches!(shape, ArgShape::Set { .. })
}

/// A shape, in words.
pub(crate) fn word(shape: &ArgShape) -> &'static str {
    match shape {
        ArgShape::String => "text",
        ArgShape::Long => "a whole number",
        ArgShape::Decimal => "a decimal",
        ArgShape::Bool => "true or false",
        ArgShape::Set { .. } => "a list",
        ArgShape::Record { .. } => "an object",
        ArgShape::Json => "JSON text",
    }
}

fn scalar_text(value: &Scalar) -> String {
    match value {
        Scalar::Bool(bool) => bool.to_string(),
        Scalar::Long(long) => long.to_string(),
        Scalar::Text(text) => format!("{text:?}"),
    }
}

fn clip(values: &[String]) -> String {
    let shown = values.iter().take(VALUES_SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match values.len().checked_sub(VALUES_SHOWN_MAX) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

fn fault(part: &str, message: impl Into<String>, help: impl Into<String>) -> CharterFault {
    CharterFault { path: part.to_owned(), message: message.into(), help: Some(help.into()) }
}

/// How a path or URL climbs: a segment that starts with two dots, behind either slash, or an encoded dot anywhere.
const CLIMBS: [&str; 4] = ["*/..*", r"*\..*", "*%2e*", "*%2E*"];
const PATH_STEPS_MAX: usize = 16;
const UNITS: i64 = 10_000;
const VALUES_SHOWN_MAX: usize = 6;
const SUM_HELP: &str = "sum a whole number or a decimal, or count calls with `count_max`";
