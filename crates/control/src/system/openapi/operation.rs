//! One operation: its name, its request, its arguments, its pin.

use super::references::Document;
use provost_declare::{Hints, ImportedTool, limits::TOOL_DESCRIPTION_CHARS_MAX, propose_effects};
use provost_domain::{
    Digest, Effect, Name, RequestRule, Tool, ToolName,
    request::{BODY, BODY_DIGEST, BODY_SIZE, BodyForm, Method},
    tool::{ArgShape, ArgType},
};
use provost_policy::{args_in, shape_in};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be read.
pub(super) struct Wanted<'a> {
    pub(super) system: &'a Name,
    pub(super) document: Document<'a>,
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// The path's own entry, for what its operations share.
    pub(super) item: &'a Value,
    pub(super) operation: &'a Value,
}

/// What was read.
pub(super) struct Read {
    pub(super) tool: ImportedTool,
    pub(super) notes: Vec<String>,
}

/// The arguments in the path and in the query.
#[derive(Default)]
struct Parameters {
    path: BTreeMap<String, ArgType>,
    query: BTreeMap<String, ArgType>,
}

impl Wanted<'_> {
    /// # Errors
    /// Why the operation cannot be asked for in exactly one way.
    pub(super) fn read(&self) -> Result<Read, String> {
        if self.operation.get("servers").is_some() || self.item.get("servers").is_some() {
            return Err(
                "it is served at another address than the rest; make it a system of its own".to_owned()
            );
        }
        let mut notes = Vec::new();
        let Parameters { path, query } = self.parameters(&mut notes)?;
        let (body, in_body) = self.body(&path, &query, &mut notes)?;
        let names: Vec<&str> = query.keys().map(String::as_str).collect();
        let behind = if names.is_empty() { String::new() } else { format!("?{}", names.join("&")) };
        let line = format!("{} {}{behind}", self.method.as_str(), self.path);
        let line = line.parse().map_err(|error: provost_domain::request::RequestError| error.to_string())?;
        let rule = RequestRule { line, body };
        let args: BTreeMap<String, ArgType> = path.into_iter().chain(query).chain(in_body).collect();
        if let Some(name) = rule.line.params().find(|name| !args.contains_key(*name)) {
            return Err(format!("nothing is said about `{name}` in its path"));
        }
        let name = self.name().ok_or("it has no name that a tool can have")?;
        let tool = Tool {
            system: self.system.clone(),
            name,
            description: self.description(),
            pin: self.pin()?,
            effects: BTreeSet::new(),
            args,
            returns: Vec::new(),
            sends_out: false,
            steering: Default::default(),
            request: Some(rule),
        };
        Ok(Read { tool: self.classified(tool), notes })
    }

    /// What `GET` and `HEAD` promise is believed, with a word where the name says more. All else is for a person.
    fn classified(&self, mut tool: Tool) -> ImportedTool {
        let args: Vec<&str> = tool.args.keys().map(String::as_str).collect();
        let said = propose_effects(tool.name.as_str(), &args, &tool.description, Hints::default());
        let why = match self.method.is_safe() {
            true => {
                tool.effects = [Effect::Read].into();
                let promise = format!("{} promises to change nothing", self.method.as_str());
                if said.effects.is_empty() { promise } else { format!("{promise}, but look: {}", said.why) }
            }
            false => format!(
                "{} changes something, and only a person knows what; {}",
                self.method.as_str(),
                said.why
            ),
        };
        ImportedTool { tool, hints: Hints::default(), why }
    }

    fn parameters(&self, notes: &mut Vec<String>) -> Result<Parameters, String> {
        let mut found: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
        for list in [self.item, self.operation].map(|of| of.get("parameters")).into_iter().flatten() {
            for parameter in list.as_array().into_iter().flatten() {
                let parameter =
                    self.document.follow(parameter).ok_or("a parameter of it stands in another document")?;
                let text = |key: &str| parameter.get(key).and_then(Value::as_str);
                let (place, name) =
                    text("in").zip(text("name")).ok_or("a parameter of it has no name or place")?;
                found.insert((place, name), parameter);
            }
        }
        let mut parameters = Parameters::default();
        for ((place, name), parameter) in found {
            let required = parameter.get("required") == Some(&Value::Bool(true));
            let shape = self.shape(place, parameter);
            match (place, shape) {
                ("path", Some(shape)) if is_scalar(&shape) => {
                    parameters.path.insert(name.to_owned(), ArgType { shape, required: true });
                }
                ("query", Some(shape)) if is_scalar(&shape) || matches!(shape, ArgShape::Set { .. }) => {
                    parameters.query.insert(name.to_owned(), ArgType { shape, required });
                }
                ("header", _) if SAID_ELSEWHERE.iter().any(|known| name.eq_ignore_ascii_case(known)) => {}
                ("path", _) => return Err(format!("`{name}` in its path is no single value")),
                (_, _) if required => {
                    return Err(format!("it needs `{name}` in the {place}, which cannot be decided on"));
                }
                (_, _) => notes
                    .push(format!("`{name}` in the {place} cannot be sent: it is no value policies can see")),
            }
        }
        if let Some(name) = parameters.path.keys().find(|name| parameters.query.contains_key(*name)) {
            return Err(format!("`{name}` stands in its path and in its query"));
        }
        Ok(parameters)
    }

    /// The shape of a parameter that is written as plain text, or as a name given several times.
    fn shape(&self, place: &str, parameter: &Value) -> Option<ArgShape> {
        let style = parameter.get("style").and_then(Value::as_str);
        let plain = match place {
            "path" => matches!(style, None | Some("simple")),
            "query" => matches!(style, None | Some("form")),
            _ => false,
        };
        let shape =
            plain.then(|| shape_in(self.document.0, parameter.get("schema").unwrap_or(&Value::Null)))?;
        match (&shape, parameter.get("explode")) {
            // A list in one text: `a,b`.
            (ArgShape::Set { .. }, Some(Value::Bool(false))) => Some(ArgShape::String),
            // What has no narrower type is still one text, as long as it is no structure.
            (ArgShape::Json, _) if is_textual(self.document, parameter.get("schema")) => {
                Some(ArgShape::String)
            }
            _ => Some(shape),
        }
    }

    /// What the body is to policies, and the arguments in it.
    fn body(
        &self,
        path: &BTreeMap<String, ArgType>,
        query: &BTreeMap<String, ArgType>,
        notes: &mut Vec<String>,
    ) -> Result<(BodyForm, BTreeMap<String, ArgType>), String> {
        let Some(body) = self.operation.get("requestBody") else {
            return Ok((BodyForm::Members, BTreeMap::new()));
        };
        let body = self.document.follow(body).ok_or("its body stands in another document")?;
        let required = body.get("required") == Some(&Value::Bool(true));
        if !self.method.has_body() {
            notes.push(format!("a {} has no body here", self.method.as_str()));
            return if required {
                Err("it wants a body where none may be".to_owned())
            } else {
                Ok(Default::default())
            };
        }
        let taken = |name: &str| path.contains_key(name) || query.contains_key(name);
        let content = body.get("content").and_then(Value::as_object);
        let json = content.into_iter().flatten().find(|(kind, _)| is_json(kind));
        let Some((_, media)) = json else {
            if taken(BODY_DIGEST) || taken(BODY_SIZE) {
                return Err("its arguments have the names that stand for its body".to_owned());
            }
            let kinds: Vec<&str> =
                content.into_iter().flatten().map(|(kind, _)| kind.as_str()).take(4).collect();
            notes.push(format!(
                "its body ({}) is opaque: policies see only its digest and size",
                kinds.join(", ")
            ));
            let arg = |shape| ArgType { shape, required: true };
            let args = [(BODY_DIGEST, ArgShape::String), (BODY_SIZE, ArgShape::Long)];
            return Ok((BodyForm::Opaque, args.map(|(name, shape)| (name.to_owned(), arg(shape))).into()));
        };
        let schema = media.get("schema").unwrap_or(&Value::Null);
        let members = args_in(self.document.0, schema).unwrap_or_default();
        if !members.is_empty() && !members.keys().any(|name| taken(name)) {
            let kept = members.into_iter().filter(|(name, _)| !self.is_read_only(schema, name));
            let args = kept.map(|(name, arg)| (name, ArgType { required: arg.required && required, ..arg }));
            return Ok((BodyForm::Members, args.collect()));
        }
        if taken(BODY) {
            return Err(format!("`{BODY}` is the name of an argument, and of its body"));
        }
        let shape = shape_in(self.document.0, schema);
        Ok((BodyForm::Json, BTreeMap::from([(BODY.to_owned(), ArgType { shape, required })])))
    }

    /// What only answers have (OpenAPI 3.0.3 and JSON Schema: `readOnly`).
    fn is_read_only(&self, schema: &Value, name: &str) -> bool {
        let schema = self.document.follow(schema);
        let member =
            schema.and_then(|schema| schema.get("properties")).and_then(|properties| properties.get(name));
        let member = member.and_then(|member| self.document.follow(member));
        member.is_some_and(|member| member.get("readOnly") == Some(&Value::Bool(true)))
    }

    fn name(&self) -> Option<ToolName> {
        let given = self.operation.get("operationId").and_then(Value::as_str).map(plain);
        given.and_then(|name| name.parse().ok()).or_else(|| derived_name(self.method, self.path))
    }

    fn description(&self) -> String {
        let text =
            |key: &str| self.operation.get(key).and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let (summary, description) = (text("summary"), text("description"));
        let whole = match (summary, description) {
            ("", only) | (only, "") => only.to_owned(),
            (summary, description) => format!("{summary}\n\n{description}"),
        };
        whole.chars().take(TOOL_DESCRIPTION_CHARS_MAX).collect()
    }

    /// The digest of the whole definition: the operation, what its path shares, and every schema they lead to.
    fn pin(&self) -> Result<Digest, String> {
        let shared = self.item.get("parameters").unwrap_or(&Value::Null);
        let refers = self.document.reachable(&[self.operation, shared]);
        let definition = json!({
            "method": self.method.as_str(), "path": self.path, "operation": self.operation, "parameters": shared,
            "refers": refers,
        });
        Digest::of_json(&definition).map_err(|error| format!("its definition has no canonical form: {error}"))
    }
}

/// `get-orders-id` for `GET /orders/{id}`.
pub(super) fn derived_name(method: Method, path: &str) -> Option<ToolName> {
    let parts =
        path.split('/').filter(|part| !part.is_empty()).map(|part| plain(part.trim_matches(['{', '}'])));
    let name =
        std::iter::once(method.as_str().to_ascii_lowercase()).chain(parts).collect::<Vec<_>>().join("-");
    name.parse().ok()
}

fn plain(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

fn is_scalar(shape: &ArgShape) -> bool {
    matches!(shape, ArgShape::String | ArgShape::Long | ArgShape::Decimal | ArgShape::Bool)
}

/// Whether every value of a schema without a single type is written as one text: unions of scalars, nothing said.
fn is_textual(document: Document<'_>, schema: Option<&Value>) -> bool {
    let Some(schema) = schema.and_then(|schema| document.follow(schema)) else { return schema.is_none() };
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return schema.get("enum").is_some(),
    };
    types.iter().all(|kind| !matches!(*kind, "object" | "array"))
}

fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Header parameters that OpenAPI itself says to ignore (3.1.1, Parameter Object).
const SAID_ELSEWHERE: [&str; 3] = ["Accept", "Content-Type", "Authorization"];
