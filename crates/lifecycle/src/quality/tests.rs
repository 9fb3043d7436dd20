use super::*;
use proptest::prelude::*;
use provost_domain::{
    Digest,
    check::{Check, Flaw},
};
use serde_json::json;

const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn at(seconds: u64) -> Timestamp {
    NOON.plus(DurationMs::from_secs(seconds))
}

fn asked(id: &str, when: Timestamp) -> Approval {
    serde_json::from_value(json!({
        "id": id, "agent": "clerk", "task": TaskId::new(NOON, [1; 10]), "purpose": "pays what is due", "askers": [],
        "system": "bank", "tool": "transfer", "action": Digest::of(id.as_bytes()), "args": {"amount": 12},
        "gates": ["owner"], "reasons": [], "bound": {"revision": 1, "pin": Digest::of(b"b"), "policies": Digest::of(b"c")},
        "decision": provost_domain::DecisionId::new(NOON, [1; 10]), "asked": when, "expires": when.plus(DurationMs::from_mins(60)),
        "status": {"is": "waiting"},
    }))
    .unwrap()
}

fn voted(row: &Approval, person: &str, yes: bool, when: Timestamp, hurried: bool) -> Approval {
    let mut row = row.clone();
    row.votes.push(Vote {
        person: name(person),
        gates: BTreeSet::new(),
        yes,
        at: when,
        reason: None,
        on_behalf_of: None,
        shown_by: "test".to_owned(),
        break_glass: false,
        signature: None,
        hurried,
        warned: false,
    });
    row.status = match yes {
        true => ApprovalStatus::Granted { at: when, until: when.plus(DurationMs::from_mins(15)) },
        false => ApprovalStatus::Refused { at: when },
    };
    row
}

#[test]
fn who_answered_what_how_and_how_fast_is_reckoned_from_the_rows() {
    let mut window = Window::default();
    for (n, seconds, yes) in [(1, 10, true), (2, 20, true), (3, 30, false), (4, 100, true)] {
        let row = asked(&format!("approval_{n}"), at(n));
        window.put(&row);
        window.put(&voted(&row, "maria", yes, at(n + seconds), n == 1));
    }
    // What was used, or was not, after the yes was a yes; what nobody answered was none.
    let used = voted(&asked("approval_1", at(1)), "maria", true, at(11), true);
    window.put(&Approval { status: ApprovalStatus::Used { at: at(900), decision: None }, ..used });
    let unused = voted(&asked("approval_2", at(2)), "maria", true, at(22), false);
    window.put(&Approval { status: ApprovalStatus::Expired { at: at(990) }, ..unused });
    let silent = asked("approval_5", at(5));
    window.put(&Approval { status: ApprovalStatus::Expired { at: at(3_605) }, ..silent });
    let edited = asked("approval_6", at(6));
    let to = "approval_7".to_owned();
    window.put(&Approval { status: ApprovalStatus::Edited { at: at(46), by: name("ben"), to }, ..edited });
    let made = voted(&asked("approval_7", at(46)), "ben", true, at(46), false);
    window.put(&Approval { edited_from: Some("approval_6".to_owned()), ..made });
    window.put(&asked("approval_8", at(8)));

    let quality = window.measure(&Which::default());
    let all = &quality.all;
    assert_eq!((all.asked, all.granted, all.refused, all.edited, all.timed_out), (7, 3, 1, 1, 1));
    assert_eq!(all.rate(), Some(60));
    let seconds = |n: u64| Some(DurationMs::from_secs(n));
    assert_eq!((all.times.median(), all.times.p90()), (seconds(30), seconds(100)));
    assert_eq!(quality.tools["bank/transfer"], *all);
    let maria = &quality.people[&name("maria")];
    assert_eq!((maria.yes, maria.no, maria.hurried, maria.all()), (3, 1, 1, 4));
    assert_eq!((maria.times.median(), maria.busiest_day, maria.days), (seconds(20), 4, 1));
    let ben = &quality.people[&name("ben")];
    assert_eq!((ben.yes, ben.edited, ben.times.median()), (0, 1, seconds(40)));

    let of_ben = window.measure(&Which { person: Some(name("ben")), ..Which::default() });
    assert_eq!((of_ben.all.asked, of_ben.people.len()), (1, 1));
    assert_eq!(window.measure(&Which { since: Some(at(5)), ..Which::default() }).all.asked, 3);
    assert_eq!(
        window.measure(&Which { tool: Some("x/y".to_owned()), ..Which::default() }),
        Quality::default()
    );
}

#[test]
fn a_check_is_counted_for_itself_only() {
    let mut window = Window::default();
    for (n, outcome) in
        [(1, CheckOutcome::Refused), (2, CheckOutcome::Approved), (3, CheckOutcome::Unanswered)]
    {
        let row = asked(&format!("approval_{n}"), at(n));
        let row = match outcome {
            CheckOutcome::Unanswered => row,
            other => voted(&row, "maria", other == CheckOutcome::Approved, at(n + 5), false),
        };
        let check = Check { flaw: Flaw::Payment, secret: "aa".to_owned(), outcome };
        let status = ApprovalStatus::Withdrawn { at: at(n + 5), why: "x".to_owned() };
        window.put(&Approval { check: Some(Box::new(check)), status, ..row });
    }
    let quality = window.measure(&Which::default());
    assert_eq!(quality.all, Measure::default());
    let maria = &quality.people[&name("maria")];
    assert_eq!((maria.checks_refused, maria.checks_approved, maria.all()), (1, 1, 0));
    assert_eq!(quality.checks.values().sum::<usize>(), 3);
}

