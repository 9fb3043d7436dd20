use super::*;
use proptest::prelude::*;
use provost_domain::{
    Autonomy, Charter, Decimal, Environment, ToolName,
    charter::{
        ArgRule, Budget, BudgetScope, BudgetSum, Delegation, Grant, Hours, Retirement, Scalar, Weekday,
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn charter_of(changes: Value) -> Charter {
    let mut whole = json!({
        "purpose": "pays", "owner": "olga", "deputies": ["dora"], "users": ["una"], "environment": "production",
        "autonomy": "supervised", "data": ["confidential"],
        "grants": [
            {"system": "bank", "tools": ["pay"], "args": {
                "amount": {"max": "500.0", "min": "1.0"}, "to": {"one_of": ["a", "b"]}, "memo": {"like": "x*", "optional": true},
            }},
            {"system": "bank", "tools": ["look"]},
        ],
        "budgets": [{"name": "day", "system": "bank", "tools": ["pay"], "window": 1000, "per": "agent", "count_max": 3,
            "sum": {"arg": "amount", "max": "900.0"}}],
        "hours": {"days": ["mon", "tue"], "from_minute": 480, "to_minute": 1000, "timezone": "UTC"},
        "delegation": {"depth_max": 1, "children_max": 2}, "manifest": {"model": "m"},
        "retirement": {"expires": 5000, "idle_days_max": 8}, "task_duration_max": 900,
    });
    for (pointer, value) in changes.as_object().unwrap() {
        match whole.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => {
                let (around, name) = pointer.rsplit_once('/').unwrap();
                whole.pointer_mut(around).unwrap()[name] = value.clone();
            }
        }
    }
    prune(&mut whole);
    serde_json::from_value(whole).unwrap()
}

/// `null` stands for what is not there.
fn prune(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_name, value| !value.is_null());
            members.values_mut().for_each(prune);
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(prune);
        }
        _ => {}
    }
}

