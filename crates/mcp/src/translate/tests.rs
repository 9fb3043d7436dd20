use serde_json::{Value, json};

use super::*;
use crate::era::{ModernMeta, modern_meta};
use crate::handshake::Initialized;
use crate::message::{ErrorObject, Message, Notification, Outcome, Request, RequestId, Response};
use crate::{Limits, Revision, strict};
use to_legacy::{CannotAsk, LegacyError};
use to_modern::{InputRequired, LegacyClient, LegacyRequest, ModernOutcome};

fn object(text: &str) -> Object<'_> {
    strict::check(text.as_bytes(), &Limits::default()).unwrap().as_object().unwrap()
}

fn request(text: &str) -> Request<'_> {
    match Message::parse(text.as_bytes(), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

fn notification(text: &str) -> Notification<'_> {
    match Message::parse(text.as_bytes(), &Limits::default()).unwrap() {
        Message::Notification(notification) => notification,
        other => panic!("{other:?}"),
    }
}

fn response(text: &str) -> Response<'_> {
    match Message::parse(text.as_bytes(), &Limits::default()).unwrap() {
        Message::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

fn error_of(text: &str) -> ErrorObject<'_> {
    match response(text).outcome {
        Outcome::Error(error) => error,
        Outcome::Result(result) => panic!("{result:?}"),
    }
}

const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{},"url":{}},"roots":{}}}"#;
const META_BARE: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn meta(text: &str) -> ModernMeta<'_> {
    modern_meta(&object(text)).unwrap()
}

fn client(revision: Revision) -> LegacyClient {
    let params = r#"{"protocolVersion":"x","capabilities":{"elicitation":{"form":{},"url":{}},"roots":{"listChanged":true},"tasks":{},"experimental":{}},"clientInfo":{"name":"c","version":"1"}}"#;
    LegacyClient::read(&object(params), revision)
}

// --- modern client, legacy server ---

#[test]
fn a_modern_request_reaches_a_legacy_server_without_what_is_modern() {
    let rows = [
        (
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{{"a": 1.0}},"_meta":{META}}}}}"#
            ),
            r#"{"jsonrpc":"2.0","id":"u","method":"tools/call","params":{"name":"t","arguments":{"a": 1.0}}}"#,
        ),
        (
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"_meta":{},"name":"t","requestState":"s","inputResponses":{{}},"task":{{}},"x":[ ]}}}}"#,
                META.replace("}}}", "}},\"progressToken\":5,\"io.modelcontextprotocol/logLevel\":\"info\"}")
            ),
            "",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.to_owned(),
            r#"{"jsonrpc":"2.0","id":"u","method":"tools/list"}"#,
        ),
    ];
    for (text, expected) in rows {
        let out = to_legacy::request(&request(&text), &"u".into()).unwrap();
        if expected.is_empty() {
            assert_eq!(
                out,
                r#"{"jsonrpc":"2.0","id":"u","method":"tools/call","params":{"_meta":{"progressToken":5},"name":"t","x":[ ]}}"#
            );
        } else {
            assert_eq!(out, expected);
        }
    }
}

