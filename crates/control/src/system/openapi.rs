//! An OpenAPI document (3.0 to 3.2) as the operations of a system. It is read as data, without following anything that
//! leads outside of it; what cannot be asked for in exactly one way is left out, with the reason.

mod operation;
mod references;

use crate::ControlError;
use provost_api::system::UnusableTool;
use provost_declare::ImportedTool;
use provost_domain::{Directory, Name, RequestLine, ToolName, request::Method};
use provost_mcp::{Limits, strict};
use references::Document;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a document describes.
#[derive(Debug)]
pub(super) struct Api {
    /// Where it says it is, if it says so in full.
    pub(super) url: Option<String>,
    /// Its title.
    pub(super) title: Option<String>,
    /// In order of their names.
    pub(super) tools: Vec<ImportedTool>,
    pub(super) unusable: Vec<UnusableTool>,
    pub(super) notes: Vec<String>,
}

/// Reads a document. What a person had decided about an operation of the same name stays.
///
/// # Errors
/// When it is no OpenAPI document of a version we read, or has more operations than a system may.
pub(super) fn read(
    text: &str,
    system: &Name,
    reviewed: &Directory,
    tools_max: usize,
) -> Result<Api, ControlError> {
    let limits = Limits {
        message_bytes_max: DOCUMENT_BYTES_MAX,
        depth_max: 120,
        values_max: DOCUMENT_VALUES_MAX,
        members_max: DOCUMENT_VALUES_MAX,
        ..Limits::default()
    };
    let root = strict::parse(text.as_bytes(), &limits).map_err(|error| {
        ControlError::caller("the OpenAPI document cannot be read").because(error.to_string())
    })?;
    let version = root.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.") {
        let what = "this is no OpenAPI 3 document";
        return Err(ControlError::caller(what).because("it does not say `openapi: 3.…`").cure(
            "convert it (Swagger 2 has converters), or write the operations by hand: request = \"GET /…\"",
        ));
    }
    let document = Document(&root);
    let mut draft =
        Draft { system, reviewed, tools: BTreeMap::new(), unusable: Vec::new(), notes: Vec::new() };
    // In order of their names, so that the same document always gives the same file.
    let paths: BTreeMap<&String, &Value> =
        root.get("paths").and_then(Value::as_object).into_iter().flatten().collect();
    for (path, item) in paths.into_iter().filter(|(path, _)| path.starts_with('/')) {
        let Some(item) = document.follow(item) else {
            draft.leave_out(path, "it stands in another document");
            continue;
        };
        for method in Method::ALL {
            if let Some(operation) = item.get(method.as_str().to_ascii_lowercase()) {
                draft.add(document, method, path, item, operation);
            }
        }
        for word in ["options", "trace", "query"].iter().filter(|word| item.get(**word).is_some()) {
            draft.leave_out(
                &format!("{} {path}", word.to_ascii_uppercase()),
                "no operation has this method here",
            );
        }
    }
    let found = draft.tools.len();
    if found > tools_max {
        return Err(ControlError::refused(format!("the document has {found} operations"))
            .because(format!("the limit `tools_per_system_max` is {tools_max}"))
            .cure("take out what agents do not need, or raise the limit in the configuration"));
    }
    let server = root.pointer("/servers/0/url").and_then(Value::as_str);
    let url = server.filter(|url| url.starts_with("http") && !url.contains(['{', '?', '#']));
    Ok(Api {
        url: url.map(str::to_owned),
        title: root
            .pointer("/info/title")
            .and_then(Value::as_str)
            .map(|title| title.chars().take(200).collect()),
        tools: draft.tools.into_values().collect(),
        unusable: draft.unusable,
        notes: draft.notes,
    })
}

/// The operations so far.
struct Draft<'a> {
    system: &'a Name,
    reviewed: &'a Directory,
    tools: BTreeMap<ToolName, ImportedTool>,
    unusable: Vec<UnusableTool>,
    notes: Vec<String>,
}

impl Draft<'_> {
    fn add(&mut self, document: Document<'_>, method: Method, path: &str, item: &Value, operation: &Value) {
        let label = format!("{} {path}", method.as_str());
        let wanted = operation::Wanted { system: self.system, document, method, path, item, operation };
        let read = match wanted.read() {
            Ok(read) => read,
            Err(why) => return self.leave_out(&label, why),
        };
        let mut tool = read.tool;
        if self.tools.contains_key(&tool.tool.name) {
            match operation::derived_name(method, path) {
                Some(name) if !self.tools.contains_key(&name) => tool.tool.name = name,
                _ => return self.leave_out(&label, "its name is another operation's too"),
            }
        }
        let line = tool.tool.request.as_ref().map(|rule| &rule.line);
        if line.is_some_and(|line| self.lines().any(|other| other.collides(line))) {
            return self.leave_out(&label, "another operation is asked for in the same way");
        }
        if let Some(known) = self.reviewed.tools.get(&(self.system.clone(), tool.tool.name.clone())) {
            tool.tool.effects.clone_from(&known.effects);
            tool.tool.returns.clone_from(&known.returns);
            tool.tool.sends_out = known.sends_out;
            tool.tool.steering.clone_from(&known.steering);
            tool.why = match known.pin == tool.tool.pin {
                true => "as reviewed before".to_owned(),
                false => "as reviewed before, but its definition is another one now".to_owned(),
            };
        }
        self.notes.extend(read.notes.into_iter().map(|note| format!("{}: {note}", tool.tool.name)));
        self.tools.insert(tool.tool.name.clone(), tool);
    }

    fn lines(&self) -> impl Iterator<Item = &RequestLine> {
        self.tools.values().filter_map(|tool| tool.tool.request.as_ref().map(|rule| &rule.line))
    }

    fn leave_out(&mut self, name: &str, why: impl Into<String>) {
        self.unusable.push(UnusableTool { name: name.chars().take(120).collect(), why: why.into() });
    }
}