#[test]
fn what_gains_nothing_in_a_charter_and_what_does() {
    let cases: &[(&str, Value, bool)] = &[
        ("nothing", json!({}), true),
        ("a tool less", json!({"/grants/1": null}), true),
        ("no tool", json!({"/grants": []}), true),
        ("a tool more", json!({"/grants/1/tools": ["look", "list"]}), false),
        ("another tool", json!({"/grants/1/tools": ["list"]}), false),
        ("the same name at another system", json!({"/grants/1/system": "shop"}), false),
        ("a tool twice", json!({"/grants/1/tools": ["look", "look"]}), false),
        ("a lower limit", json!({"/grants/0/args/amount/max": "400.0"}), true),
        ("a higher limit", json!({"/grants/0/args/amount/max": "500.1"}), false),
        ("no limit", json!({"/grants/0/args/amount": null}), false),
        ("no upper limit", json!({"/grants/0/args/amount/max": null}), false),
        ("a higher least", json!({"/grants/0/args/amount/min": "2.0"}), true),
        ("a lower least", json!({"/grants/0/args/amount/min": "0.5"}), false),
        ("one value less", json!({"/grants/0/args/to/one_of": ["a"]}), true),
        ("one value more", json!({"/grants/0/args/to/one_of": ["a", "b", "c"]}), false),
        ("any value", json!({"/grants/0/args/to/one_of": []}), false),
        ("a value that must not be, too", json!({"/grants/0/args/to/none_of": ["a"]}), true),
        ("another pattern, nobody can tell", json!({"/grants/0/args/memo/like": "xx*"}), false),
        ("no pattern", json!({"/grants/0/args/memo": null}), false),
        ("an argument that may be left out", json!({"/grants/0/args/amount/optional": true}), false),
        (
            "one that must be left out, and had to be there",
            json!({"/grants/0/args/to": {"absent": true}}),
            false,
        ),
        ("one that must be left out, and could be", json!({"/grants/0/args/memo": {"absent": true}}), true),
        (
            "one that must be there, and could be left out",
            json!({"/grants/0/args/memo/optional": false}),
            true,
        ),
        ("a limit on another argument", json!({"/grants/0/args/when": {"one_of": ["now"]}}), true),
        ("data less", json!({"/data": []}), true),
        ("data more", json!({"/data": ["confidential", "payroll"]}), false),
        ("a user less", json!({"/users": []}), true),
        ("a user more", json!({"/users": ["una", "uwe"]}), false),
        ("less autonomy", json!({"/autonomy": "probation"}), true),
        ("more autonomy", json!({"/autonomy": "bounded"}), false),
        ("from production to the sandbox", json!({"/environment": "sandbox"}), false),
        ("another owner", json!({"/owner": "oscar"}), false),
        ("another deputy", json!({"/deputies": ["dan"]}), false),
        ("no deputy", json!({"/deputies": []}), false),
        ("another purpose", json!({"/purpose": "pays more"}), false),
        ("another model", json!({"/manifest/model": "n"}), false),
        ("earlier", json!({"/retirement/expires": 4000}), true),
        ("later", json!({"/retirement/expires": 5001}), false),
        ("never", json!({"/retirement/expires": null}), false),
        ("fewer idle days", json!({"/retirement/idle_days_max": 7}), true),
        ("shorter tasks", json!({"/task_duration_max": 899}), true),
        ("longer tasks", json!({"/task_duration_max": 901}), false),
        ("no delegation", json!({"/delegation": {"depth_max": 0, "children_max": 0}}), true),
        ("deeper", json!({"/delegation/depth_max": 2}), false),
        ("broader, less deep", json!({"/delegation": {"depth_max": 0, "children_max": 3}}), false),
        ("fewer calls", json!({"/budgets/0/count_max": 2}), true),
        ("more calls", json!({"/budgets/0/count_max": 4}), false),
        ("any number of calls", json!({"/budgets/0/count_max": null}), false),
        ("a smaller sum", json!({"/budgets/0/sum/max": "899.0"}), true),
        ("another sum", json!({"/budgets/0/sum/arg": "fee"}), false),
        (
            "a budget more",
            json!({"/budgets": [
            {"name": "day", "system": "bank", "tools": ["pay"], "window": 1000, "per": "agent", "count_max": 3,
                "sum": {"arg": "amount", "max": "900.0"}},
            {"name": "hour", "system": "bank", "tools": ["look"], "window": 10, "per": "task", "count_max": 1}]}),
            true,
        ),
        ("a budget of another name", json!({"/budgets/0/name": "daily"}), false),
        ("no budget", json!({"/budgets": []}), false),
        ("a shorter window", json!({"/budgets/0/window": 999}), false),
        ("each task by itself", json!({"/budgets/0/per": "task"}), false),
        ("a tool that is no longer counted", json!({"/budgets/0/tools": []}), false),
        ("one day less", json!({"/hours/days": ["mon"]}), true),
        ("one day more", json!({"/hours/days": ["mon", "tue", "wed"]}), false),
        ("fewer hours", json!({"/hours/from_minute": 500}), true),
        ("over midnight", json!({"/hours/to_minute": 479}), false),
        ("another zone", json!({"/hours/timezone": "Europe/Berlin"}), false),
        ("at any time", json!({"/hours": null}), false),
    ];
    let before = charter_of(json!({}));
    for (what, changes, expected) in cases {
        assert_eq!(charter(&before, &charter_of(changes.clone())), *expected, "{what}");
    }
}