/// 2026-07-28, `Result`, `CacheableResult`.
#[test]
fn a_legacy_result_gets_what_a_modern_client_requires() {
    for (method, text, expected) in [
        ("tools/call", r#"{"content":[]}"#, r#"{"content":[],"resultType":"complete"}"#),
        (
            "tools/call",
            r#"{"resultType":"input_required","content":[]}"#,
            r#"{"resultType":"complete","content":[]}"#,
        ),
        (
            "tools/list",
            r#"{"tools":[ 1.0]}"#,
            r#"{"tools":[ 1.0],"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#,
        ),
        (
            "resources/read",
            r#"{"contents":[]}"#,
            r#"{"contents":[],"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#,
        ),
        ("completion/complete", "{}", r#"{"resultType":"complete"}"#),
    ] {
        assert_eq!(to_legacy::result(method, &object(text)).unwrap(), expected);
    }
}

#[test]
fn a_discover_result_is_made_from_an_initialize_result() {
    let capabilities =
        json!({"tools": {"listChanged": true}, "tasks": {}, "experimental": {}, "extensions": {"a/b": {}}});
    let initialized = Initialized {
        revision: Revision::V2025_06_18,
        capabilities: capabilities.clone(),
        server_info: json!({"name": "s", "version": "1"}),
        instructions: Some("i".into()),
    };
    let text = capabilities.to_string();
    assert_eq!(
        to_legacy::discover_result(&initialized, &object(&text)),
        json!({
            "resultType": "complete",
            "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18"],
            "capabilities": {"tools": {"listChanged": true}},
            "instructions": "i",
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"}},
        })
    );
}

#[test]
fn legacy_errors_become_modern_ones() {
    let limits = Limits::default();
    let wrap = |error: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#);
    let code_of = |error: &str, meta_text: &str| {
        let text = wrap(error);
        match to_legacy::error(&error_of(&text), &meta(meta_text), &limits) {
            LegacyError::Error(error) => Ok(error.code),
            LegacyError::Asks(asked) => Err(asked),
        }
    };
    let url = r#"{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://u","message":"go"}]}}"#;
    assert_eq!(code_of(r#"{"code":-32002,"message":"m","data":{"uri":"u"}}"#, META), Ok(-32602));
    assert_eq!(code_of(r#"{"code":-32601,"message":"m"}"#, META), Ok(-32601));
    assert_eq!(code_of(r#"{"code":-32001,"message":"m"}"#, META), Ok(-32001));
    assert_eq!(code_of(r#"{"code":-32021,"message":"m"}"#, META), Ok(-31003));
    assert_eq!(code_of(url, META_BARE), Ok(-32021));
    assert_eq!(code_of(r#"{"code":-32042,"message":"m"}"#, META), Ok(-31003));
    let asked = code_of(url, META).unwrap_err();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].params, r#"{"mode":"url","url":"https://u","message":"go"}"#);
}

/// 2026-07-28, Multi Round-Trip Requests.
#[test]
fn what_a_legacy_server_asks_comes_back_as_its_response() {
    let ask = request(
        r#"{"jsonrpc":"2.0","id":"srv-1","method":"elicitation/create","params":{"message":"m","requestedSchema":{"type": "object"},"task":{}}}"#,
    );
    let asked = to_legacy::asked(&ask, &meta(META), "k1").unwrap();
    let roots =
        to_legacy::asked(&request(r#"{"jsonrpc":"2.0","id":9,"method":"roots/list"}"#), &meta(META), "k2")
            .unwrap();
    let result = to_legacy::input_required(&[asked, roots], "sealed");
    assert_eq!(
        result,
        r#"{"resultType":"input_required","inputRequests":{"k1":{"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type": "object"}}},"k2":{"method":"roots/list","params":{}}},"requestState":"sealed"}"#
    );
    let open = [("k1".to_owned(), RequestId::from("srv-1")), ("k2".to_owned(), RequestId::from(9))];
    let responses = object(r#"{"k1":{"action":"accept", "content":{}},"other":{}}"#);
    let answers = to_legacy::answers(Some(&responses), &open);
    assert_eq!(
        answers.responses,
        [r#"{"jsonrpc":"2.0","id":"srv-1","result":{"action":"accept", "content":{}}}"#]
    );
    assert_eq!(answers.missing, ["k2"]);
    assert_eq!(to_legacy::answers(None, &open).missing.len(), 2);
}

#[test]
fn a_legacy_server_cannot_ask_for_what_the_client_did_not_declare() {
    for (method, params, declared) in [
        ("elicitation/create", "{}", "elicitation.form"),
        ("elicitation/create", r#"{"mode":"url"}"#, "elicitation.url"),
        ("sampling/createMessage", "{}", "sampling"),
        ("roots/list", "{}", "roots"),
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let error = to_legacy::asked(&request(&text), &meta(META_BARE), "k").unwrap_err();
        assert_eq!(error, CannotAsk::Undeclared(declared.into()));
        assert!(error.answer(&request(&text)).contains("-32602"));
    }
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#;
    let error = to_legacy::asked(&request(text), &meta(META), "k").unwrap_err();
    assert!(error.answer(&request(text)).contains("-32601"));
}

#[test]
fn log_messages_flow_only_at_the_level_asked_for() {
    let log = |level: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}"}}}}"#)
    };
    for (level, wanted, passes) in [
        ("error", Some("warning"), true),
        ("warning", Some("warning"), true),
        ("info", Some("warning"), false),
        ("emergency", None, false),
        ("nonsense", Some("debug"), false),
    ] {
        let text = log(level);
        assert_eq!(
            to_legacy::notification(&notification(&text), wanted).is_some(),
            passes,
            "{level} {wanted:?}"
        );
    }
    let progress =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#;
    assert_eq!(to_legacy::notification(&notification(progress), None).as_deref(), Some(progress));
    let removed = r#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{}}"#;
    assert_eq!(to_legacy::notification(&notification(removed), Some("debug")), None);
}

/// 2026-07-28, Subscriptions.
#[test]
fn listening_is_acknowledged_filtered_and_carries_its_id() {
    let filter = object(
        r#"{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a","b"],"x":1}"#,
    );
    let listening = Listening::read(&filter);
    let capabilities =
        object(r#"{"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true}}"#);
    let honoured = listening.honoured_by(&capabilities);
    let id = RequestId::from(4);
    assert_eq!(
        serde_json::from_str::<Value>(&to_legacy::acknowledged(&id, &honoured)).unwrap(),
        json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {
            "_meta": {"io.modelcontextprotocol/subscriptionId": 4},
            "notifications": {"toolsListChanged": true, "resourceSubscriptions": ["a", "b"]},
        }})
    );
    let subscribe = to_legacy::subscribe([10.into(), 11.into()], &honoured);
    assert_eq!(
        subscribe[1],
        r#"{"jsonrpc":"2.0","id":11,"method":"resources/subscribe","params":{"uri":"b"}}"#
    );
    for (text, expected) in [
        (
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
            Some(
                r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":4}}}"#,
            ),
        ),
        (r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#, None),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"b"}}"#,
            Some(
                r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"b","_meta":{"io.modelcontextprotocol/subscriptionId":4}}}"#,
            ),
        ),
        (r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"c"}}"#, None),
    ] {
        assert_eq!(
            to_legacy::on_listen_stream(&notification(text), &id, &honoured).as_deref(),
            expected,
            "{text}"
        );
    }
    assert!(to_legacy::listen_ended(&id).contains(r#""resultType":"complete""#));
}

// --- legacy client, modern server ---

#[test]
fn a_legacy_request_reaches_a_modern_server_with_its_meta() {
    let mut client = client(Revision::V2025_11_25);
    client.log_level = Some("info".into());
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":{"progressToken": 1,"io.modelcontextprotocol/clientCapabilities":{"sampling":{}}},"task":{"ttl":1}}}"#;
    let out = to_modern::request(&request(text), &2.into(), &client).unwrap();
    let sent = request(&out);
    let meta = meta_of(&sent);
    assert_eq!(meta["progressToken"], 1);
    assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    assert_eq!(meta["io.modelcontextprotocol/clientInfo"], json!({"name": "c", "version": "1"}));
    assert_eq!(meta["io.modelcontextprotocol/logLevel"], "info");
    assert_eq!(
        meta["io.modelcontextprotocol/clientCapabilities"],
        json!({"elicitation": {"form": {}, "url": {}}, "roots": {"listChanged": true}}),
        "what the client says in the request itself does not count"
    );
    assert_eq!(sent.params.as_ref().unwrap().get("task"), None);
    let bare =
        to_modern::request(&request(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#), &2.into(), &client)
            .unwrap();
    assert!(modern_meta(&request(&bare).meta().unwrap()).is_ok());
}

fn meta_of(request: &Request<'_>) -> Value {
    request.meta().unwrap().raw().to_value().unwrap()
}

#[test]
fn an_initialize_result_is_made_from_a_discover_result() {
    let discovered = object(
        r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"resources":{"subscribe":true},"extensions":{"io.modelcontextprotocol/tasks":{}}},"instructions":"i","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"2"}}}"#,
    );
    assert_eq!(
        to_modern::initialize_result(Revision::V2025_06_18, &discovered),
        json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {"resources": {"subscribe": true}},
            "serverInfo": {"name": "s", "version": "2"},
            "instructions": "i",
        })
    );
}

#[test]
fn each_legacy_request_has_its_plan() {
    for (method, params, expected) in [
        ("ping", "{}", Some(LegacyRequest::Empty)),
        ("tools/call", "{}", Some(LegacyRequest::Forward)),
        ("logging/setLevel", r#"{"level":"error"}"#, Some(LegacyRequest::SetLogLevel("error".into()))),
        ("logging/setLevel", r#"{"level":"loud"}"#, None),
        ("resources/subscribe", r#"{"uri":"u"}"#, Some(LegacyRequest::Subscribe("u".into()))),
        ("resources/unsubscribe", r#"{"uri":"u"}"#, Some(LegacyRequest::Unsubscribe("u".into()))),
        ("resources/subscribe", "{}", None),
        ("tasks/get", r#"{"taskId":"t"}"#, None),
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        assert_eq!(to_modern::plan(&request(&text)).ok(), expected, "{method}");
    }
}

#[test]
fn a_modern_result_reads_as_a_legacy_one() {
    let client = client(Revision::V2025_11_25);
    let limits = Limits::default();
    let read = |method: &str, text: &str| to_modern::result(method, &object(text), &client, &limits);
    let complete = |text: &str| Ok(ModernOutcome::Complete(text.to_owned()));
    assert_eq!(
        read("tools/list", r#"{"resultType":"complete","tools":[ ],"ttlMs":5,"cacheScope":"public"}"#),
        complete(r#"{"tools":[ ]}"#)
    );
    assert_eq!(
        read("tools/call", r#"{"content":[],"ttlMs":5,"resultType":"complete"}"#),
        complete(r#"{"content":[],"ttlMs":5}"#)
    );
    assert_eq!(read("tools/call", r#"{"content":[]}"#), complete(r#"{"content":[]}"#));
    for (method, text) in [
        ("tools/call", r#"{"resultType":"task","taskId":"t"}"#),
        ("tools/call", r#"{"resultType":7}"#),
        ("tools/list", r#"{"resultType":"input_required","requestState":"s"}"#),
        ("tools/call", r#"{"resultType":"input_required"}"#),
        ("tools/call", r#"{"resultType":"input_required","requestState":1}"#),
        ("tools/call", r#"{"resultType":"input_required","inputRequests":[]}"#),
        ("tools/call", r#"{"resultType":"input_required","inputRequests":{"k":{"method":"tools/call"}}}"#),
        (
            "tools/call",
            r#"{"resultType":"input_required","inputRequests":{"k":{"method":"sampling/createMessage"}}}"#,
        ),
        ("tools/call", r#"{"resultType":"input_required","inputRequests":{"k":7}}"#),
    ] {
        assert_eq!(read(method, text).unwrap_err().code, -32003, "{text}");
    }
}

#[test]
fn input_required_becomes_requests_and_then_a_retry() {
    let client = client(Revision::V2025_11_25);
    let result = object(
        r#"{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"https://u","message":"m"}},"b":{"method":"roots/list"}},"requestState":"st\"ate"}"#,
    );
    let outcome = to_modern::result("tools/call", &result, &client, &Limits::default()).unwrap();
    let ModernOutcome::InputRequired(InputRequired { asked, request_state }) = outcome else { panic!() };
    assert_eq!(
        to_modern::ask(&"g1".into(), &asked[0], "e1", &client).unwrap(),
        r#"{"jsonrpc":"2.0","id":"g1","method":"elicitation/create","params":{"mode":"url","url":"https://u","message":"m","elicitationId":"e1"}}"#
    );
    assert_eq!(
        to_modern::ask(&2.into(), &asked[1], "", &client).unwrap(),
        r#"{"jsonrpc":"2.0","id":2,"method":"roots/list","params":{}}"#
    );
    let accepted = response(r#"{"jsonrpc":"2.0","id":"g1","result":{"action": "accept"}}"#);
    let failed = response(r#"{"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"no"}}"#);
    assert_eq!(to_modern::answer(&asked[0], &accepted).unwrap(), r#"{"action": "accept"}"#);
    assert_eq!(to_modern::answer(&asked[0], &failed).unwrap(), r#"{"action":"cancel"}"#);
    assert_eq!(to_modern::answer(&asked[1], &failed).unwrap_err().code, -1);

    let original = request(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"x": 1.0}}}"#,
    );
    let answers =
        [("a".to_owned(), r#"{"action": "accept"}"#.to_owned()), ("b\"".to_owned(), "{}".to_owned())];
    let retry = to_modern::retry(&original, &3.into(), &client, &answers, request_state.as_deref()).unwrap();
    let params = request(&retry).params.unwrap();
    assert_eq!(params.get("inputResponses").unwrap().as_str(), r#"{"a":{"action": "accept"},"b\"":{}}"#);
    assert_eq!(params.string("requestState").unwrap(), "st\"ate");
    assert_eq!(params.get("arguments").unwrap().as_str(), r#"{"x": 1.0}"#);
    assert_eq!(request(&retry).id, RequestId::Integer(3));
    assert!(modern_meta(&request(&retry).meta().unwrap()).is_ok());
}

#[test]
fn a_client_of_2025_06_18_is_never_sent_to_a_page() {
    let client = client(Revision::V2025_06_18);
    let url = object(
        r#"{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url"}}}}"#,
    );
    assert!(to_modern::result("tools/call", &url, &client, &Limits::default()).is_err());
    let form = Asked {
        key: "k".into(),
        method: AskedMethod::ElicitForm,
        params: r#"{"mode":"form","message":"m"}"#.into(),
    };
    assert!(!to_modern::ask(&1.into(), &form, "", &client).unwrap().contains("mode"));
}

#[test]
fn modern_errors_become_legacy_ones() {
    for (method, error, code) in [
        ("resources/read", r#"{"code":-32602,"message":"m","data":{"uri":"u"}}"#, -32002),
        ("resources/read", r#"{"code":-32602,"message":"m"}"#, -32602),
        ("tools/call", r#"{"code":-32602,"message":"m","data":{"uri":"u"}}"#, -32602),
        ("tools/call", r#"{"code":-32020,"message":"m"}"#, -32003),
        ("tools/call", r#"{"code":-32022,"message":"m"}"#, -32003),
        ("tools/call", r#"{"code":-32601,"message":"m"}"#, -32601),
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#);
        let translated = to_modern::error(method, &error_of(&text));
        assert_eq!((translated.code, translated.http_status), (code, 200), "{text}");
    }
}

#[test]
fn a_legacy_session_listens_with_one_request() {
    let listening = Listening { tools: true, uris: vec!["u".into()], ..Listening::default() };
    let text = to_modern::listen(&7.into(), &listening, &client(Revision::V2025_11_25));
    let listen = request(&text);
    assert!(modern_meta(&listen.meta().unwrap()).is_ok());
    assert_eq!(Listening::read(&listen.params.unwrap().object("notifications").unwrap()), listening);
    for (text, expected) in [
        (
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7,"x":1},"uri":"u"}}"#,
            Some(
                r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"x":1},"uri":"u"}}"#,
            ),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
            Some(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#),
        ),
        (r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}"#, None),
        (r#"{"jsonrpc":"2.0","method":"notifications/tasks","params":{}}"#, None),
    ] {
        assert_eq!(to_modern::notification(&notification(text)).as_deref(), expected);
    }
}
