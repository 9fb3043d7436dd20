use super::*;
use proptest::prelude::*;
use serde_json::json;

fn agent(autonomy: Autonomy, model: &str, environment: &str) -> Agent {
    serde_json::from_value(json!({
        "id": "agent_01jx0000000000000000000000", "name": "clerk", "status": "active", "revision": 1,
        "charter": {"purpose": "p", "owner": "maria", "environment": environment, "autonomy": autonomy.as_str(),
            "manifest": {"model": model}, "task_duration_max": 1},
        "provenance": {"created_by": "files", "created_at": 0, "source": "files"},
    }))
    .unwrap()
}

fn graduated() -> AutonomyRules {
    AutonomyRules { graduated: true, ..AutonomyRules::default() }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn a_new_agent_and_one_that_became_another_begin_in_probation() {
    use Autonomy::{Bounded, Probation, Supervised};
    let known = agent(Supervised, "one", "production");
    // Before, as the file has it, trusted as, declared.
    let cases = [
        (None, agent(Bounded, "one", "production"), Probation, Bounded),
        (None, agent(Probation, "one", "production"), Probation, Probation),
        (Some(&known), agent(Bounded, "one", "production"), Supervised, Bounded),
        (Some(&known), agent(Supervised, "one", "production"), Supervised, Supervised),
        (Some(&known), agent(Probation, "one", "production"), Probation, Probation),
        (Some(&known), agent(Supervised, "two", "production"), Probation, Supervised),
        (Some(&known), agent(Supervised, "one", "sandbox"), Probation, Supervised),
    ];
    for (before, after, grade, declared) in cases {
        let settled = settled(&graduated(), before, after, at(9));
        assert_eq!((settled.charter.autonomy, settled.declared()), (grade, declared));
        let begins = before.is_some_and(|before| before.charter.autonomy != grade);
        assert_eq!(settled.graded(), if begins { at(9) } else { at(0) });
    }
}

#[test]
fn a_probationer_of_another_model_begins_anew() {
    let known = agent(Autonomy::Probation, "one", "production");
    let settled = settled(&graduated(), Some(&known), agent(Autonomy::Probation, "two", "production"), at(9));
    assert_eq!(settled.graded(), at(9), "the days of the model before do not count");
}

#[test]
fn where_nobody_earns_trust_the_charter_is_in_force() {
    let rules = AutonomyRules::default();
    let known = agent(Autonomy::Probation, "one", "production")
        .living(|life| life.declared = Some(Autonomy::Bounded));
    let after = agent(Autonomy::Bounded, "one", "production");
    let row = settled(&rules, Some(&known), Agent { life: known.life.clone(), ..after }, at(9));
    assert_eq!((row.charter.autonomy, row.life), (Autonomy::Bounded, None));
}

#[test]
fn each_gate_opens_on_its_figure_and_on_no_other() {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    let now = at(100 * DAY);
    let good = Evidence {
        since: at(60 * DAY),
        allowed: 1_000,
        held: 10,
        denied: 10,
        answered: 20,
        refused: 1,
        drifted: Some(at(40 * DAY)),
        grave: None,
        drilled: Some(at(90 * DAY)),
        contained: false,
    };
    let gates = AutonomyRules::default().bounded;
    assert!(judge(&gates, &good, now).iter().all(|gate| gate.met), "{:#?}", judge(&gates, &good, now));
    let bad = [
        ("time", Evidence { since: at(71 * DAY), ..good.clone() }),
        ("actions", Evidence { allowed: 499, ..good.clone() }),
        ("denied", Evidence { denied: 60, ..good.clone() }),
        ("refused", Evidence { refused: 3, ..good.clone() }),
        ("drift", Evidence { drifted: Some(at(71 * DAY)), ..good.clone() }),
        ("incidents", Evidence { grave: Some(at(71 * DAY)), ..good.clone() }),
        ("contained", Evidence { contained: true, ..good.clone() }),
        ("drill", Evidence { drilled: Some(at(9 * DAY)), ..good.clone() }),
        ("drill", Evidence { drilled: None, ..good.clone() }),
    ];
    for (gate, evidence) in bad {
        let unmet: Vec<_> = judge(&gates, &evidence, now).into_iter().filter(|gate| !gate.met).collect();
        assert_eq!(unmet.iter().map(|gate| gate.gate).collect::<Vec<_>>(), [gate]);
    }
    assert!(
        judge(&AutonomyRules::default().supervised, &Evidence { drilled: None, ..good }, now)
            .iter()
            .all(|gate| gate.met),
        "no drill is asked of a probationer"
    );
}

#[test]
fn what_the_plane_or_people_did_wrong_is_no_incident_of_the_agent() {
    let finding = |kind: &str, severity: &str, agent: Option<&str>| -> Finding {
        serde_json::from_value(json!({
            "id": "f", "kind": kind, "key": "k", "severity": severity, "about": {"agent": agent}, "what": "w",
            "first": 0, "last": 0, "opened": 0, "count": 1, "state": {"is": "open"},
        }))
        .unwrap()
    };
    let cases = [
        ("drift", "high", Some("clerk"), true),
        ("break-glass", "critical", Some("clerk"), true),
        ("rule-fired", "high", Some("clerk"), true),
        ("drift", "medium", Some("clerk"), false),
        ("drift", "critical", None, false),
        ("drill-failed", "high", Some("clerk"), false),
        ("agent-ownerless", "high", Some("clerk"), false),
    ];
    for (kind, severity, agent, incident) in cases {
        assert_eq!(is_incident(&finding(kind, severity, agent)), incident, "{kind} {severity}");
    }
}

/// What may happen to an agent.
#[derive(Debug, Clone)]
enum Step {
    File(Autonomy, bool),
    Demote(Autonomy),
    Promote,
}

fn grade() -> impl Strategy<Value = Autonomy> {
    prop::sample::select(Autonomy::ALL)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (grade(), prop::bool::weighted(0.2)).prop_map(|(grade, other)| Step::File(grade, other)),
        grade().prop_map(Step::Demote),
        Just(Step::Promote),
    ]
}

