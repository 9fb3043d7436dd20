use super::*;

fn parse(text: &str) -> Result<Message<'_>, MessageError> {
    Message::parse(text.as_bytes(), &Limits { id_bytes_max: 8, method_bytes_max: 10, ..Limits::default() })
}

/// JSON-RPC 2.0 sections 4 and 5; MCP, Base Protocol: Messages.
#[test]
fn a_message_is_read_as_what_it_is() {
    let text = r#" {"x":[1.50],"jsonrpc":"2.0","params":{"a": 1},"method":"a\/b","id":"\u0031"} "#;
    let Message::Request(request) = parse(text).unwrap() else { panic!("a request") };
    assert_eq!(request.raw.as_str(), text.trim());
    assert_eq!((request.id, request.method.as_ref()), (RequestId::String("1".into()), "a/b"));
    assert_eq!(request.params.unwrap().raw().as_str(), r#"{"a": 1}"#);

    let message = parse(r#"{"jsonrpc":"2.0","method":"n"}"#).unwrap();
    assert!(matches!(message, Message::Notification(_)));
    assert_eq!((message.method(), message.id(), message.params()), (Some("n"), None, None));

    let Message::Response(response) = parse(r#"{"jsonrpc":"2.0","id":-7,"result":{"r":1}}"#).unwrap() else {
        panic!()
    };
    assert_eq!(response.id, Some(RequestId::Integer(-7)));
    assert!(matches!(response.outcome, Outcome::Result(result) if result.raw().as_str() == r#"{"r":1}"#));

    for id in ["", r#""id":null,"#] {
        let text = format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32700,"message":"m","data":[0]}}}}"#);
        let Message::Response(response) = parse(&text).unwrap() else { panic!() };
        assert_eq!(response.id, None);
        let Outcome::Error(error) = response.outcome else { panic!() };
        assert_eq!((error.code, error.message.as_ref(), error.data.unwrap().as_str()), (-32700, "m", "[0]"));
    }
}

#[test]
fn what_is_not_one_message_is_refused() {
    let bad_method = MessageFault::BadMethod { method_bytes_max: 10 };
    let rows = [
        (r#"[{"jsonrpc":"2.0","id":1,"method":"m"}]"#, MessageFault::Batch),
        ("[]", MessageFault::Batch),
        ("7", MessageFault::NotAnObject),
        (r#"{"id":1,"method":"m"}"#, MessageFault::NotJsonRpc2),
        (r#"{"jsonrpc":2.0,"id":1,"method":"m"}"#, MessageFault::NotJsonRpc2),
        (r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#, MessageFault::NotJsonRpc2),
        (r#"{"jsonrpc":"2.0","id":1}"#, MessageFault::Ambiguous),
        (r#"{"jsonrpc":"2.0","id":1,"method":"m","result":{}}"#, MessageFault::Ambiguous),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, MessageFault::Ambiguous),
        (r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#, MessageFault::BadId),
        (r#"{"jsonrpc":"2.0","id":1.0,"method":"m"}"#, MessageFault::BadId),
        (r#"{"jsonrpc":"2.0","id":[],"method":"m"}"#, MessageFault::BadId),
        (r#"{"jsonrpc":"2.0","id":9223372036854775808,"method":"m"}"#, MessageFault::BadId),
        (r#"{"jsonrpc":"2.0","result":{}}"#, MessageFault::BadId),
        (
            r#"{"jsonrpc":"2.0","id":"123456789","method":"m"}"#,
            MessageFault::IdTooLong { bytes: 9, id_bytes_max: 8 },
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":""}"#, bad_method.clone()),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, bad_method.clone()),
        (r#"{"jsonrpc":"2.0","id":1,"method":"12345678901"}"#, bad_method),
        (r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[]}"#, MessageFault::BadParams),
        (r#"{"jsonrpc":"2.0","id":1,"method":"m","params":null}"#, MessageFault::BadParams),
        (r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":1}}"#, MessageFault::BadMeta),
        (r#"{"jsonrpc":"2.0","id":1,"result":1}"#, MessageFault::BadResult),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":"x","message":"m"}}"#, MessageFault::BadError),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#, MessageFault::BadError),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
            MessageFault::Lookalike("method"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"a","NAME":"b"}}"#,
            MessageFault::Lookalike("name"),
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(parse(text).unwrap_err().fault, expected, "{text}");
    }
}

#[test]
fn a_refusal_carries_the_id_where_it_could_be_read() {
    for (text, id, code) in [
        (r#"{"id":3,"method":"m"}"#, Some(RequestId::Integer(3)), -32600),
        (r#"{"jsonrpc":"2.0","id":"a","method":7}"#, Some(RequestId::String("a".into())), -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, None, -32600),
        (r#"{"jsonrpc":"2.0","id":3,"id":3,"method":"m"}"#, None, -32700),
        ("[]", None, -32600),
    ] {
        let error = parse(text).unwrap_err();
        let rpc = error.to_rpc();
        assert_eq!((error.id, rpc.code, rpc.http_status), (id, code, 400), "{text}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let id = RequestId::from("q\"\n");
    for text in [
        write_request(&id, "a\"b", &serde_json::json!({"x": 1})),
        write_request(&RequestId::from(-1), "m", &Value::Null),
        write_notification("n", &Value::Null),
        write_notification("n", &serde_json::json!({})),
        write_result(&id, &serde_json::json!({"r": []})),
        write_raw_result(&id, strict::check(br#"{"r": 1.0}"#, &Limits::default()).unwrap()),
        RpcError::parse("p").with_data(Value::from(1)).write(Some(&id)),
        RpcError::parse("p").write(None),
    ] {
        assert_eq!(Message::parse(text.as_bytes(), &Limits::default()).unwrap().raw().as_str(), text);
    }
}