#[test]
fn what_gains_nothing_in_the_other_rows_and_what_does() {
    let organisation = json!({"kind": "organisation", "body": {"display": "Acme", "production_revocation_max": 1000,
        "groups": {"security": {"members": ["fay", "finn"], "needs": 1}}}});
    let person = json!({"kind": "person", "body": {"name": "olga", "display": "Olga", "active": true, "roles": ["viewer"],
        "logins": [{"issuer": "idp", "subject": "1", "added": 1}]}});
    let tool = json!({"kind": "tool", "body": {"system": "bank", "name": "pay", "pin": provost_domain::Digest::of(b"x"),
        "effects": ["financial"], "returns": [{"label": "confidential"}], "sends_out": false}});
    let system = json!({"kind": "system", "body": {"name": "bank", "description": "a bank", "environment": "production",
        "connection": {"kind": "mcp-local"}, "revocation_max": 1000}});
    let policy = |text: &str| json!({"kind": "policy", "body": {"name": "p", "text": text}});
    let with = |row: &Value, pointer: &str, value: Value| {
        let mut row = row.clone();
        let (around, name) = pointer.rsplit_once('/').unwrap();
        row.pointer_mut(&format!("/body{around}")).unwrap()[name] = value;
        row
    };
    let none = Value::Null;
    let changes = |rules: Value| with(&organisation, "/changes", rules);
    let strict = json!({"sandbox": ["owner"], "staging": ["owner", "security"], "production": ["owner", "security"],
        "rules": ["administrators", "security"]});
    let cases: Vec<(&str, Value, Value, bool)> = vec![
        ("the rules tighten", organisation.clone(), changes(strict.clone()), true),
        ("the rules loosen", changes(strict), organisation.clone(), false),
        ("another gate instead", organisation.clone(), changes(json!({"production": ["security"]})), false),
        ("proposals wait longer", organisation.clone(), changes(json!({"wait": 999_999_999_999_u64})), false),
        ("a review later", organisation.clone(), changes(json!({"review": 999_999_999_999_u64})), false),
        (
            "no bound",
            organisation.clone(),
            with(&organisation, "/production_revocation_max", json!(null)),
            false,
        ),
        (
            "a lower bound",
            organisation.clone(),
            with(&organisation, "/production_revocation_max", json!(999)),
            true,
        ),
        (
            "oneself in the group",
            organisation.clone(),
            with(&organisation, "/groups/security/members", json!(["fay", "finn", "me"])),
            false,
        ),
        (
            "one member less",
            organisation.clone(),
            with(&organisation, "/groups/security/members", json!(["fay"])),
            true,
        ),
        (
            "more must agree",
            organisation.clone(),
            with(&organisation, "/groups/security/needs", json!(2)),
            true,
        ),
        (
            "a new group",
            organisation.clone(),
            with(&organisation, "/groups/finance", json!({"members": ["fay"], "needs": 1})),
            false,
        ),
        (
            "deputies at any time",
            with(&organisation, "/approvals", json!({"deputies_only_while_away": true})),
            organisation.clone(),
            false,
        ),
        (
            "no more signatures",
            organisation.clone(),
            with(&organisation, "/approvals", json!({"signed": "never"})),
            false,
        ),
        (
            "more signatures",
            organisation.clone(),
            with(&organisation, "/approvals", json!({"signed": "always"})),
            true,
        ),
        (
            "escalation",
            organisation.clone(),
            with(&organisation, "/approvals", json!({"escalate_after": 5})),
            false,
        ),
        ("the organisation goes", organisation.clone(), none.clone(), false),
        ("somebody joins", none.clone(), person.clone(), false),
        ("somebody leaves", person.clone(), with(&person, "/active", json!(false)), true),
        ("somebody is back", with(&person, "/active", json!(false)), person.clone(), false),
        ("a role", person.clone(), with(&person, "/roles", json!(["viewer", "administrator"])), false),
        ("a role less", person.clone(), with(&person, "/roles", json!([])), false),
        ("an address", person.clone(), with(&person, "/email", json!("a@b")), false),
        ("a manager", person.clone(), with(&person, "/manager", json!("mona")), false),
        ("a login less", person.clone(), with(&person, "/logins", json!([])), true),
        (
            "another login",
            person.clone(),
            with(&person, "/logins", json!([{"issuer": "idp", "subject": "2", "added": 1}])),
            false,
        ),
        ("who has a role is taken out", person.clone(), none.clone(), false),
        ("a new system", none.clone(), system.clone(), false),
        ("a system goes", system.clone(), none.clone(), true),
        (
            "a system answers faster, it says",
            system.clone(),
            with(&system, "/revocation_max", json!(1)),
            false,
        ),
        ("a system elsewhere", system.clone(), with(&system, "/environment", json!("sandbox")), false),
        (
            "its resources are labelled",
            system.clone(),
            with(&system, "/resource_labels", json!(["untrusted"])),
            true,
        ),
        ("a new tool", none.clone(), tool.clone(), false),
        ("a tool goes", tool.clone(), none.clone(), true),
        ("another pin", tool.clone(), with(&tool, "/pin", json!(provost_domain::Digest::of(b"y"))), false),
        ("another class", tool.clone(), with(&tool, "/effects", json!(["read"])), false),
        ("a class more", tool.clone(), with(&tool, "/effects", json!(["financial", "delete"])), true),
        ("no class, which is every class", tool.clone(), with(&tool, "/effects", json!([])), true),
        ("a class where there was none", with(&tool, "/effects", json!([])), tool.clone(), false),
        (
            "a label more",
            tool.clone(),
            with(&tool, "/returns", json!([{"label": "confidential"}, {"label": "untrusted"}])),
            true,
        ),
        ("a label less", tool.clone(), with(&tool, "/returns", json!([])), false),
        ("it sends out", tool.clone(), with(&tool, "/sends_out", json!(true)), true),
        ("a new argument", tool.clone(), with(&tool, "/args", json!({"to": {"type": "string"}})), false),
        ("a policy that forbids", none.clone(), policy("forbid (principal, action, resource);"), true),
        (
            "one that permits",
            none.clone(),
            policy("@reason(\"http://x\") permit (principal, action, resource);"),
            false,
        ),
        ("a policy goes", policy("forbid (principal, action, resource);"), none, false),
        ("its text changes", policy("forbid (principal, action, resource);"), policy("// forbid"), false),
    ];
    for (what, before, after, expected) in cases {
        let row = |value: Value| (!value.is_null()).then(|| serde_json::from_value::<Object>(value).unwrap());
        assert_eq!(gains_nothing(row(before).as_ref(), row(after).as_ref()), expected, "{what}");
    }
}

