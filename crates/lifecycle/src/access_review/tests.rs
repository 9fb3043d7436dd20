use super::*;
use proptest::prelude::*;
use provost_domain::access_review::{Peers, Rehearsed, Risk};
use serde_json::json;

fn charter(grants: serde_json::Value) -> Charter {
    serde_json::from_value(
        json!({"purpose": "p", "owner": "maria", "environment": "production", "autonomy": "supervised",
        "grants": grants, "task_duration_max": 1}),
    )
    .unwrap()
}

fn line(tool: &str, counted: &Counted, granted: &[(&str, &ArgRule)]) -> ReviewLine {
    ReviewLine {
        system: "bank".parse().unwrap(),
        tool: tool.parse().unwrap(),
        effects: BTreeSet::new(),
        risk: Risk::High,
        used: counted.used,
        held: counted.held,
        denied: counted.denied,
        first: counted.first,
        last: counted.last,
        tasks: counted.tasks.clone(),
        peers: Peers::default(),
        limits: counted.limits(granted),
        proposed: proposed(counted),
        answer: None,
    }
}

fn review(lines: Vec<ReviewLine>) -> AccessReview {
    AccessReview {
        id: "review_1".to_owned(),
        agent: "clerk".parse().unwrap(),
        because: "test".to_owned(),
        opened: Timestamp::from_millis(0),
        since: Timestamp::from_millis(0),
        due: Timestamp::from_millis(100),
        revision: 1,
        decisions: 0,
        whole: true,
        lines,
        effect: Rehearsed::default(),
        status: ReviewStatus::Open,
        filed: false,
    }
}

/// So many allowed calls with these arguments.
fn called(times: u64, args: serde_json::Value) -> Counted {
    let mut counted = Counted { used: times, ..Counted::default() };
    for _ in 0..times {
        for (arg, value) in args.as_object().unwrap() {
            counted.seen.entry(arg.clone()).or_default().take(value);
        }
    }
    counted
}

#[test]
fn what_was_never_used_goes_and_what_was_used_stays_unless_somebody_says_otherwise() {
    let charter = charter(json!([{"system": "bank", "tools": ["pay", "list", "close"]}]));
    let (used, unused) = (called(20, json!({})), Counted { denied: 3, ..Counted::default() });
    let row = review(vec![line("pay", &used, &[]), line("list", &used, &[]), line("close", &unused, &[])]);
    let tools = |charter: &Charter| -> Vec<String> {
        charter.grants.iter().flat_map(|grant| grant.tools.iter().map(ToString::to_string)).collect()
    };
    assert_eq!(tools(&narrowed(&charter, &row)), ["pay", "list"]);
    let answers = [("bank/pay".to_owned(), Choice::Revoke), ("bank/close".to_owned(), Choice::Keep)].into();
    let said = answered(&row, &answers, None).unwrap();
    assert!(!is_ripe(&said, Timestamp::from_millis(99)) && is_ripe(&said, Timestamp::from_millis(100)));
    let said = answered(&said, &BTreeMap::new(), Some(Rest::Proposed)).unwrap();
    assert!(is_ripe(&said, Timestamp::from_millis(1)));
    assert_eq!(tools(&narrowed(&charter, &said)), ["list", "close"]);
    let kept = answered(&row, &BTreeMap::new(), Some(Rest::Keep)).unwrap();
    assert_eq!(narrowed(&charter, &kept), charter);
    let all = [("bank/pay".to_owned(), Choice::Narrow)].into();
    assert_eq!(answered(&row, &all, None), Err(AnswerError::NoLimits("bank/pay".to_owned())));
    let other = [("bank/other".to_owned(), Choice::Keep)].into();
    assert_eq!(answered(&row, &other, None), Err(AnswerError::NoLine("bank/other".to_owned())));
    let over = done(&row, "plane", 2, Timestamp::from_millis(100));
    assert!(matches!(over.status, ReviewStatus::Done { lapsed: true, .. }));
    assert_eq!(answered(&over, &BTreeMap::new(), None), Err(AnswerError::Done("review_1".to_owned())));
}

