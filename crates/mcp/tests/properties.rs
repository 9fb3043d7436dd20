//! Rules that hold for every input, not only for the ones we thought of.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

use proptest::prelude::*;
use provost_mcp::sse::{Decoder, Event, Frame};
use provost_mcp::tools::{Keep, ListKind, filter};
use provost_mcp::{Limits, Message, Object, Patch, RequestId, Revision, headers, lines, strict};
use serde_json::{Map, Number, Value, json};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |f| Number::from_f64(f).map(Value::Number)),
        any::<String>().prop_map(Value::from),
        "[\"\\\\/\u{0}-\u{1f}\u{7f}é😀a]{0,20}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 96, 24, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..24).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..24)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,12}", any::<String>()]
}

/// The same value with other spacing and escapes.
fn respelled(value: &Value, space: &str, escape: bool) -> String {
    let string = |text: &str| {
        if !escape {
            return Value::from(text).to_string();
        }
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{units}\"")
    };
    let inner = match value {
        Value::String(text) => string(text),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(|e| respelled(e, space, escape)).collect();
            format!("[{}]", elements.join(","))
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(k, v)| format!("{space}{}{space}:{}", string(k), respelled(v, space, escape)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        scalar => scalar.to_string(),
    };
    format!("{space}{inner}{space}")
}

/// Every place in `text` right behind the first member of an object, with that member's name.
fn after_first_members(text: &str) -> Vec<(usize, String)> {
    let mut places = Vec::new();
    let mut open = vec![strict::check(text.as_bytes(), &Limits::default()).unwrap()];
    let offset = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    while let Some(raw) = open.pop() {
        if let Some(object) = raw.as_object() {
            if let Some(first) = object.members().first() {
                let end = offset(first.value.as_str()) + first.value.as_str().len();
                places.push((end, first.key.clone().into_owned()));
            }
            open.extend(object.members().iter().map(|m| m.value));
        }
        open.extend(raw.as_array().unwrap_or_default());
    }
    places
}

fn object(text: &str) -> Object<'_> {
    strict::check(text.as_bytes(), &Limits::default()).unwrap().as_object().unwrap()
}