/// What a call looks like to a charter: everything that it can turn on.
#[derive(Debug, Clone)]
struct Call {
    tool: usize,
    arg: Option<i64>,
    user: usize,
    day: usize,
    minute: u16,
    at: i64,
    lasts: u64,
    label: usize,
    depth: u8,
    autonomy: Autonomy,
    /// Calls of each tool before it, within any window, by the agent as a whole.
    before: [u32; 3],
}

const TOOLS: [&str; 3] = ["pay", "look", "list"];
const USERS: [&str; 3] = ["una", "uwe", "ute"];
const LABELS: [&str; 3] = ["confidential", "payroll", "untrusted"];

/// Whether a charter lets a call through, from what its parts are documented to mean, part by part.
fn lets(charter: &Charter, call: &Call) -> bool {
    let tool: ToolName = TOOLS[call.tool].parse().unwrap();
    let granted: Vec<&Grant> = charter.grants.iter().filter(|grant| grant.tools.contains(&tool)).collect();
    let rules = granted.iter().all(|grant| grant.args.get("n").is_none_or(|rule| keeps(rule, call.arg)));
    let hours = charter.hours.as_deref().is_none_or(|hours| {
        hours.days.contains(&Weekday::ALL[call.day])
            && (hours.from_minute..hours.to_minute).contains(&call.minute)
    });
    let budgets = charter.budgets.iter().filter(|budget| budget.tools.contains(&tool)).all(|budget| {
        let used: u32 = (0..3)
            .filter(|index| budget.tools.iter().any(|tool| tool.as_str() == TOOLS[*index]))
            .map(|index| call.before[index])
            .sum();
        budget.count_max.is_none_or(|most| used < most)
            && budget.sum.as_ref().is_none_or(|sum| {
                i64::from(used) * 10_000 + call.arg.unwrap_or(0) * 10_000 <= sum.max.units()
            })
    });
    !granted.is_empty()
        && rules
        && hours
        && budgets
        && charter.users.iter().any(|user| user.as_str() == USERS[call.user])
        && charter.data.iter().any(|label| label.as_str() == LABELS[call.label])
        && charter.retirement.expires.is_none_or(|expires| call.at < expires.as_millis())
        && call.lasts <= charter.task_duration_max.0
        && call.depth <= charter.delegation.depth_max
        && call.autonomy <= charter.autonomy
}