const DOCUMENT_BYTES_MAX: usize = 32 << 20;
const DOCUMENT_VALUES_MAX: usize = 4_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use provost_declare::{ImportedSystem, SourceFile, render_all, write_system_file};
    use provost_domain::{
        Environment, System,
        request::BodyForm,
        system::Connection,
        tool::{ArgShape, ArgType},
    };
    use serde_json::json;

    fn shop() -> Value {
        json!({
            "openapi": "3.0.3", "info": {"title": "Shop", "version": "1"},
            "servers": [{"url": "https://shop.example/v1"}],
            "paths": {
                "/orders": {
                    "get": {"operationId": "listOrders", "summary": "Orders", "parameters": [
                        {"name": "status", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                        {"name": "page", "in": "query", "schema": {"type": "integer"}},
                        {"name": "X-Trace", "in": "header", "schema": {"type": "string"}}]},
                    "post": {"operationId": "createOrder", "requestBody": {"required": true, "content": {"application/json": {
                        "schema": {"$ref": "#/components/schemas/Order"}}}}},
                    "options": {}
                },
                "/orders/{id}": {
                    "parameters": [{"$ref": "#/components/parameters/Id"}],
                    "get": {},
                    "delete": {"operationId": "delete order!"},
                    "put": {"operationId": "replaceOrder", "requestBody": {"content": {"application/json": {
                        "schema": {"oneOf": [{"type": "object"}, {"type": "array"}]}}}}},
                    "patch": {"operationId": "patchOrder", "requestBody": {"required": true, "content": {"application/json": {
                        "schema": {"type": "object", "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}}}}}}
                },
                "/orders/{name}": {"get": {"operationId": "byName", "parameters": [{"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}]}},
                "/files/{name}.txt": {"get": {}},
                "/upload": {"post": {"operationId": "upload", "requestBody": {"content": {"multipart/form-data": {}}}}},
                "/elsewhere": {"get": {"servers": [{"url": "https://other.example"}]}},
                "/deep": {"get": {"parameters": [{"name": "f", "in": "query", "required": true, "style": "deepObject", "schema": {"type": "object"}}]}},
                "/tenant": {"get": {"parameters": [{"name": "X-Tenant", "in": "header", "required": true, "schema": {"type": "string"}}]}},
                "/outside": {"$ref": "https://other.example/paths.json"}
            },
            "components": {
                "parameters": {"Id": {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}},
                "schemas": {
                    "Order": {"type": "object", "required": ["amount", "number"], "properties": {
                        "amount": {"type": "number"}, "number": {"type": "string", "readOnly": true},
                        "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}}}},
                    "Line": {"type": "object", "properties": {"parent": {"$ref": "#/components/schemas/Order"}}}
                }
            }
        })
    }

    fn read_as(document: &Value, reviewed: &Directory) -> Api {
        read(&document.to_string(), &"shop".parse().unwrap(), reviewed, 100).unwrap()
    }

    fn tool<'a>(api: &'a Api, name: &str) -> &'a ImportedTool {
        api.tools
            .iter()
            .find(|tool| tool.tool.name.as_str() == name)
            .unwrap_or_else(|| panic!("{name} in {api:#?}"))
    }

    #[test]
    fn each_operation_becomes_a_tool_with_typed_arguments_and_what_does_not_fit_is_named() {
        let api = read_as(&shop(), &Directory::default());
        let names: Vec<&str> = api.tools.iter().map(|tool| tool.tool.name.as_str()).collect();
        let wanted = [
            "createOrder",
            "delete_order_",
            "get-orders-id",
            "listOrders",
            "patchOrder",
            "replaceOrder",
            "upload",
        ];
        assert_eq!(names, wanted, "{api:#?}");
        let line = |name: &str| tool(&api, name).tool.request.as_ref().unwrap().line.to_string();
        assert_eq!(line("listOrders"), "GET /orders?page&status");
        assert_eq!(line("get-orders-id"), "GET /orders/{id}");
        let list = &tool(&api, "listOrders").tool;
        let set = ArgType { shape: ArgShape::Set { of: Box::new(ArgShape::String) }, required: false };
        assert_eq!(list.args["status"], set);
        let create = &tool(&api, "createOrder").tool;
        assert_eq!(create.args["amount"], ArgType { shape: ArgShape::Decimal, required: true });
        assert!(!create.args.contains_key("number"), "what only answers have is no argument");
        let form = |name: &str| tool(&api, name).tool.request.as_ref().unwrap().body;
        assert_eq!(
            (form("createOrder"), form("replaceOrder"), form("upload")),
            (BodyForm::Members, BodyForm::Json, BodyForm::Opaque)
        );
        assert_eq!(form("patchOrder"), BodyForm::Json, "`id` in path and body are two things");
        let unusable: Vec<&str> = api.unusable.iter().map(|tool| tool.name.as_str()).collect();
        let mut unusable = unusable;
        unusable.sort_unstable();
        let left_out = [
            "/outside",
            "GET /deep",
            "GET /elsewhere",
            "GET /files/{name}.txt",
            "GET /orders/{name}",
            "GET /tenant",
            "OPTIONS /orders",
        ];
        assert_eq!(unusable, left_out, "{:#?}", api.unusable);
        assert!(api.notes.iter().any(|note| note.contains("X-Trace")), "{:?}", api.notes);
        assert_eq!(api.url.as_deref(), Some("https://shop.example/v1"));
    }

    #[test]
    fn only_get_and_head_are_taken_for_reading() {
        let api = read_as(&shop(), &Directory::default());
        let effects =
            |name: &str| tool(&api, name).tool.effects.iter().map(|e| e.as_str()).collect::<Vec<_>>();
        assert_eq!(effects("listOrders"), ["read"]);
        for name in ["createOrder", "delete_order_", "replaceOrder", "patchOrder", "upload"] {
            assert!(effects(name).is_empty(), "{name}: unclassified counts as every effect");
        }
    }

    #[test]
    fn a_pin_changes_with_the_operation_and_with_every_schema_it_leads_to() {
        let before = read_as(&shop(), &Directory::default());
        let mut changed = shop();
        changed["components"]["schemas"]["Line"]["properties"]["price"] = json!({"type": "number"});
        let after = read_as(&changed, &Directory::default());
        let pins = |name: &str| (tool(&before, name).tool.pin, tool(&after, name).tool.pin);
        assert_ne!(pins("createOrder").0, pins("createOrder").1);
        assert_eq!(pins("listOrders").0, pins("listOrders").1);
        let mut reviewed = Directory::default();
        let mut known = tool(&before, "createOrder").tool.clone();
        known.effects = [provost_domain::Effect::Financial].into();
        reviewed.put(provost_domain::Object::Tool(known));
        let again = read_as(&changed, &reviewed);
        let create = tool(&again, "createOrder");
        assert!(create.tool.effects.contains(&provost_domain::Effect::Financial));
        assert!(create.why.contains("another one now"), "{}", create.why);
    }

    #[test]
    fn what_is_written_reads_back_without_a_fault() {
        let api = read_as(&shop(), &Directory::default());
        let system = System {
            name: "shop".parse().unwrap(),
            description: "the shop".to_owned(),
            environment: Environment::Sandbox,
            connection: Connection::HttpApi { url: "https://shop.example/v1".to_owned() },
            credential: None,
            revocation_max: provost_domain::DurationMs(0),
            resource_labels: Default::default(),
            only_through_plane: false,
            scim: None,
        };
        let wanted: Vec<_> = api.tools.iter().map(|tool| tool.tool.name.clone()).collect();
        let text = write_system_file(&ImportedSystem { system, tools: api.tools });
        let (declared, faults) = provost_declare::read(&[SourceFile::new("systems/shop.toml", text.clone())]);
        assert!(faults.is_empty(), "{}\n{text}", render_all(&faults));
        assert_eq!(declared.tools.keys().map(|(_, name)| name.clone()).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn what_is_no_openapi_document_is_refused() {
        let twice = r#"{"openapi":"3.1.0","paths":{},"paths":{"/a":{}}}"#;
        for text in ["", "[]", "{}", r#"{"swagger":"2.0"}"#, "openapi: 3.0.0", twice] {
            assert!(read(text, &"shop".parse().unwrap(), &Directory::default(), 100).is_err(), "{text}");
        }
        assert!(read(&shop().to_string(), &"shop".parse().unwrap(), &Directory::default(), 3).is_err());
    }

    #[test]
    fn references_in_a_circle_and_paths_that_climb_end_somewhere() {
        let document = json!({
            "openapi": "3.1.0",
            "paths": {
                "/a/../b": {"get": {}}, "/a//b": {"get": {}}, "//evil.example/a": {"get": {}}, "/a;b": {"get": {}},
                "/loop": {"post": {"requestBody": {"$ref": "#/components/requestBodies/A"}}},
                "/own": {"$ref": "#/paths/~1own"},
            },
            "components": {"requestBodies": {"A": {"$ref": "#/components/requestBodies/B"}, "B": {"$ref": "#/components/requestBodies/A"}}}
        });
        let api = read_as(&document, &Directory::default());
        assert!(api.tools.is_empty(), "{api:#?}");
        assert_eq!(api.unusable.len(), 6);
    }
}
