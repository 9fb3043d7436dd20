use super::*;
use proptest::prelude::*;
use provost_domain::{
    Object, Severity,
    finding::{About, Response},
};

const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn at(minutes: u64) -> Timestamp {
    NOON.plus(DurationMs::from_mins(minutes))
}

fn sighting(severity: Severity) -> Sighting {
    let about = About { person: Some(name("maria")), ..About::agent(&name("clerk")) };
    Sighting::new("drift", "clerk/bank", severity, "the clerk reads what it never read").about(about)
}

fn operator(person: &str) -> Answerer {
    Answerer { person: Some(name(person)), by: format!("person {person}"), every: true }
}

fn open(severity: Severity) -> Finding {
    seen(None, &sighting(severity), Some(&name("maria")), NOON).unwrap()
}

#[test]
fn what_is_seen_again_is_one_finding_that_counts_and_close_sightings_are_one() {
    let first = open(Severity::Low);
    assert_eq!((first.count, first.owner.as_ref()), (1, Some(&name("maria"))));
    assert_eq!(seen(Some(&first), &sighting(Severity::Low), None, NOON.plus(DurationMs(59_999))), None);
    let again = seen(Some(&first), &sighting(Severity::Low), None, at(1)).unwrap();
    assert_eq!((again.count, again.first, again.last, again.opened), (2, NOON, at(1), NOON));
    assert_eq!(again.id, first.id);
    // A lower one lowers nothing; a worse one counts at once.
    let lower = seen(Some(&again), &sighting(Severity::Info), None, at(5)).unwrap();
    assert_eq!(lower.severity, Severity::Low);
    let worse = seen(Some(&again), &sighting(Severity::High), None, at(1)).unwrap();
    assert_eq!((worse.severity, worse.count), (Severity::High, 3));
    let harder =
        seen(Some(&again), &sighting(Severity::Low).response(Response::Contain), None, at(1)).unwrap();
    assert_eq!(harder.response, Response::Contain);
}

#[test]
fn what_was_answered_opens_again_when_it_should_and_only_then() {
    let directory = Directory::default();
    let row = open(Severity::Medium);
    let who = operator("ben");
    let acknowledged = acknowledge(&row, &directory, &who, at(1)).unwrap();
    assert_eq!(acknowledged.owner, Some(name("ben")));
    let suppressed = suppress(&row, &directory, &who, ("known", DurationMs::from_mins(60)), at(1)).unwrap();
    let closed = close(&row, &directory, &who, " dealt with ", at(1)).unwrap();
    let folded = fold(row.clone(), 50, at(1));
    let table = [
        (&acknowledged, Severity::Medium, 10, "acknowledged", "somebody is at it"),
        (&acknowledged, Severity::High, 10, "open", "it got worse"),
        (&suppressed, Severity::Medium, 10, "suppressed", "nobody wants to hear of it"),
        (&suppressed, Severity::High, 10, "open", "it got worse"),
        (&suppressed, Severity::Medium, 61, "open", "its time is over"),
        (&closed, Severity::Info, 10, "open", "it came back"),
        (&folded, Severity::Medium, 10, "open", "it came back"),
    ];
    for (before, severity, minute, wanted, why) in table {
        let after = seen(Some(before), &sighting(severity), None, at(minute)).unwrap();
        assert_eq!(after.state.as_str(), wanted, "{why}");
        assert_eq!(after.opened == at(minute), wanted == "open", "{why}");
    }
    // At once after a person closed it, too; what the plane folded away does not flap.
    assert!(seen(Some(&closed), &sighting(Severity::Info), None, NOON.plus(DurationMs(60_500))).is_some());
    let close_after = NOON.plus(DurationMs(30_000));
    assert!(seen(Some(&folded), &sighting(Severity::Medium), None, close_after).is_none());
    assert!(suppressed.state_at(at(61)) == &FindingState::Open && suppressed.is_unanswered(at(61)));
    assert!(!suppressed.is_unanswered(at(60)));
}

#[test]
fn nobody_answers_what_is_about_themselves_where_it_says_so_and_strangers_answer_nothing() {
    let directory = Directory::default();
    let row = open(Severity::High);
    let by_another = Finding { by_another: true, ..row.clone() };
    let stranger = Answerer { every: false, ..operator("eve") };
    let owner = Answerer { every: false, ..operator("maria") };
    let local = Answerer { person: None, by: "local administrator".to_owned(), every: true };
    let table = [
        (&row, operator("ben"), None),
        (&row, owner.clone(), None),
        (&row, local.clone(), None),
        (&row, stranger.clone(), Some(AnswerError::NotYours("person eve".to_owned()))),
        (&by_another, operator("ben"), None),
        (&by_another, operator("maria"), Some(AnswerError::Own(name("maria")))),
        (&by_another, owner, Some(AnswerError::Own(name("maria")))),
        (&by_another, local, Some(AnswerError::Nobody)),
        (&by_another, stranger, Some(AnswerError::NotYours("person eve".to_owned()))),
    ];
    for (row, who, wanted) in table {
        let month = DurationMs::from_mins(30 * 24 * 60);
        assert_eq!(acknowledge(row, &directory, &who, at(1)).err(), wanted, "{who:?}");
        assert_eq!(close(row, &directory, &who, "done", at(1)).err(), wanted, "{who:?}");
        assert_eq!(suppress(row, &directory, &who, ("known", month), at(1)).err(), wanted, "{who:?}");
    }
    let closed = close(&row, &directory, &operator("ben"), "done", at(1)).unwrap();
    assert!(matches!(acknowledge(&closed, &directory, &operator("ben"), at(2)), Err(AnswerError::Closed(_))));
    assert_eq!(close(&row, &directory, &operator("ben"), " ", at(1)), Err(AnswerError::Reason));
    for lasts in [DurationMs(0), DurationMs::from_mins(90 * 24 * 60 + 1)] {
        let refused = suppress(&row, &directory, &operator("ben"), ("known", lasts), at(1));
        assert_eq!(refused, Err(AnswerError::Unbounded));
    }
}