proptest! {
    #[test]
    fn trust_rises_by_promotion_only_a_grade_at_a_time_and_never_past_the_charter(
        first in grade(), steps in prop::collection::vec(step(), 0..40),
    ) {
        let rules = graduated();
        let mut row = settled(&rules, None, agent(first, "m", "production"), at(0));
        prop_assert_eq!(row.charter.autonomy, Autonomy::Probation);
        let mut model = 0;
        for (step, now) in steps.into_iter().zip(1..) {
            let before = row.clone();
            match &step {
                Step::File(declared, other) => {
                    model += u32::from(*other);
                    let mut after = Agent { life: before.life.clone(), ..agent(*declared, &format!("m{model}"), "production") };
                    if !other {
                        after.charter.manifest = before.charter.manifest.clone();
                    }
                    row = settled(&rules, Some(&before), after.clone(), at(now));
                    prop_assert_eq!(row.declared(), *declared);
                    // The same file once more says nothing new.
                    let again = settled(&rules, Some(&row), Agent { life: row.life.clone(), ..after }, at(now + 1));
                    prop_assert_eq!(&again, &row);
                    prop_assert!(!other || row.charter.autonomy == Autonomy::Probation);
                }
                Step::Demote(to) => row = demoted(&rules, &row, *to, at(now)).unwrap_or(row),
                Step::Promote => row = promoted(&row, at(now)).unwrap_or(row),
            }
            prop_assert!(row.charter.autonomy <= row.declared());
            let rise = row.charter.autonomy as u8 - before.charter.autonomy.min(row.charter.autonomy) as u8;
            prop_assert!(rise == 0 || (rise == 1 && matches!(step, Step::Promote)));
            if row.charter.autonomy != before.charter.autonomy {
                prop_assert_eq!(row.graded(), at(now));
            }
        }
    }
}
