use super::*;
use proptest::prelude::*;
use provost_domain::check::check_mark;
use serde_json::json;

fn args(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn counting(mut n: u64) -> impl FnMut() -> u64 {
    move || {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        n >> 16
    }
}

#[test]
fn what_is_wrong_is_seen_by_who_reads_and_the_rest_is_as_it_always_is() {
    let paid = args(json!({"payee": "Nordwind GmbH", "amount": 120, "from_account": "operations"}));
    let before = args(json!({"payee": "Kantoor Zuid BV", "amount": 300.5}));
    let (out, flaw) = flawed(&paid, &[&before], Boldness::Bold, counting(1)).unwrap();
    assert_eq!(flaw, Flaw::Payment);
    assert!(out["amount"].is_i64() && out["amount"].as_i64().unwrap() >= 300 * 8, "{out:?}");
    assert!(!["Nordwind GmbH", "Kantoor Zuid BV"].contains(&out["payee"].as_str().unwrap()));
    assert_eq!(out["from_account"], "operations");
    let cents = args(json!({"creditor_name": "Nordwind GmbH", "total": "99.95"}));
    let (out, _flaw) = flawed(&cents, &[], Boldness::Bold, counting(2)).unwrap();
    let text = out["total"].as_str().unwrap();
    assert!(text.split_once('.').unwrap().1.len() == 2 && text.parse::<f64>().unwrap() > 799.0, "{text}");

    let mail = args(json!({"to": "ben@acme.example", "subject": "minutes"}));
    let (out, flaw) = flawed(&mail, &[], Boldness::Bold, counting(3)).unwrap();
    let to = out["to"].as_str().unwrap();
    assert!(flaw == Flaw::Recipient && to.starts_with("ben@") && !to.ends_with("@acme.example"), "{to}");
    assert!(to.contains("acme"), "it looks like one of theirs: {to}");

    let file = args(json!({"path": "/work/reports/2026/q3.md", "content": "x"}));
    let (out, flaw) = flawed(&file, &[], Boldness::Bold, counting(4)).unwrap();
    let place = out["path"].as_str().unwrap();
    assert!(flaw == Flaw::Path && place.starts_with("/work/reports/2026/../../../../"), "{place}");
}

#[test]
fn where_nothing_of_the_kind_can_be_wrong_there_is_no_check() {
    for shape in [
        json!({}),
        json!({"query": "select 1"}),
        json!({"amount": 12}),
        json!({"payee": "DE89 3704 0044 0532 0130 00", "amount": 12}),
        json!({"payee": "ACME", "amount": 0}),
        json!({"to": "everybody"}),
        json!({"path": "readme"}),
        json!({"path": "https://acme.example/x"}),
    ] {
        assert_eq!(flawed(&args(shape.clone()), &[], Boldness::Bold, counting(5)), None, "{shape}");
    }
}

#[test]
fn one_answer_in_so_many_draws_a_check_and_never_at_once() {
    let mut numbers = counting(9);
    let mut draws = 0;
    for _answer in 0..20_000 {
        if let Some(wait) = drawn(numbers(), 50) {
            draws += 1;
            assert!(wait >= DELAY_LEAST && wait.0 < DELAY_LEAST.0 + DELAY_SPREAD.0 && wait < DUE_FOR);
        }
    }
    assert!((300..500).contains(&draws), "{draws}");
    assert!(drawn(7, 1).is_some() && drawn(7, 0).is_some());
}

proptest! {
    #[test]
    fn whatever_the_arguments_a_check_differs_from_them_or_there_is_none(
        names in prop::collection::vec("(payee|amount|to|path|x|[a-z_]{0,6})", 0..6),
        texts in prop::collection::vec(".{0,30}", 6),
        numbers in prop::collection::vec(-1.0e300..1.0e300_f64, 6),
        seed: u64,
    ) {
        let mut shape = Map::new();
        for (place, name) in names.into_iter().enumerate() {
            let value = if place % 2 == 0 { json!(texts[place]) } else { json!(numbers[place]) };
            shape.insert(name, value);
        }
        if let Some((out, _flaw)) = flawed(&shape, &[], Boldness::Bold, counting(seed)) {
            prop_assert_ne!(&out, &shape);
            prop_assert!(out.keys().eq(shape.keys()));
            for (name, value) in &out {
                prop_assert_eq!(value.is_string(), shape[name].is_string());
            }
        }
    }

    #[test]
    fn a_check_is_never_granted_and_says_what_it_was(yes: bool, granted: bool) {
        let now = Timestamp::from_millis(5);
        let known = Known { flaw: Flaw::Path, secret: "aa".to_owned() };
        let mut row: Approval = serde_json::from_value(json!({
            "id": "approval_1", "agent": "clerk", "task": provost_domain::TaskId::new(now, [1; 10]), "purpose": "p",
            "askers": [], "system": "bank", "tool": "pay", "action": provost_domain::Digest::of(b"a"), "args": {},
            "gates": [], "reasons": [], "bound": {"revision": 1, "pin": provost_domain::Digest::of(b"b"),
            "policies": provost_domain::Digest::of(b"c")}, "decision": provost_domain::DecisionId::new(now, [1; 10]),
            "asked": 1, "expires": 9, "mark": check_mark("aa", Flaw::Path), "status": {"is": "waiting"},
        })).unwrap();
        if granted {
            row.status = ApprovalStatus::Granted { at: now, until: now.plus(DurationMs(1_000)) };
        }
        let over = answered(row.clone(), &known, yes, now);
        prop_assert!(over.is_over() && !over.is_granted(now));
        let check = over.check.as_ref().unwrap();
        prop_assert_eq!(check.outcome == CheckOutcome::Approved, yes);
        prop_assert!(check.opens(&row.mark.unwrap()));
    }
}