#[test]
fn a_tool_is_narrowed_to_what_every_call_kept() {
    let rule: ArgRule = serde_json::from_value(json!({"max": "500.0"})).unwrap();
    let mut counted = called(9, json!({"amount": 80.5, "payee": "ACME"}));
    assert!(counted.limits(&[]).is_empty(), "nine calls say nothing");
    counted.used += 1;
    for (arg, value) in [("amount", json!(120)), ("payee", json!("Kantoor"))] {
        counted.seen.entry(arg.to_owned()).or_default().take(&value);
    }
    let limits = counted.limits(&[("amount", &rule)]);
    assert_eq!(limits["amount"].max, Some("120".parse().unwrap()));
    assert_eq!(
        limits["payee"].one_of.as_ref(),
        [Scalar::Text("ACME".to_owned()), Scalar::Text("Kantoor".to_owned())]
    );
    // Left out once, said otherwise once, or too many to be few: no limit.
    let mut sometimes = called(12, json!({"amount": 1}));
    sometimes.used += 1;
    assert!(sometimes.limits(&[]).is_empty());
    let mut odd = called(12, json!({"amount": 1}));
    odd.used += 1;
    odd.seen.get_mut("amount").unwrap().take(&json!(["x"]));
    assert!(odd.limits(&[]).is_empty());
    let charter =
        charter(json!([{"system": "bank", "tools": ["pay", "list"], "args": {"amount": {"max": "500.0"}}}]));
    let row = review(vec![line("pay", &counted, &[("amount", &rule)])]);
    let row = answered(&row, &[("bank/pay".to_owned(), Choice::Narrow)].into(), None).unwrap();
    let after = narrowed(&charter, &row);
    assert_eq!(after.grants.len(), 2);
    assert!(crate::narrower::charter(&charter, &after));
    let pay = after.grants.iter().find(|grant| grant.tools[0].as_str() == "pay").unwrap();
    assert_eq!(pay.args.get("amount").unwrap().max, Some("120".parse().unwrap()));
}

fn choice() -> impl Strategy<Value = Choice> {
    prop::sample::select(Choice::ALL.to_vec())
}

proptest! {
    #[test]
    fn whatever_is_answered_the_charter_gains_nothing(
        grants in prop::collection::vec((prop::collection::btree_set(0_u8..6, 1..4), prop::option::of(1_i64..500)), 0..4),
        calls in prop::collection::vec((0_u8..6, 0_u64..14, 1_i64..600), 0..6),
        choices in prop::collection::vec(choice(), 6),
    ) {
        // Each tool is granted once, as every reader of files sees to.
        let mut taken = BTreeSet::new();
        let grants: Vec<serde_json::Value> = grants.into_iter().filter_map(|(tools, max)| {
            let tools: Vec<String> = tools.into_iter().filter(|tool| taken.insert(*tool)).map(|tool| format!("t{tool}")).collect();
            let args = max.map_or(json!({}), |max| json!({"amount": {"max": format!("{max}.0")}}));
            (!tools.is_empty()).then(|| json!({"system": "bank", "tools": tools, "args": args}))
        }).collect();
        let charter = charter(json!(grants));
        let lines: Vec<ReviewLine> = calls.into_iter().zip(choices).map(|((tool, times, amount), choice)| {
            let counted = called(times, json!({"amount": amount, "payee": "ACME"}));
            let name = format!("t{tool}");
            let rules: Vec<(&str, &ArgRule)> = charter.grants.iter().filter(|grant| grant.tools.iter().any(|tool| tool.as_str() == name)).flat_map(|grant| grant.args.iter()).collect();
            ReviewLine { answer: Some(choice), ..line(&name, &counted, &rules) }
        }).collect();
        let row = review(lines);
        let after = narrowed(&charter, &row);
        prop_assert!(crate::narrower::charter(&charter, &after), "{charter:?} {after:?}");
        for (system, tool) in revoked(&row) {
            let first = row.lines.iter().find(|line| line.tool == *tool).unwrap();
            prop_assert!(AccessReview::choice(first) != Choice::Revoke || !after.grants_tool(system, tool));
        }
    }
}