fn keeps(rule: &ArgRule, arg: Option<i64>) -> bool {
    let Some(value) = arg else { return rule.optional || rule.absent };
    let scalar = Scalar::Long(value);
    let number: Decimal = format!("{value}.0").parse().unwrap();
    !rule.absent
        && (rule.one_of.is_empty() || rule.one_of.contains(&scalar))
        && !rule.none_of.contains(&scalar)
        && rule.min.is_none_or(|min| number >= min)
        && rule.max.is_none_or(|max| number <= max)
}

fn some<T: std::fmt::Debug + Clone + 'static>(
    of: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    prop_oneof![Just(None), of.prop_map(Some)].boxed()
}

fn subset(of: &'static [&'static str]) -> BoxedStrategy<Vec<&'static str>> {
    proptest::sample::subsequence(of, 0..=of.len()).boxed()
}

fn rules() -> impl Strategy<Value = ArgRule> {
    let values = || proptest::sample::subsequence(vec![1_i64, 2, 3], 0..=3);
    let bound = || some((0_u8..5).prop_map(|n| format!("{n}.0").parse::<Decimal>().unwrap()));
    (values(), values(), bound(), bound(), any::<bool>(), proptest::bool::weighted(0.2)).prop_map(
        |(one_of, none_of, min, max, optional, absent)| ArgRule {
            one_of: one_of.into_iter().map(Scalar::Long).collect(),
            none_of: none_of.into_iter().map(Scalar::Long).collect(),
            min,
            max,
            optional,
            absent,
            ..ArgRule::default()
        },
    )
}

fn charters() -> impl Strategy<Value = Charter> {
    let grants = proptest::collection::vec((subset(&TOOLS), some(rules())), 0..3);
    let budgets =
        proptest::collection::vec((0_usize..2, subset(&TOOLS), some(0_u32..4), some(0_u8..9)), 0..3);
    let hours = some((proptest::sample::subsequence(vec![0_usize, 1, 2], 0..=3), 0_u16..4, 0_u16..5));
    let rest = (0_usize..3, subset(&USERS), subset(&LABELS), some(0_i64..4), 0_u64..4, 0_u8..3);
    (grants, budgets, hours, rest).prop_map(
        |(grants, budgets, hours, (autonomy, users, data, expires, lasts, depth))| {
            let tools = |tools: &[&str]| tools.iter().map(|tool| tool.parse().unwrap()).collect();
            let grant = |(names, rule): (Vec<&str>, Option<ArgRule>)| Grant {
                system: "bank".parse().unwrap(),
                tools: tools(&names),
                args: rule.map(|rule| ("n".to_owned(), rule)).into_iter().collect(),
            };
            let budget =
                |(name, counted, count_max, sum): (usize, Vec<&str>, Option<u32>, Option<u8>)| Budget {
                    name: ["day", "hour"][name].parse().unwrap(),
                    system: "bank".parse().unwrap(),
                    tools: tools(&counted),
                    window: provost_domain::DurationMs(1_000),
                    per: BudgetScope::Agent,
                    count_max,
                    sum: sum.map(|max| BudgetSum {
                        arg: "n".to_owned(),
                        max: format!("{max}.0").parse().unwrap(),
                    }),
                };
            let hours = hours.map(|(days, from, to)| {
                let days: BTreeSet<Weekday> = days.into_iter().map(|day| Weekday::ALL[day]).collect();
                std::sync::Arc::new(Hours { days, from_minute: from, to_minute: to, timezone: "UTC".into() })
            });
            Charter {
                purpose: "p".into(),
                owner: "olga".parse().unwrap(),
                deputies: Vec::new().into(),
                users: users.iter().map(|user| user.parse().unwrap()).collect(),
                environment: Environment::Production,
                autonomy: Autonomy::ALL[autonomy],
                grants: grants.into_iter().map(grant).collect(),
                data: std::sync::Arc::new(data.iter().map(|label| label.parse().unwrap()).collect()),
                budgets: budgets.into_iter().map(budget).collect(),
                hours,
                delegation: Delegation { depth_max: depth, children_max: 1 },
                manifest: Default::default(),
                retirement: Retirement {
                    expires: expires.map(provost_domain::Timestamp::from_millis),
                    idle_days_max: None,
                },
                task_duration_max: provost_domain::DurationMs(lasts),
            }
        },
    )
}

