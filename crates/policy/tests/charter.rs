//! Rules of charters, as tables of rule and argument; what cannot be said is refused; hostile words stay words.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use proptest::prelude::*;
use provost_domain::{
    Autonomy, Decimal, DurationMs, Effect, Environment, Object, Timestamp, Tool, Verdict,
    charter::{ArgRule, Budget, BudgetScope, BudgetSum, Hours, Scalar, Weekday},
    tool::{ArgShape, ArgType},
};
use provost_policy::{Pdp, Place, check};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use support::{Call, NOON, arg, grant, name, tool_name};

fn shapes() -> Vec<(&'static str, ArgType)> {
    let members = BTreeMap::from([
        ("iban".to_owned(), arg(ArgShape::String, true)),
        ("bic".to_owned(), arg(ArgShape::String, false)),
    ]);
    vec![
        ("text", arg(ArgShape::String, false)),
        ("count", arg(ArgShape::Long, false)),
        ("amount", arg(ArgShape::Decimal, true)),
        ("flag", arg(ArgShape::Bool, false)),
        ("tags", arg(ArgShape::Set { of: Box::new(ArgShape::String) }, false)),
        ("to", arg(ArgShape::Record { members }, false)),
        ("any", arg(ArgShape::Json, false)),
    ]
}

/// A call by an agent whose one granted tool has arguments of every shape and these rules on them.
fn call(rules: &[(&str, ArgRule)], args: Value) -> Call {
    let system = support::system("sys", Environment::Sandbox);
    let tool = support::tool("sys", "act", &[Effect::Write], &shapes());
    let mut agent = support::agent("robot");
    agent.charter.autonomy = Autonomy::Bounded;
    agent.charter.grants = Arc::new([grant("sys", &["act"], rules)]);
    let mut call = Call::of(agent, system, tool);
    call.args = args;
    call.args.as_object_mut().unwrap().entry("amount").or_insert(json!(1));
    call
}

fn rule() -> ArgRule {
    ArgRule::default()
}

fn text(value: &str) -> Scalar {
    Scalar::Text(value.to_owned())
}

fn decimal(value: &str) -> Option<Decimal> {
    Some(value.parse().unwrap())
}

