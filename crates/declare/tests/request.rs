//! Operations of HTTP APIs, as files declare them.

use provost_declare::{Hints, ImportedSystem, ImportedTool, SourceFile, read, render_all, write_system_file};
use provost_domain::{Digest, Tool, request::BodyForm, system::Connection};

fn file(system: &str, tools: &str) -> SourceFile {
    let head = "[system]\ndescription = \"the shop\"\nenvironment = \"sandbox\"\n";
    SourceFile::new("systems/shop.toml", format!("{head}{system}\n{tools}"))
}

/// `line: message` of every fault.
fn said(system: &str, tools: &str) -> Vec<String> {
    let (_, faults) = read(&[file(system, tools)]);
    faults.iter().map(|fault| format!("{}: {}", fault.line, fault.message)).collect()
}

const API: &str = "api = \"https://shop.example/v1\"";

#[test]
fn an_operation_is_a_rule_and_its_arguments() {
    let tools = r#"
[tool.list-orders]
request = "GET /orders?status&page"
effects = ["read"]
args = { status = "set<string>?", page = "long?" }
[tool.change-order]
request = "PATCH /orders/{id}?dry_run"
args = { id = "long", dry_run = "bool?", note = "string" }
[tool.replace]
request = "PUT /orders/{id}"
body = "json"
args = { id = "long", body = "json" }
[tool.upload]
request = "POST /files/{name}"
body = "opaque"
args = { name = "string" }
"#;
    let (declared, faults) = read(&[file(API, tools)]);
    assert!(faults.is_empty(), "{}", render_all(&faults));
    let system = declared.systems.values().next().unwrap();
    assert_eq!(system.connection, Connection::HttpApi { url: "https://shop.example/v1".to_owned() });
    let tool =
        |name: &str| declared.tools.get(&("shop".parse().unwrap(), name.parse().unwrap())).unwrap().clone();
    let upload = tool("upload");
    assert_eq!(upload.request.as_ref().unwrap().body, BodyForm::Opaque);
    let names: Vec<&str> = upload.args.keys().map(String::as_str).collect();
    assert_eq!(names, ["body_digest", "body_size", "name"]);
    assert_eq!(tool("change-order").request.unwrap().line.to_string(), "PATCH /orders/{id}?dry_run");
    let imported =
        |tool: &Tool| ImportedTool { tool: tool.clone(), hints: Hints::default(), why: "w".to_owned() };
    let again = write_system_file(&ImportedSystem {
        system: system.clone(),
        tools: declared.tools.values().map(imported).collect(),
    });
    let (reread, faults) = read(&[SourceFile::new("systems/shop.toml", again.clone())]);
    assert!(faults.is_empty(), "{}\n{again}", render_all(&faults));
    assert_eq!((reread.systems, reread.tools), (declared.systems, declared.tools));
}

#[test]
fn a_rule_is_its_own_definition_and_its_pin_changes_with_it() {
    let pin = |request: &str, args: &str| {
        let (declared, faults) =
            read(&[file(API, &format!("[tool.t]\nrequest = \"{request}\"\nargs = {{ {args} }}"))]);
        assert!(faults.is_empty(), "{}", render_all(&faults));
        declared.tools.values().next().unwrap().pin
    };
    let first = pin("GET /a/{id}", "id = \"long\"");
    assert_eq!(first, pin("GET /a/{id}", "id = \"long\""));
    assert_ne!(first, pin("GET /b/{id}", "id = \"long\""));
    assert_ne!(first, pin("GET /a/{id}", "id = \"string\""));
    let given = format!("[tool.t]\nrequest = \"GET /a\"\npin = \"{}\"", Digest::of(b"x"));
    let (declared, _) = read(&[file(API, &given)]);
    assert_eq!(declared.tools.values().next().unwrap().pin, Digest::of(b"x"));
    assert_eq!(said(API, "[tool.t]\nrequest = \"GET /a\"\npin = \"sha256:zz\"").len(), 1);
}