fn calls() -> impl Strategy<Value = Call> {
    let turns =
        (0_usize..3, some(0_i64..5), 0_usize..3, 0_usize..3, 0_u16..5, 0_i64..4, 0_u64..4, 0_usize..3);
    (turns, 0_u8..3, 0_usize..3, proptest::array::uniform3(0_u32..4)).prop_map(
        |((tool, arg, user, day, minute, at, lasts, label), depth, autonomy, before)| Call {
            tool,
            arg,
            user,
            day,
            minute,
            at,
            lasts,
            label,
            depth,
            autonomy: Autonomy::ALL[autonomy],
            before,
        },
    )
}

/// Another charter near the first: most of its parts are the first's, so that there is something to compare.
fn near() -> impl Strategy<Value = (Charter, Charter)> {
    (charters(), charters(), proptest::collection::vec(proptest::bool::weighted(0.25), 9)).prop_map(
        |(one, other, take)| {
            let mut near = one.clone();
            let take = |index: usize| take[index];
            if take(0) {
                near.grants = other.grants.clone()
            }
            if take(1) {
                near.budgets = other.budgets.clone()
            }
            if take(2) {
                near.hours = other.hours.clone()
            }
            if take(3) {
                near.users = other.users.clone()
            }
            if take(4) {
                near.data = other.data.clone()
            }
            if take(5) {
                near.retirement = other.retirement
            }
            if take(6) {
                near.task_duration_max = other.task_duration_max
            }
            if take(7) {
                near.delegation = other.delegation
            }
            if take(8) {
                near.autonomy = other.autonomy
            }
            (one, near)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    /// The promise: whoever changes alone what gains nothing never lets through a call that was refused before.
    #[test]
    fn a_change_that_gains_nothing_lets_no_call_through_that_was_refused(
        (before, after) in near(), calls in proptest::collection::vec(calls(), 24),
    ) {
        if charter(&before, &after) {
            for call in calls {
                prop_assert!(lets(&before, &call) || !lets(&after, &call), "{call:?}\n{before:#?}\n{after:#?}");
            }
        }
    }

    /// A change cut into many small ones gains no more than it would whole.
    #[test]
    fn steps_that_gain_nothing_gain_nothing_together(
        rules in proptest::collection::vec(rules(), 3), (one, two) in near(), (_, three) in near(),
    ) {
        if charter(&one, &two) && charter(&two, &three) {
            prop_assert!(charter(&one, &three));
        }
        let with = |rule: &ArgRule| {
            let mut charter = one.clone();
            let args = BTreeMap::from([("n".to_owned(), rule.clone())]);
            charter.grants = [Grant { system: "bank".parse().unwrap(), tools: ["pay".parse().unwrap()].into(),
                args: args.into_iter().collect() }].into();
            charter
        };
        let all: Vec<Charter> = rules.iter().map(with).collect();
        if charter(&all[0], &all[1]) && charter(&all[1], &all[2]) {
            prop_assert!(charter(&all[0], &all[2]));
        }
    }
}