#[test]
fn a_rule_allows_what_keeps_to_it_and_refuses_everything_else() {
    let one_of = |values: &[Scalar]| ArgRule { one_of: values.into(), ..rule() };
    let none_of = |values: &[Scalar]| ArgRule { none_of: values.into(), ..rule() };
    let optional = |rule: ArgRule| ArgRule { optional: true, ..rule };
    let like = |pattern: &str| ArgRule { like: Some(pattern.into()), ..rule() };
    let between = |min: &str, max: &str| ArgRule { min: decimal(min), max: decimal(max), ..rule() };
    let absent = ArgRule { absent: true, ..rule() };
    let not_like = ArgRule { not_like: Some("*.exe".into()), ..rule() };
    for (path, rule, args, allowed) in [
        ("text", one_of(&[text("a"), text("b")]), json!({"text": "a"}), true),
        ("text", one_of(&[text("a"), text("b")]), json!({"text": "c"}), false),
        ("text", one_of(&[text("a")]), json!({}), false),
        ("text", optional(one_of(&[text("a")])), json!({}), true),
        ("text", optional(one_of(&[text("a")])), json!({"text": "b"}), false),
        ("text", none_of(&[text("a")]), json!({"text": "a"}), false),
        ("text", none_of(&[text("a")]), json!({"text": "b"}), true),
        ("text", rule(), json!({}), false),
        ("text", rule(), json!({"text": ""}), true),
        ("text", optional(rule()), json!({}), true),
        ("text", like("/srv/*"), json!({"text": "/srv/a"}), true),
        ("text", like("/srv/*"), json!({"text": "/etc/srv/a"}), false),
        ("text", like("/srv/*"), json!({"text": "/srv/a.b/..c"}), false),
        ("text", like("/srv/*"), json!({"text": "/srv/../etc/passwd"}), false),
        ("text", like("/srv/*"), json!({"text": "/srv/a/.."}), false),
        ("text", like("/srv/*"), json!({"text": r"/srv/a\..\..\etc"}), false),
        ("text", like("https://a/*"), json!({"text": "https://a/%2e%2e/b"}), false),
        ("text", like("https://a/*"), json!({"text": "https://a/%2E./b"}), false),
        ("text", like("/srv/*"), json!({"text": "/srv/a.b/c...d"}), true),
        ("text", like("*"), json!({"text": "a/../b"}), true),
        ("text", like(r"\*"), json!({"text": "*"}), true),
        ("text", like(r"\*"), json!({"text": "x"}), false),
        ("text", not_like.clone(), json!({"text": "a.exe"}), false),
        ("text", not_like, json!({"text": "a.txt"}), true),
        ("text", absent.clone(), json!({}), true),
        ("text", absent.clone(), json!({"text": ""}), false),
        ("to.bic", absent, json!({"to": {"iban": "x", "bic": "y"}}), false),
        ("count", between("1", "3"), json!({"count": 1}), true),
        ("count", between("1", "3"), json!({"count": 3}), true),
        ("count", between("1", "3"), json!({"count": 0}), false),
        ("count", between("1", "3"), json!({"count": 4}), false),
        ("count", one_of(&[Scalar::Long(5)]), json!({"count": 5}), true),
        ("amount", between("0", "500"), json!({"amount": 500}), true),
        ("amount", between("0", "500"), json!({"amount": 500.0001}), false),
        ("amount", between("0", "500"), json!({"amount": -0.0001}), false),
        ("amount", one_of(&[text("1.50"), Scalar::Long(2)]), json!({"amount": 1.5}), true),
        ("amount", one_of(&[text("1.50"), Scalar::Long(2)]), json!({"amount": 2.0}), true),
        ("amount", one_of(&[text("1.50")]), json!({"amount": 1.51}), false),
        ("flag", one_of(&[Scalar::Bool(false)]), json!({"flag": false}), true),
        ("flag", one_of(&[Scalar::Bool(false)]), json!({"flag": true}), false),
        ("tags", one_of(&[text("a"), text("b")]), json!({"tags": ["b", "a", "a"]}), true),
        ("tags", one_of(&[text("a"), text("b")]), json!({"tags": []}), true),
        ("tags", one_of(&[text("a"), text("b")]), json!({"tags": ["a", "c"]}), false),
        ("tags", none_of(&[text("a")]), json!({"tags": ["b", "a"]}), false),
        ("to.iban", like("DE*"), json!({"to": {"iban": "DE1"}}), true),
        ("to.iban", like("DE*"), json!({"to": {"iban": "FR1"}}), false),
        ("to.iban", like("DE*"), json!({}), false),
        ("to.bic", optional(like("X*")), json!({"to": {"iban": "DE1"}}), true),
        ("to.bic", optional(like("X*")), json!({}), true),
        ("to.bic", optional(like("X*")), json!({"to": {"iban": "DE1", "bic": "Y"}}), false),
        ("any", like(r#"{"a":*"#), json!({"any": {"a": [1]}}), true),
        ("any", one_of(&[text("null")]), json!({"any": null}), true),
    ] {
        let call = call(&[(path, rule.clone())], args.clone());
        assert_eq!(check(&call.organisation()), [], "{path} {rule:?}");
        let (said, ids) = call.said();
        let expected = if allowed {
            "charter/robot/1/sys.act".to_owned()
        } else {
            format!("charter/robot/1/sys.act/{path}")
        };
        assert_eq!((said == "allow", ids), (allowed, vec![expected]), "{path} {rule:?} {args}");
    }
}

#[test]
fn a_refusal_names_the_limit_and_how_to_keep_to_it() {
    let max = ArgRule { max: decimal("500"), ..rule() };
    let Verdict::Deny { reasons, possible_if } =
        call(&[("amount", max)], json!({"amount": 900})).decide().verdict
    else {
        panic!("an amount over the limit is denied")
    };
    assert_eq!(reasons[0].reason, "`amount` must be at most 500.0");
    assert_eq!(possible_if, ["lower `amount` to at most 500.0"]);
}

#[test]
fn arguments_of_wrong_types_are_refused_before_any_policy() {
    for (args, reason) in [
        (json!({"text": 1}), "`text` must be text, and is a number"),
        (json!({"amount": 0.00001}), "`amount` is refused: `0.00001` is not a decimal with at most four"),
        (json!({"extra": 1}), "`extra` is not an argument of this tool"),
        (json!({"to": {}}), "`to.iban` is missing"),
    ] {
        let evaluation = call(&[], args.clone()).decide();
        let reasons = evaluation.verdict.reasons();
        assert_eq!(evaluation.verdict.as_str(), "deny");
        assert_eq!(reasons[0].policy, "guardrail/arguments");
        assert!(
            reasons[0].reason.starts_with(reason) || reasons[0].reason.contains(reason),
            "{args}: {reasons:?}"
        );
        assert!(evaluation.errors.is_empty());
    }
}

#[test]
fn a_rule_that_cannot_be_said_is_refused_with_its_path_and_a_cure() {
    let pattern = ArgRule { like: Some("*".into()), ..rule() };
    let bound = |value: &str| ArgRule { max: decimal(value), ..rule() };
    let crossed = ArgRule { min: decimal("5"), max: decimal("4"), ..rule() };
    let listed = |value: Scalar| ArgRule { one_of: [value].into(), ..rule() };
    let absent = ArgRule { absent: true, ..rule() };
    let absent_and_more = ArgRule { like: Some("x".into()), ..absent.clone() };
    for (path, rule, at, message) in [
        ("nothing", rule(), "", "has no argument `nothing`"),
        ("to.nothing", rule(), "", "has no argument `to.nothing`"),
        ("text.more", rule(), "", "has no argument `text.more`"),
        ("text", bound("5"), ".max", "a bound is for numbers, and this is text"),
        ("count", pattern.clone(), ".like", "a pattern is for text, and this is a whole number"),
        ("count", bound("1.5"), ".max", "is a fraction"),
        ("amount", crossed, ".min", "no value fits"),
        ("amount", listed(text("abc")), ".one_of", "is not a decimal"),
        ("amount", listed(Scalar::Long(i64::MAX)), ".one_of", "too large"),
        ("flag", listed(text("true")), ".one_of", "is not true or false"),
        ("to", listed(text("x")), ".one_of", "an object cannot be listed"),
        ("tags", pattern, ".like", "a pattern is for text, and this is a list"),
        ("amount", absent.clone(), ".absent", "no call could leave it out"),
        ("text", absent_and_more, ".absent", "to be left out, and there are limits"),
    ] {
        let faults = check(&call(&[(path, rule.clone())], json!({})).organisation());
        assert_eq!(faults.len(), 1, "{path} {rule:?}: {faults:?}");
        let Place::Charter { agent, path: found } = &faults[0].place else { panic!("{faults:?}") };
        assert_eq!(
            (agent.as_str(), found.as_str()),
            ("robot", format!("grants[0].args.{path}{at}").as_str())
        );
        assert!(faults[0].message.contains(message), "{}", faults[0].message);
        assert!(faults[0].help.is_some());
    }
}

#[test]
fn every_fault_of_a_charter_is_told_at_once() {
    let mut call = call(&[("nothing", rule()), ("text", ArgRule { max: decimal("1"), ..rule() })], json!({}));
    let charter = &mut call.agent.charter;
    let more = [grant("nowhere", &["x"], &[]), grant("sys", &["act", "acts"], &[])];
    charter.grants = charter.grants.iter().cloned().chain(more).collect();
    charter.hours = Some(Arc::new(Hours {
        days: BTreeSet::new(),
        from_minute: 600,
        to_minute: 600,
        timezone: "Mars/Olympus".to_owned(),
    }));
    charter.budgets = Arc::new([budget(Some(1), Some("text")), budget(None, None)]);
    let faults: Vec<String> = check(&call.organisation()).iter().map(ToString::to_string).collect();
    for (at, message) in [
        ("grants[0].args.nothing", "has no argument `nothing`"),
        ("grants[0].args.text.max", "a bound is for numbers"),
        ("grants[1].system", "no system is named `nowhere`"),
        ("grants[2].tools", "`sys/act` is granted twice"),
        ("grants[2].tools", "system `sys` has no tool `acts`"),
        ("hours.days", "names no day"),
        ("hours", "10:00 to 10:00 is no span of a day"),
        ("hours.timezone", "\"Mars/Olympus\" is not a time zone"),
        ("budgets[0].sum.arg", "`text` of sys/act is text, not a number"),
        ("budgets[1].name", "`payments` is used twice"),
        ("budgets[1]", "limits nothing"),
    ] {
        let found = faults.iter().any(|fault| fault.contains(&format!("{at}: ")) && fault.contains(message));
        assert!(found, "{at} {message} is not among {faults:#?}");
    }
    assert_eq!(faults.len(), 11, "{faults:#?}");
}

fn budget(count_max: Option<u32>, sum: Option<&str>) -> Budget {
    Budget {
        name: name("payments"),
        system: name("sys"),
        tools: Arc::new([tool_name("act")]),
        window: DurationMs(86_400_000),
        per: BudgetScope::Agent,
        count_max,
        sum: sum.map(|arg| BudgetSum { arg: arg.to_owned(), max: "1000".parse().unwrap() }),
    }
}

#[test]
fn an_exhausted_budget_refuses_by_name_and_says_when_to_come_back() {
    let mut call = call(&[], json!({}));
    call.agent.charter.budgets = Arc::new([budget(Some(3), Some("amount"))]);
    assert_eq!(check(&call.organisation()), []);
    assert_eq!(call.said().0, "allow");
    call.exhausted = vec![name("payments")];
    let Verdict::Deny { reasons, possible_if } = call.decide().verdict else { panic!("no room is a denial") };
    assert_eq!(reasons[0].policy, "charter/robot/1/budget/payments");
    assert_eq!(reasons[0].reason, "at most 3 calls and 1000.0 of `amount` in 1d");
    assert_eq!(reasons[1].policy, "guardrail/budget");
    assert_eq!(possible_if, ["wait until the 1d window has room"]);
}

#[test]
fn a_call_draws_on_every_budget_it_counts_for() {
    let mut call = call(&[], json!({}));
    let of_task = Budget { per: BudgetScope::Task, name: name("once"), ..budget(Some(1), None) };
    let other =
        Budget { tools: Arc::new([tool_name("other")]), name: name("other"), ..budget(Some(1), None) };
    call.agent.charter.budgets = Arc::new([budget(Some(3), Some("amount")), of_task, other]);
    let draws = |args: Value| Pdp::budgets(&call.agent, &call.tool, args.as_object().unwrap(), &call.task);
    let found = draws(json!({"amount": 12.5})).unwrap();
    let short: Vec<_> = found.iter().map(|draw| (draw.key.as_str(), draw.amount, draw.max)).collect();
    let task_key = format!("task/{}/once/count", call.task.id);
    assert_eq!(
        short,
        [
            ("agent/robot/payments/count", 1, 3),
            ("agent/robot/payments/sum", 125_000, 10_000_000),
            (task_key.as_str(), 1, 1)
        ]
    );
    for (args, problem) in [
        (json!({}), "is missing"),
        (json!({"amount": -1}), "is negative"),
        (json!({"amount": "1"}), "is text, not a number"),
        (json!({"amount": 1e300}), "is not a decimal"),
    ] {
        let error = draws(args.clone()).unwrap_err();
        assert!(error.to_string().contains(problem), "{args}: {error}");
    }
}

#[test]
fn hours_are_of_the_place_and_end_before_their_last_minute() {
    let mut call = call(&[], json!({}));
    call.agent.charter.hours = Some(Arc::new(Hours {
        days: BTreeSet::from([Weekday::Mon]),
        from_minute: 13 * 60,
        to_minute: 14 * 60,
        timezone: "Europe/Berlin".to_owned(),
    }));
    assert_eq!(check(&call.organisation()), []);
    for (minutes, expected) in [(-1, "deny"), (0, "allow"), (59, "allow"), (60, "deny"), (24 * 60, "deny")] {
        call.now = Timestamp::from_millis(NOON + minutes * 60_000);
        call.task.expires = Timestamp::from_millis(i64::MAX);
        assert_eq!(call.said().0, expected, "{minutes} minutes after noon UTC");
    }
    call.now = Timestamp::from_millis(i64::MAX - 1);
    let evaluation = call.decide();
    assert_eq!(evaluation.verdict.as_str(), "deny");
    assert!(!evaluation.errors.is_empty(), "a moment without a calendar day is an alarm");
}

#[test]
fn an_expired_charter_refuses_from_the_very_moment() {
    let mut call = call(&[], json!({}));
    call.agent.charter.retirement.expires = Some(call.now);
    assert_eq!(call.said(), ("deny", vec!["charter/robot/1/expires".to_owned()]));
    call.agent.charter.retirement.expires = Some(call.now.plus(DurationMs(1)));
    assert_eq!(call.said().0, "allow");
}

#[test]
fn what_every_mcp_server_has_is_granted_and_limited_like_a_tool() {
    let system = support::system("docs", Environment::Sandbox);
    let resources = provost_domain::tool::BuiltIn::Resources.tool(&system).unwrap();
    let mut agent = support::agent("reader");
    let like = ArgRule { like: Some("file:///srv/docs/*".into()), ..rule() };
    agent.charter.grants = Arc::new([grant("docs", &["@resources"], &[("uri", like)])]);
    let mut call = Call::of(agent, system, resources);
    for (uri, expected) in [("file:///srv/docs/a", "allow"), ("file:///etc/passwd", "deny")] {
        call.args = json!({ "uri": uri });
        assert_eq!(call.said().0, expected, "{uri}");
    }
    let mut directory = call.organisation();
    directory.tools.clear();
    assert_eq!(check(&directory), []);
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\PC]{0,12}",
        Just(r#"") } ; permit(principal, action, resource); //"#.to_owned()),
        Just("\"\\\n\t\u{0}'`*".to_owned()),
        Just("a\" || true || \"".to_owned()),
        Just("\u{202e}\u{301}é𝕏".to_owned()),
        Just("__entity".to_owned()),
        Just("like".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever people write stays a word: the value they listed is the only one allowed, and what was compiled is
    /// as strictly typed as what Cedar reads from text.
    #[test]
    fn no_word_of_a_charter_becomes_syntax(member in hostile(), value in hostile(), other in hostile()) {
        prop_assume!(!member.is_empty());
        let one_of = ArgRule { one_of: [text(&value)].into(), ..rule() };
        let mut call = call(&[], json!({}));
        call.tool = with_member(&call.tool, &member);
        call.agent.charter.grants = Arc::new([grant("sys", &["act"], &[(&member, one_of)])]);
        prop_assert_eq!(check(&call.organisation()), vec![]);
        for (given, allowed) in [(&value, true), (&other, value == other)] {
            call.args = json!({"amount": 1, member.as_str(): given});
            let evaluation = call.decide();
            prop_assert_eq!(evaluation.verdict.is_allow(), allowed, "{:?}", evaluation);
            prop_assert!(evaluation.errors.is_empty());
        }
    }

    #[test]
    fn no_pattern_matches_more_than_it_says(prefix in "[a-z\"\\\\]{0,6}", rest in hostile()) {
        let like = ArgRule { like: Some(format!("{prefix}*").into()), ..rule() };
        let mut call = call(&[("text", like)], json!({}));
        call.directory.put(Object::Tool(call.tool.clone()));
        // A backslash before the star makes it a plain star.
        let literal = prefix.ends_with('\\');
        call.args = json!({"amount": 1, "text": format!("{prefix}{rest}")});
        let plain = format!("{}*", prefix.strip_suffix('\\').unwrap_or(&prefix));
        let expected = if literal { format!("{prefix}{rest}") == plain } else { true };
        prop_assert_eq!(call.decide().verdict.is_allow(), expected);
        call.args = json!({"amount": 1, "text": format!("#{prefix}{rest}")});
        prop_assert_eq!(call.decide().verdict.is_allow(), prefix.is_empty());
    }
}

fn with_member(tool: &Tool, member: &str) -> Tool {
    let mut tool = tool.clone();
    tool.args.clear();
    tool.args.insert("amount".to_owned(), arg(ArgShape::Decimal, true));
    tool.args.insert(member.to_owned(), arg(ArgShape::String, true));
    tool
}
