use super::*;

fn fault(text: &str) -> StrictFault {
    check(text.as_bytes(), &Limits::default()).map(|_| text).unwrap_err().fault
}

/// RFC 8259, section by section, and what it leaves open.
#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let duplicate = |key: &str| StrictFault::DuplicateKey { key: key.into() };
    let rows = [
        (r#"{"a":1,"a":1}"#, duplicate("a")),
        (r#"{"method":"ping","x":[],"method":"tools/call"}"#, duplicate("method")),
        (r#"{"a":1,"\u0061":1}"#, duplicate("a")),
        (r#"{"\u0061":1,"a":1}"#, duplicate("a")),
        (r#"{"é":1,"\u00e9":1}"#, duplicate("é")),
        (r#"{"\ud83d\ude00":1,"😀":1}"#, duplicate("😀")),
        (r#"[{"x":{"":1,"":2}}]"#, duplicate("")),
        (r#"{"longer-than-8-a":1,"longer-than-8-b":1,"longer-than-8-a":1}"#, duplicate("longer-than-8-a")),
        ("18446744073709551616", StrictFault::IntegerTooLarge),
        ("-9223372036854775809", StrictFault::IntegerTooLarge),
        ("[123456789012345678901234567890]", StrictFault::IntegerTooLarge),
        ("1e999", StrictFault::NumberTooLarge),
        ("-1.5e400", StrictFault::NumberTooLarge),
        (r#""\ud800""#, StrictFault::LoneSurrogate),
        (r#""\udc00""#, StrictFault::LoneSurrogate),
        (r#""\ud800\ud800""#, StrictFault::LoneSurrogate),
        (r#""\ud800\n""#, StrictFault::LoneSurrogate),
        (r#"{"\udfff":1}"#, StrictFault::LoneSurrogate),
    ];
    for (text, expected) in rows {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "\"",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "[1",
        "[1,",
        "[1,]",
        "{\"a\":1,}",
        "{,}",
        "[,]",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "-",
        "-a",
        "+1",
        "01",
        "-01",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "0x10",
        "1 2",
        "{} {}",
        "{}x",
        "[]]",
        "[}",
        "{]",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"\u{1}\"",
        "\"\t\"",
        "// c\n1",
        "/**/1",
        "\u{feff}1",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "\u{a0}1",
        "\\",
        "tru",
        "\"\\",
        "\"\\u",
        "--1",
        "1.2.3",
        "1e1e1",
        "{\"a\":}",
        "[\"a\":1]",
        "\u{b}1",
    ] {
        assert!(check(text.as_bytes(), &Limits::default()).is_err(), "{text:?}");
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text:?}");
    }
    for bytes in [&b"\"\xff\""[..], b"\"\xc0\x80\"", b"\"\xed\xa0\x80\"", b"\xef\xbb\xbf1"] {
        assert!(check(bytes, &Limits::default()).is_err(), "{bytes:?}");
    }
}

#[test]
fn what_every_reader_reads_alike_passes() {
    for text in [
        "0",
        "-0",
        "0.0",
        "-0.0e-0",
        "1E+2",
        "18446744073709551615",
        "-9223372036854775808",
        "1e308",
        "1e-999",
        "\"\"",
        "{}",
        "[]",
        " [ ] ",
        "\t{\r\n} ",
        "null",
        "true",
        "false",
        r#""\"\\\/\b\f\n\r\t\u0000\ud83d\ude00""#,
        r#"{"a":{"a":{"a":1}},"b":[{"a":1}]}"#,
        "\"\u{7f}\u{2028}é😀\"",
        "[[],[[]],{}]",
        r#"{"":0}"#,
        "123456789012345678",
        "[1,2,3,\"12345678\",\"1234567\\\"8\"]",
    ] {
        let raw = check(text.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(raw.as_str(), text.trim(), "{text}");
        assert_eq!(
            parse(text.as_bytes(), &Limits::default()).unwrap(),
            serde_json::from_str::<serde_json::Value>(text).unwrap()
        );
    }
}

#[test]
fn a_fault_is_named_with_its_place() {
    let rows = [
        (
            r#"{"params":{"arguments":{"x":[1,{"y":01}]}}}"#,
            "not a number as json writes it at byte 36 (`$.params.arguments.x[1].y`)",
        ),
        (
            "{\"a\":1,\n \"b\":2, \"a\":3}",
            "the member name `a` appears twice; readers disagree on which counts, send it once at byte 16 (`$.a`)",
        ),
        ("[1,tru]", "unexpected 't', expected a value at byte 3 (`$[1]`)"),
        ("{\"a\" 1}", "unexpected '1', expected `:` at byte 5 (`$.a`)"),
        ("[1é]", "unexpected 'é', expected `,` or `]` at byte 2 (`$[0]`)"),
        ("{\"a\":[", "the message ends too early, expected a value at byte 6 (`$.a[0]`)"),
        ("{} x", "something follows the end of the message; send one message at a time at byte 3 (`$`)"),
        ("\"a", "the message ends too early, expected `\"` at byte 2 (`$`)"),
    ];
    for (text, expected) in rows {
        let error = check(text.as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
    }
    let error = check(b"\"ab\xff\"", &Limits::default()).unwrap_err();
    assert_eq!((error.fault, error.offset), (StrictFault::NotUtf8, 3));
}

#[test]
fn every_bound_is_kept_exactly() {
    let limits =
        Limits { message_bytes_max: 40, depth_max: 3, members_max: 4, values_max: 8, ..Limits::default() };
    let rows = [
        ("[[[]]]".to_owned(), None),
        ("[[[[]]]]".to_owned(), Some(StrictFault::TooDeep { depth_max: 3 })),
        ("[{\"a\":{\"b\":1}}]".to_owned(), None),
        ("[{\"a\":{\"b\":{}}}]".to_owned(), Some(StrictFault::TooDeep { depth_max: 3 })),
        ("[1,2,3,4]".to_owned(), None),
        ("[1,2,3,4,5]".to_owned(), Some(StrictFault::TooManyMembers { members_max: 4 })),
        (
            "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1}".to_owned(),
            Some(StrictFault::TooManyMembers { members_max: 4 }),
        ),
        ("[[1,2],[3,4],5]".to_owned(), None),
        ("[[1,2],[3,4],5,6]".to_owned(), Some(StrictFault::TooManyValues { values_max: 8 })),
        (format!("\"{}\"", "x".repeat(38)), None),
        (format!("\"{}\"", "x".repeat(39)), Some(StrictFault::TooLong { bytes: 41, bytes_max: 40 })),
    ];
    for (text, expected) in rows {
        assert_eq!(check(text.as_bytes(), &limits).err().map(|e| e.fault), expected, "{text}");
    }
}

#[test]
fn a_duplicate_is_found_in_a_large_object_too() {
    let members = |names: &mut dyn Iterator<Item = usize>| {
        let members: Vec<String> = names.map(|i| format!("\"k{i}\":{{\"k0\":1}}")).collect();
        format!("{{{}}}", members.join(","))
    };
    for count in [15, 16, 17, 18, 100, 5_000] {
        let good = members(&mut (0..count));
        assert!(check(good.as_bytes(), &Limits::default()).is_ok(), "{count}");
        for twin in [0, count / 2, count - 1] {
            let bad = members(&mut (0..count).chain([twin]));
            assert_eq!(fault(&bad), StrictFault::DuplicateKey { key: format!("k{twin}") }, "{count} {twin}");
        }
    }
}

#[test]
fn a_name_is_quoted_short_and_a_value_never() {
    let key = "k".repeat(500);
    let error = check(format!("{{\"{key}\":1,\"{key}\":2}}").as_bytes(), &Limits::default()).unwrap_err();
    assert!(error.to_string().len() < 600, "{error}");
    let error = check(br#"{"password":"hunter2" "x"}"#, &Limits::default()).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