#[test]
fn of_too_many_open_ones_the_least_and_oldest_is_folded_and_a_worse_one_never() {
    let mut directory = Directory::default();
    let numbered = |n: u64, severity: Severity| {
        let one = Sighting { key: n.to_string(), ..sighting(severity) };
        seen(None, &one, None, at(n)).unwrap()
    };
    for n in 0..OF_ONE_SUBJECT_MAX as u64 {
        let severity = if n == 3 || n == 5 { Severity::Low } else { Severity::High };
        directory.put(Object::Finding(Box::new(numbered(n, severity))));
    }
    let (fresh, folded) = make_room(&directory, numbered(99, Severity::Medium), at(99));
    assert_eq!(fresh.state, FindingState::Open);
    assert_eq!(folded.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["3"]);
    // An agent that is seen doing little things all the time hides no great one.
    let (fresh, folded) = make_room(&directory, numbered(99, Severity::Info), at(99));
    assert!(folded.is_empty() && matches!(fresh.state, FindingState::Closed { .. }));
    // Somebody else's have room.
    let other = Finding { about: About::agent(&name("robot")), ..numbered(99, Severity::Info) };
    assert!(make_room(&directory, other, at(99)).1.is_empty());
}

#[test]
fn a_broken_glass_is_folded_away_by_nothing_not_even_by_others() {
    let mut directory = Directory::default();
    let glass = |n: u64| {
        let one = Sighting::new(BREAK_GLASS, n.to_string(), Severity::Low, "a glass")
            .about(About::agent(&name("clerk")));
        seen(None, &one, None, at(n)).unwrap()
    };
    for n in 0..OF_ONE_SUBJECT_MAX as u64 {
        directory.put(Object::Finding(Box::new(glass(n))));
    }
    let (fresh, folded) = make_room(&directory, glass(99), at(99));
    assert!(folded.is_empty() && fresh.state == FindingState::Open, "one more is one more");
    for n in 0..OPEN_MAX as u64 {
        let one = Sighting { key: format!("other {n}"), ..sighting(Severity::Medium) };
        let one = Finding {
            about: About::agent(&name(&format!("a{n}"))),
            ..seen(None, &one, None, at(200 + n)).unwrap()
        };
        directory.put(Object::Finding(Box::new(one)));
    }
    let worse = Finding {
        about: About::agent(&name("robot")),
        ..seen(None, &sighting(Severity::Critical), None, at(9_999)).unwrap()
    };
    let (_fresh, folded) = make_room(&directory, worse, at(9_999));
    assert!(!folded.is_empty() && folded.iter().all(|row| row.kind != BREAK_GLASS), "{folded:?}");
}

#[test]
fn what_was_closed_long_ago_leaves_and_a_suppression_ends() {
    let mut directory = Directory::default();
    let who = operator("ben");
    let day = 24 * 60;
    let closed = close(&open(Severity::Low), &directory, &who, "done", at(0)).unwrap();
    let other = Finding { id: "finding_other".to_owned(), ..open(Severity::Low) };
    let hour = DurationMs::from_mins(60);
    let suppressed = suppress(&other, &directory, &who, ("known", hour), at(0)).unwrap();
    directory.put(Object::Finding(Box::new(closed.clone())));
    directory.put(Object::Finding(Box::new(suppressed)));
    assert!(settle(&directory, 10, at(59)).is_empty());
    let opened = settle(&directory, 10, at(60));
    assert!(opened.len() == 1 && opened[0].state == FindingState::Open && opened[0].opened == at(60));
    let all = settle(&directory, 10, at(31 * day));
    assert!(all.len() == 2 && all[1].filed);
    directory.put(Object::Finding(Box::new(all[1].clone())));
    assert_eq!(directory.findings.len(), 1);
    // On record it stays, and opens again.
    let back = seen(Some(&all[1]), &sighting(Severity::Low), None, at(40 * day)).unwrap();
    assert!(!back.filed && back.state == FindingState::Open && back.count == 2);
    assert_eq!(settle(&directory, 0, at(31 * day)).len(), 0);
}

proptest! {
    #[test]
    fn whatever_others_wrote_is_a_bounded_line_of_text(
        kind in ".{0,90}", key in ".{0,400}", what in ".{0,900}", evidence in prop::collection::vec(".{0,500}", 0..50)
    ) {
        let sighting = Sighting::new(&kind, key, Severity::Low, what).evidence(evidence.clone());
        let row = seen(None, &sighting, None, NOON).unwrap();
        let again = seen(Some(&row), &sighting, None, at(2)).unwrap();
        for row in [row, again] {
            prop_assert!(row.kind.len() <= KIND_BYTES_MAX && row.key.len() <= KEY_BYTES_MAX);
            prop_assert!(row.what.len() <= WHAT_BYTES_MAX && row.evidence.len() <= EVIDENCE_MAX);
            let texts = [&row.kind, &row.key, &row.what].into_iter().chain(&row.evidence);
            for text in texts {
                prop_assert!(text.len() <= WHAT_BYTES_MAX && !text.chars().any(char::is_control));
            }
        }
    }
}
