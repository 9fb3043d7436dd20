//! `request = "GET /orders/{id}?status"`: which request an operation of an HTTP API is, and where its arguments stand.

use crate::{
    desk::Desk,
    table::{Item, Table, clip},
};
use provost_domain::{
    Digest, Name, RequestLine, RequestRule, ToolName,
    request::{ArgPlace, BODY, BODY_DIGEST, BODY_SIZE, BodyForm, Segment},
    system::Connection,
    tool::{ArgShape, ArgType},
};
use std::{collections::BTreeMap, ops::Range};

/// The requests of one system so far: no two may be meant by the same request.
#[derive(Default)]
pub(crate) struct Requests(BTreeMap<String, ToolName>);

/// `request` and `body` of a tool, as they were read.
pub(crate) struct Asked {
    pub(crate) rule: Option<RequestRule>,
    /// A fault was told: the tool is not to be taken.
    pub(crate) broken: bool,
    at: Range<usize>,
}

/// Reads `request` and `body`, and checks that they belong to this kind of system. `connection` is absent when the
/// system itself has faults.
pub(crate) fn read(
    table: &mut Table<'_>,
    connection: Option<&Connection>,
    header_at: &Range<usize>,
    desk: &mut Desk<'_>,
) -> Asked {
    let (request, form) = (table.get("request"), table.get("body"));
    let at = request.as_ref().map_or_else(|| header_at.clone(), |item| item.at.clone());
    let is_api = connection.map(|connection| matches!(connection, Connection::HttpApi { .. }));
    match (&request, is_api) {
        (None, Some(true)) => {
            desk.missing(&at, format!("{} has no `request`", table.what), REQUEST_CURE);
            return Asked { rule: None, broken: true, at };
        }
        (Some(item), Some(false)) => {
            let message = "`request` has no meaning for a system that is not an HTTP API";
            desk.error(&item.at, message, "take it out, or say `api = \"https://…\"` in [system]");
            return Asked { rule: None, broken: true, at };
        }
        _ => {}
    }
    let Some(item) = request else {
        if let Some(item) = form {
            desk.error(&item.at, "`body` has no meaning without `request`", REQUEST_CURE);
            return Asked { rule: None, broken: true, at };
        }
        return Asked { rule: None, broken: false, at };
    };
    desk.mark("request", &item.at);
    let line: Option<RequestLine> = item.parsed(desk, REQUEST_CURE);
    let words = [BodyForm::Members, BodyForm::Json, BodyForm::Opaque].map(|form| (form.as_str(), form));
    let body = match &form {
        None => Some(BodyForm::Members),
        Some(item) => item.word(desk, &words),
    };
    let rule = line.zip(body).map(|(line, body)| RequestRule { line, body });
    let empty = rule.as_ref().filter(|rule| rule.body != BodyForm::Members && !rule.line.method.has_body());
    if let (Some(rule), Some(item)) = (empty, &form) {
        let message = format!("a {} has no body", rule.line.method.as_str());
        desk.error(&item.at, message, "take `body` out");
        return Asked { rule: None, broken: true, at };
    }
    Asked { broken: rule.is_none(), rule, at }
}

impl Asked {
    /// Checks that each argument has a place and each place an argument, and gives an opaque body its two arguments.
    /// `false` when there was a fault.
    pub(crate) fn settle(
        &self,
        args: &mut BTreeMap<String, ArgType>,
        args_item: Option<&Item<'_>>,
        desk: &mut Desk<'_>,
    ) -> bool {
        let Some(rule) = &self.rule else { return !self.broken };
        let args_at = args_item.map_or_else(|| self.at.clone(), |item| item.at.clone());
        let mut whole = true;
        let mut fault = |at: &Range<usize>, message: String, cure: &str| {
            desk.error(at, message, cure);
            whole = false;
        };
        for name in rule.line.params() {
            match args.get(name) {
                None => fault(&self.at, format!("`{}` in the path is no argument", clip(name)), ARGS_CURE),
                Some(arg) if !arg.required => {
                    fault(
                        &args_at,
                        format!("`{}` stands in the path and may be left out", clip(name)),
                        "take the `?` off its type",
                    );
                }
                Some(arg) if !is_scalar(&arg.shape) => {
                    fault(
                        &args_at,
                        format!("`{}` stands in the path and is no single value", clip(name)),
                        SCALARS,
                    );
                }
                Some(_) => {}
            }
        }
        for name in &rule.line.query {
            match args.get(name).map(|arg| &arg.shape) {
                None => fault(&self.at, format!("`{}` in the query is no argument", clip(name)), ARGS_CURE),
                Some(ArgShape::Set { of }) if is_scalar(of) => {}
                Some(shape) if is_scalar(shape) => {}
                Some(_) => fault(
                    &args_at,
                    format!("`{}` stands in the query and is no value or list of values", clip(name)),
                    SCALARS,
                ),
            }
        }
        let in_body = args.keys().filter(|name| rule.place(name) == ArgPlace::Body);
        for name in in_body {
            let placed = rule.line.method.has_body()
                && (rule.body == BodyForm::Members || (rule.body == BodyForm::Json && name == BODY));
            if !placed {
                let message = format!("the argument `{}` has no place in the request", clip(name));
                fault(&args_at, message, "name it in the path or behind `?` in `request`, or take it out");
            }
        }
        if rule.body == BodyForm::Json && !args.contains_key(BODY) {
            fault(
                &args_at,
                format!("`body = \"json\"` makes the body one argument, and there is no `{BODY}` in `args`"),
                "write args = { body = \"json\" }",
            );
        }
        if rule.body == BodyForm::Opaque && whole {
            args.insert(BODY_DIGEST.to_owned(), ArgType { shape: ArgShape::String, required: true });
            args.insert(BODY_SIZE.to_owned(), ArgType { shape: ArgShape::Long, required: true });
        }
        whole
    }

    /// A fault when another tool of the system is meant by the same requests.
    pub(crate) fn alone(&self, requests: &mut Requests, tool: &ToolName, desk: &mut Desk<'_>) -> bool {
        let Some(rule) = &self.rule else { return true };
        match requests.0.insert(shape(&rule.line), tool.clone()) {
            None => true,
            Some(other) => {
                let message =
                    format!("the same requests are {} and {}", clip(tool.as_str()), clip(other.as_str()));
                desk.error(&self.at, message, "keep one: nobody could say which of the two is meant");
                false
            }
        }
    }

    /// The pin of a rule that a person wrote: the rule is the definition.
    pub(crate) fn pin(&self, system: &Name, args: &BTreeMap<String, ArgType>) -> Option<Digest> {
        let rule = self.rule.as_ref()?;
        Digest::of_json(&(system, rule, args)).ok()
    }
}

/// Equal for lines that the same requests fit, and of which none goes before the other.
fn shape(line: &RequestLine) -> String {
    let parts = line.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Param(_) => "/{}".to_owned(),
    });
    format!(
        "{} {}{}",
        line.method.as_str(),
        parts.collect::<String>(),
        if line.ends_in_slash { "/" } else { "" }
    )
}

fn is_scalar(shape: &ArgShape) -> bool {
    matches!(shape, ArgShape::String | ArgShape::Long | ArgShape::Decimal | ArgShape::Bool)
}

const REQUEST_CURE: &str =
    "write request = \"GET /orders/{id}?status\": method, path, and the names in the query";
const ARGS_CURE: &str = "give it a type in `args`: args = { id = \"string\" }";
const SCALARS: &str = "use string, long, decimal or bool; in a query also a set<…> of them, which is a name given several times";
