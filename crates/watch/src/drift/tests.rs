use super::*;
use crate::run::{Mark, Marker};
use proptest::prelude::*;

fn step() -> impl Strategy<Value = Step> {
    let ended = prop_oneof![
        Just(Ended::Done),
        Just(Ended::Failed),
        Just(Ended::Held),
        Just(Ended::Refused),
        Just(Ended::Undeclared)
    ];
    (0_usize..5, any::<bool>(), ended, 0_usize..9, 0_u64..4, "[ab]").prop_map(
        |(tool, effectful, ended, origin, mark, label)| Step {
            system: "bank".to_owned(),
            tool: format!("bank/t{tool}"),
            effectful,
            ended,
            steered: BTreeSet::from([*Origin::ALL.get(origin).unwrap()]),
            marks: BTreeSet::from([Mark(mark)]),
            labels: BTreeSet::from([label.parse().unwrap()]),
        },
    )
}

fn learned(runs: &[Vec<Step>]) -> Usual {
    let mut usual = Usual::default();
    for (day, steps) in runs.iter().enumerate() {
        let at = provost_domain::Timestamp::from_millis(i64::try_from(day).unwrap() * 86_400_000);
        crate::baseline::learn(&mut usual, &Run { steps: steps.clone(), hour: 9 }, at);
    }
    usual
}

proptest! {
    /// What is asked before a call is what is known after it, but for what only a whole run shows.
    #[test]
    fn a_call_weighs_before_it_is_made_what_it_weighs_afterwards(
        past in prop::collection::vec(prop::collection::vec(step(), 0..4), 0..6),
        steps in prop::collection::vec(step(), 1..6),
        of_kind in any::<bool>(),
    ) {
        let usual = learned(&past);
        let against = match of_kind {
            true => Against { kind: Some(&usual), ..Against::default() },
            false => Against { agent: Some(&usual), ..Against::default() },
        };
        let mut measure = Measure::begun(9, "");
        let around = |measure: &Measure| -> f64 {
            let of_whole = |unusual: &&Unusual| {
                matches!(unusual.class, Class::Calls | Class::Orders | Class::Troubles | Class::Hour)
            };
            measure.drift(&against).reasons.iter().filter(of_whole).map(|unusual| unusual.weight).sum()
        };
        for step in &steps {
            let before = measure.score_with(step, &against) - around(&measure);
            measure.add(step, &against);
            let after = measure.drift(&against).score - around(&measure);
            prop_assert!((before - after).abs() < 1e-9, "{} {}", before, after);
        }
    }
}

#[test]
fn what_the_charter_does_not_name_is_notable_at_once_with_no_past_at_all() {
    let marker = Marker::of("clerk");
    let step = Step {
        system: "bank".to_owned(),
        tool: "bank/close".to_owned(),
        effectful: true,
        ended: Ended::Undeclared,
        steered: BTreeSet::new(),
        marks: BTreeSet::from([marker.mark("bank/close", "to", "DE1")]),
        labels: BTreeSet::new(),
    };
    let found = drift(&Run { steps: vec![step], hour: 9 }, "", &Against::default());
    assert!(found.score >= NOTABLE && found.reasons.first().unwrap().class == Class::Undeclared);
}

#[test]
fn what_the_purpose_does_not_speak_of_weighs_more_when_content_steered_it_and_little_otherwise() {
    let step = |ended, from| Step {
        system: "bank".to_owned(),
        tool: "bank/send_message".to_owned(),
        effectful: true,
        ended,
        steered: BTreeSet::from([from]),
        marks: BTreeSet::new(),
        labels: BTreeSet::new(),
    };
    let score = |purpose: &str, ended, from| {
        drift(&Run { steps: vec![step(ended, from)], hour: 9 }, purpose, &Against::default()).score
    };
    let table = [
        ("Send what I owe", Ended::Held, Origin::Untrusted, 3.0),
        ("Pay what I owe", Ended::Held, Origin::Untrusted, 4.5),
        ("Pay what I owe", Ended::Held, Origin::Requester, 0.8),
        ("Pay what I owe", Ended::Done, Origin::Trusted, 0.3),
        ("Messages for Bob", Ended::Done, Origin::Trusted, 0.0),
        ("", Ended::Done, Origin::Trusted, 0.0),
    ];
    for (purpose, ended, from, wanted) in table {
        let found = score(purpose, ended, from);
        assert!((found - wanted).abs() < 1e-9, "{purpose} {ended:?} {from}: {found}");
    }
}

#[test]
fn a_heap_of_failures_and_refusals_is_notable_by_itself_and_a_few_are_next_to_nothing() {
    let step = |ended| Step {
        system: "bank".to_owned(),
        tool: "bank/list".to_owned(),
        effectful: false,
        ended,
        steered: BTreeSet::new(),
        marks: BTreeSet::new(),
        labels: BTreeSet::new(),
    };
    let usual = learned(&vec![vec![step(Ended::Done); 60]; 20]);
    let score = |failures: usize, against: &Against<'_>| {
        let refusals = failures / 2;
        let mut steps = vec![step(Ended::Failed); failures - refusals];
        steps.extend(vec![step(Ended::Refused); refusals]);
        let found = drift(&Run { steps, hour: 9 }, "", against);
        found
            .reasons
            .iter()
            .find(|unusual| unusual.class == Class::Troubles)
            .map_or(0.0, |unusual| unusual.weight)
    };
    let kind = Against { kind: Some(&usual), ..Against::default() };
    for (failures, with_a_past, without) in
        [(0, 0.0, 0.0), (5, 0.05, 0.0), (11, 0.2, 0.2), (29, 2.0, 2.0), (900, 2.6, 2.6)]
    {
        for (against, wanted) in [(&kind, with_a_past), (&Against::default(), without)] {
            let found = score(failures, against);
            assert!((found - wanted).abs() < 1e-9, "{failures}: {found} and not {wanted}");
        }
    }
}