fn decode(stream: &[u8], sizes: &[usize]) -> Result<Vec<Frame>, provost_mcp::sse::SseError> {
    let mut decoder = Decoder::new(24, 24);
    let mut frames = Vec::new();
    let mut rest = stream;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(rest.len()).clamp(1, rest.len());
        frames.extend(decoder.push(&rest[..size])?);
        rest = &rest[size..];
    }
    Ok(frames)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_reads_as_serde_json_reads_it(value in value(), space in "[ \t\r\n]{0,2}", escape: bool) {
        for text in [value.to_string(), respelled(&value, &space, escape)] {
            let expected: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(strict::parse(text.as_bytes(), &Limits::default()).unwrap(), expected, "{}", text);
        }
    }

    #[test]
    fn any_bytes_that_pass_read_as_serde_json_reads_them(mut text in value().prop_map(|v| v.to_string().into_bytes()), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        for (at, byte) in edits {
            let at = at.index(text.len());
            text[at] = byte;
        }
        if let Ok(raw) = strict::check(&text, &Limits::default()) {
            let expected: Value = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(raw.to_value().unwrap(), expected);
        }
    }

    #[test]
    fn a_duplicate_key_anywhere_is_refused(value in value(), at in any::<prop::sample::Index>(), escape: bool, space in "[ \n]{0,2}") {
        let text = respelled(&value, &space, false);
        let places = after_first_members(&text);
        prop_assume!(!places.is_empty());
        let (offset, key) = &places[at.index(places.len())];
        let twin = respelled(&Value::from(key.as_str()), &space, escape);
        let bad = format!("{},{twin}:0{}", &text[..*offset], &text[*offset..]);
        let error = strict::check(bad.as_bytes(), &Limits::default()).unwrap_err();
        prop_assert!(matches!(error.fault, strict::StrictFault::DuplicateKey { .. }), "{}: {}", error, bad);
    }

    #[test]
    fn a_new_id_and_name_leave_every_other_byte(arguments in value(), extra in value(), id: i64, new_id in any::<String>(), new_name in any::<String>(), space in "[ \t\r\n]{0,2}", order: bool) {
        let (arguments, extra) = (respelled(&arguments, &space, false), respelled(&extra, &space, true));
        let write = |id: &str, name: &str| {
            let id = format!("{space}\"id\"{space}:{space}{id}{space}");
            let params = format!("\"params\":{{\"arguments\":{arguments},\"name\" : {name}, \"x\":{extra}}}");
            let (first, second) = if order { (&id, &params) } else { (&params, &id) };
            format!("{{\"jsonrpc\":\"2.0\",{first},\"more\":{extra},{second},\"method\":\"tools/call\"}}")
        };
        let before = write(&id.to_string(), "\"t\"");
        let id = RequestId::String(new_id.clone());
        let expected = write(&Value::from(new_id).to_string(), &Value::from(new_name.as_str()).to_string());
        let raw = strict::check(before.as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(Patch::new().id(&id).name(&new_name).apply(raw).unwrap(), expected);
    }

    #[test]
    fn a_patch_changes_what_it_says_and_nothing_else(value in value(), space in "[ \n]{0,2}", removed in "[a-z]{0,2}", set in "[a-z]{0,2}") {
        let Value::Object(mut members) = value else { return Ok(()) };
        let text = respelled(&Value::Object(members.clone()), &space, false);
        let patched = Patch::new().remove(&[&removed]).set(&[&set], &json!([1])).apply(object(&text).raw()).unwrap();
        members.remove(&removed);
        members.insert(set, json!([1]));
        let expected: Value = serde_json::from_str(&Value::Object(members).to_string()).unwrap();
        prop_assert_eq!(strict::parse(patched.as_bytes(), &Limits::default()).unwrap(), expected, "{}", patched);
    }

    #[test]
    fn events_do_not_depend_on_chunks(stream in "(data|id|event|retry|x|\u{feff})?(: ?)?[a-z0-9é]{0,8}((\r|\n|\r\n){0,3}(data|id|event|retry|:)?(: ?)?[a-zé]{0,12}){0,12}(\n\n)?", sizes in prop::collection::vec(1usize..7, 1..6)) {
        prop_assert_eq!(decode(stream.as_bytes(), &sizes), decode(stream.as_bytes(), &[stream.len().max(1)]));
    }

    #[test]
    fn any_bytes_decode_alike_in_any_chunks(stream in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), any::<u8>()], 0..80), sizes in prop::collection::vec(1usize..9, 1..5)) {
        prop_assert_eq!(decode(&stream, &sizes), decode(&stream, &[stream.len().max(1)]));
    }

    #[test]
    fn any_message_survives_an_event_and_a_line(value in value(), space in "[ \t\r\n]{0,2}") {
        let text = respelled(&value, &space, false);
        let written = Event::message(text.clone()).write();
        let mut decoder = Decoder::new(1 << 20, 1 << 20);
        let frames = decoder.push(written.as_bytes()).unwrap();
        let [Frame::Event(event)] = frames.as_slice() else { panic!("{frames:?}") };
        let expected: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&event.data).unwrap(), expected.clone());
        let mut splitter = lines::LineSplitter::new(1 << 20);
        splitter.push(&lines::write_line(&text));
        let line = splitter.next_line().unwrap().unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&line).unwrap(), expected);
    }

    #[test]
    fn renaming_a_list_and_back_gives_the_same_bytes(tools in prop::collection::vec(("[a-zA-Z_]{1,12}", value()), 0..8), space in "[ \t\r\n]{0,2}", extra in value()) {
        let extra = respelled(&extra, &space, true);
        let elements: Vec<String> = tools.iter().map(|(name, rest)| {
            let rest = respelled(rest, &space, true);
            format!("{space}{{\"x\":{rest}, \"name\"{space}: \"{name}\"}}{space}")
        }).collect();
        let list = format!("{{\"more\":{extra},\"tools\" :{space}[{}]{space},\"nextCursor\":\"c\"}}", elements.join(","));
        let run = |text: &str, keep: &dyn Fn(&str) -> Keep| {
            filter(&object(text), ListKind::Tools, Revision::V2025_11_25, |tool| keep(&tool.string("name").unwrap())).unwrap()
        };
        prop_assert_eq!(&run(&list, &|_| Keep::AsIs), &list);
        let prefixed = run(&list, &|name| Keep::Named(format!("bank.{name}")));
        let back = run(&prefixed, &|name| Keep::Named(name.strip_prefix("bank.").unwrap().to_owned()));
        prop_assert_eq!(&back, &list);

        // What is left out is gone, what stays keeps its bytes, and leaving out first or renaming first is
        // the same.
        let stays = |name: &str| name.len().is_multiple_of(2);
        let kept = run(&list, &|name| if stays(name) { Keep::AsIs } else { Keep::No });
        let shown: Vec<String> = object(&kept).get("tools").unwrap().as_array().unwrap().iter().map(|t| t.as_str().to_owned()).collect();
        let expected: Vec<String> = elements.iter().zip(&tools).filter(|(_, (name, _))| stays(name)).map(|(text, _)| text.trim().to_owned()).collect();
        prop_assert_eq!(shown, expected);
        let filter_then_rename = run(&kept, &|name| Keep::Named(format!("bank.{name}")));
        let rename_then_filter = run(&prefixed, &|name| if stays(&name[5..]) { Keep::AsIs } else { Keep::No });
        prop_assert_eq!(filter_then_rename, rename_then_filter);
    }

    #[test]
    fn any_text_survives_a_header(text in any::<String>()) {
        let encoded = headers::encode(&text);
        prop_assert!(encoded.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~')));
        prop_assert_eq!(encoded.trim(), &encoded);
        prop_assert_eq!(headers::decode(&encoded).unwrap(), text);
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::parse(&bytes, &Limits::default());
    }
}