#[test]
fn an_answer_is_hurried_when_nobody_can_have_read_it_since_it_was_asked_or_since_the_one_before() {
    let chars = shown_chars(&asked("approval_1", at(0)));
    assert_eq!(reading(0), DurationMs(1_500));
    assert!(reading(200) > reading(100) && reading(usize::MAX) == DurationMs::from_secs(60));
    let long = reading(chars);
    let free = Pace::default();
    assert!(free.is_hurried(at(0), chars, at(0)));
    assert!(!free.is_hurried(at(0), chars, at(0).plus(long)));
    // It waited for an hour, but the person was reading another one until a second ago.
    let busy = Pace { last: Some(at(3_600)), ..Pace::default() };
    assert!(busy.is_hurried(at(0), chars, at(3_601)) && !busy.is_hurried(at(0), chars, at(3_660)));
}

#[test]
fn who_goes_too_fast_is_warned_before_the_next_yes_and_not_again_at_once() {
    let table: [(usize, usize, bool, &str); 5] = [
        (3, 0, false, "a few quick ones"),
        (4, 0, true, "one too many quick ones"),
        (0, 11, false, "some in a row, each read"),
        (0, 12, true, "too many in a row"),
        (4, 12, true, "both"),
    ];
    for (hurried, calm, warned, why) in table {
        let mut window = Window::default();
        for n in 0..hurried + calm {
            let row = asked(&format!("approval_{n}"), at(n as u64));
            window.put(&voted(&row, "maria", true, at(n as u64 * 20), n < hurried));
        }
        let now = at((hurried + calm) as u64 * 20);
        assert_eq!(window.pace(&name("maria"), now).wants_warning(), warned, "{why}");
        assert!(!window.pace(&name("ben"), now).wants_warning(), "{why}: of somebody else");
        assert!(!window.pace(&name("maria"), now.plus(LATELY)).wants_warning(), "{why}: long ago");
        // A no shows that somebody reads; a yes that was meant after the warning starts anew.
        let mut after_no = window.clone();
        after_no.put(&voted(&asked("approval_no", now), "maria", false, now, true));
        assert!(!after_no.pace(&name("maria"), now).wants_warning(), "{why}: after a no");
        let mut meant = voted(&asked("approval_meant", now), "maria", true, now, true);
        meant.votes[0].warned = true;
        window.put(&meant);
        assert!(!window.pace(&name("maria"), now).wants_warning(), "{why}: after the warning");
    }
}

#[test]
fn answers_given_together_are_one() {
    let mut window = Window::default();
    for n in 0..30 {
        window.put(&voted(&asked(&format!("approval_{n}"), at(0)), "maria", true, at(60), true));
    }
    let pace = window.pace(&name("maria"), at(61));
    assert_eq!((pace.in_a_row, pace.hurried), (1, 1));
}

#[test]
fn the_window_is_bounded_and_says_since_when_it_is_whole() {
    let mut window = Window::default();
    for n in 0..ROWS_MAX as u64 {
        window.put(&asked(&format!("approval_{n}"), at(n)));
    }
    assert_eq!(window.since(), None);
    window.put(&asked("approval_more", at(9_999)));
    assert_eq!((window.rows.len(), window.since()), (ROWS_MAX, Some(at(1))));
    assert_eq!(window.newest().next().unwrap().id, "approval_more");
    let mut late = Window::default();
    late.begins_late();
    late.put(&asked("approval_1", at(7)));
    assert_eq!(late.since(), Some(at(7)));
}

proptest! {
    #[test]
    fn the_median_and_the_ninetieth_are_of_those_measured_and_in_order(lengths in prop::collection::vec(0_u64..10_000, 1..60)) {
        let times = Times(lengths.iter().copied().map(DurationMs).collect());
        let (median, p90) = (times.median().unwrap(), times.p90().unwrap());
        prop_assert!(median <= p90 && lengths.contains(&median.0) && lengths.contains(&p90.0));
        let no_longer = |than: DurationMs| lengths.iter().filter(|length| **length <= than.0).count();
        prop_assert!(no_longer(median) * 2 >= lengths.len() && no_longer(p90) * 10 >= lengths.len() * 9);
    }

    #[test]
    fn however_rows_repeat_every_approval_is_counted_once(order in prop::collection::vec(0_u64..8, 0..60)) {
        let mut window = Window::default();
        for n in &order {
            window.put(&asked(&format!("approval_{n}"), at(*n)));
        }
        let distinct: BTreeSet<&u64> = order.iter().collect();
        prop_assert_eq!(window.measure(&Which::default()).all.asked, distinct.len());
    }
}