#[test]
fn a_rule_that_leaves_anything_open_is_a_fault_with_its_line() {
    let table = [
        ("request = \"GET /a/../b\"", "6: `request`: `..` cannot be a part of a path"),
        ("request = \"FETCH /a\"", "6: `request`: `FETCH` is not a method"),
        ("effects = [\"read\"]", "5: [tool.t] has no `request`"),
        ("request = \"GET /a/{id}\"", "6: `id` in the path is no argument"),
        (
            "request = \"GET /a/{id}\"\nargs = { id = \"string?\" }",
            "7: `id` stands in the path and may be left out",
        ),
        (
            "request = \"GET /a/{id}\"\nargs = { id = \"set<string>\" }",
            "7: `id` stands in the path and is no single value",
        ),
        ("request = \"GET /a?x\"", "6: `x` in the query is no argument"),
        (
            "request = \"GET /a?x\"\nargs = { x = { y = \"long\" } }",
            "7: `x` stands in the query and is no value",
        ),
        ("request = \"GET /a\"\nargs = { x = \"long\" }", "7: the argument `x` has no place in the request"),
        ("request = \"GET /a\"\nbody = \"opaque\"", "7: a GET has no body"),
        ("request = \"PUT /a\"\nbody = \"form\"", "7: `body` cannot be `form`"),
        ("request = \"PUT /a\"\nbody = \"json\"", "6: `body = \"json\"` makes the body one argument"),
        (
            "request = \"PUT /a\"\nbody = \"json\"\nargs = { body = \"json\", x = \"long\" }",
            "8: the argument `x` has no place",
        ),
        (
            "request = \"PUT /a\"\nbody = \"opaque\"\nargs = { body_size = \"string\" }",
            "8: the argument `body_size` has no place",
        ),
        ("body = \"opaque\"", "5: [tool.t] has no `request`"),
    ];
    for (tool, wanted) in table {
        let said = said(API, &format!("[tool.t]\n{tool}"));
        assert!(said.len() == 1 && said.iter().all(|said| said.starts_with(wanted)), "{tool}\n{said:#?}");
    }
}

#[test]
fn two_rules_for_the_same_request_are_a_fault() {
    let two = |second: &str| {
        said(
            API,
            &format!(
                "[tool.a]\nrequest = \"GET /o/{{id}}\"\nargs = {{ id = \"long\" }}\n[tool.b]\nrequest = \"{second}\"\nargs = {{ name = \"string\" }}"
            ),
        )
    };
    assert_eq!(two("GET /o/{name}"), ["9: the same requests are b and a"]);
    assert!(two("DELETE /o/{name}").is_empty());
    assert!(two("GET /o/{name}/").is_empty());
}

#[test]
fn an_api_has_operations_and_nothing_else_has() {
    let request = "[tool.t]\nrequest = \"GET /a\"";
    assert_eq!(
        said("url = \"https://shop.example/mcp\"", request),
        ["6: `request` has no meaning for a system that is not an HTTP API"]
    );
    assert_eq!(said("local = true", request).len(), 1);
    for bad in [
        "https://h/v1?x=1",
        "https://h/../v1",
        "https://h/a;b",
        "https://h/a\\\\b",
        "ftp://h",
        "https://",
        "https://h/#x",
        "https://me:x@h/",
    ] {
        assert_eq!(said(&format!("api = \"{bad}\""), "").len(), 1, "{bad}");
    }
    assert_eq!(said(&format!("{API}\nurl = \"https://h/mcp\""), "").len(), 1);
    let secret = "credential = { name = \"k\" }\nrevocation_max = \"1m\"";
    let clear = said(&format!("api = \"http://shop.example/v1\"\n{secret}"), "");
    assert!(clear.iter().any(|said| said.contains("in the clear")), "{clear:?}");
}
