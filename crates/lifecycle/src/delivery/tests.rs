use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn due(id: &str, lane: &str, order: u64) -> Delivery {
    Delivery {
        id: id.to_owned(),
        lane: lane.to_owned(),
        order,
        kind: "asked".to_owned(),
        about: None,
        payload: Default::default(),
        only_while_waiting: false,
        followed: false,
        created: NOON,
        until: NOON.plus(AGE_MAX),
        attempts: 0,
        last: None,
        state: DeliveryState::Due { next: NOON },
    }
}

fn arrived() -> Came {
    Came::Arrived { receipt: "200".to_owned() }
}

fn failed(wait: Option<DurationMs>) -> Came {
    Came::Failed { why: "503\r\nno".to_owned(), wait }
}

fn refused() -> Came {
    Came::Refused { why: "410".to_owned() }
}

#[test]
fn what_an_attempt_leads_to() {
    let late = NOON.plus(AGE_MAX).minus(DurationMs(1));
    let table: &[(u32, Timestamp, Came, &str)] = &[
        (0, NOON, arrived(), "delivered"),
        (0, NOON, failed(None), "due"),
        (0, NOON, refused(), "given-up"),
        (ATTEMPTS_MAX - 2, NOON, failed(None), "due"),
        (ATTEMPTS_MAX - 1, NOON, failed(None), "given-up"),
        (ATTEMPTS_MAX - 1, NOON, arrived(), "delivered"),
        (3, late, failed(None), "given-up"),
        (3, late, arrived(), "delivered"),
    ];
    for (attempts, now, came, wanted) in table {
        let row = Delivery { attempts: *attempts, ..due("a", "l", 1) };
        let next = attempted(&row, came.clone(), *now, 0).unwrap();
        assert_eq!((next.state.as_str(), next.attempts), (*wanted, attempts + 1), "{attempts} {came:?}");
        if !next.is_due() {
            assert_eq!(attempted(&next, arrived(), *now, 0), None, "over is over");
            assert_eq!(withdraw(&next, "x", *now), None);
        }
    }
}

#[test]
fn a_receiver_that_asks_for_patience_gets_it_within_bounds() {
    let wait = |asked: Option<DurationMs>| {
        attempted(&due("a", "l", 1), failed(asked), NOON, 0).unwrap().next().unwrap().since(NOON)
    };
    assert_eq!(wait(Some(DurationMs::from_mins(10))), DurationMs::from_mins(10));
    assert_eq!(wait(Some(DurationMs(1))), backoff(1, 0), "less than the plane's own patience is not heard");
    assert_eq!(wait(Some(DurationMs(u64::MAX))), WAIT_ASKED_MAX);
}

#[test]
fn waits_grow_to_an_hour_and_come_apart_by_chance() {
    let waits: Vec<u64> = (1..30).map(|failures| backoff(failures, u16::MAX / 2).0).collect();
    assert!(waits.is_sorted() && waits[0] >= 1_500 && waits[28] <= 3_600_000, "{waits:?}");
    for failures in [1, 2, 7, 20, u32::MAX] {
        let (least, most) = (backoff(failures, 0).0, backoff(failures, u16::MAX).0);
        assert!(least < most && most <= least * 5 / 3 + 1, "{failures}: {least} to {most}");
    }
}

#[test]
fn what_a_receiver_said_is_one_short_line() {
    let said = Came::Failed { why: format!("a\r\nb\u{1b}[31m{}", "x".repeat(5_000)), wait: None };
    let last = attempted(&due("a", "l", 1), said, NOON, 0).unwrap().last.unwrap();
    assert!(last.chars().count() <= TEXT_CHARS_MAX && !last.chars().any(char::is_control), "{last}");
}

#[test]
fn a_later_one_waits_for_an_earlier_one_and_lanes_do_not_wait_for_each_other() {
    let hour = DurationMs::from_mins(60);
    let mut first = due("z", "a", 1);
    first.state = DeliveryState::Due { next: NOON.plus(hour) };
    let rows = [due("b", "a", 2), first, due("c", "b", 9), due("a", "b", 9)];
    let (now, wait) = turns(rows.iter(), NOON);
    assert_eq!(now.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["a"], "ids decide between equals");
    assert_eq!(wait, Some(hour), "the first of lane a holds the second back");
    let (now, wait) = turns(rows.iter(), NOON.plus(hour));
    assert_eq!((now.len(), wait), (2, None));
}

#[test]
fn only_a_person_makes_the_plane_try_again_what_it_gave_up() {
    let given_up = attempted(&due("a", "l", 1), refused(), NOON, 0).unwrap();
    let later = NOON.plus(AGE_MAX).plus(AGE_MAX);
    let again = self::again(&given_up, later).unwrap();
    assert!(again.is_due() && again.attempts == 0 && again.until > later && again.id == given_up.id);
    for row in [due("a", "l", 1), attempted(&due("a", "l", 1), arrived(), NOON, 0).unwrap()] {
        assert_eq!(self::again(&row, later), None);
    }
}

/// A plane and a receiver: what is on record, what the receiver has, and what it acknowledged.
#[derive(Default)]
struct World {
    rows: BTreeMap<String, Delivery>,
    /// Every arrival, in order, with its lane.
    received: Vec<(String, String)>,
    acknowledged: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Something comes to be owed.
    Owe(u8),
    /// A turn: how the attempt of each head goes.
    Turn(Fate),
    /// Time passes.
    Wait(u16),
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    /// Sent, acknowledged, marked.
    Well,
    /// The receiver is not reached.
    Unreached,
    /// It arrives, and the acknowledgement is lost.
    Unheard,
    /// It arrives, is acknowledged, and the plane goes down before that is on record.
    Crash,
    /// The receiver says no for good.
    Refused,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![
        3 => Just(Fate::Well),
        2 => Just(Fate::Unreached),
        2 => Just(Fate::Unheard),
        2 => Just(Fate::Crash),
        1 => Just(Fate::Refused),
    ];
    let step = prop_oneof![
        (0_u8..3).prop_map(Step::Owe),
        fate.prop_map(Step::Turn),
        (0_u16..600).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    /// However attempts, losses and crashes fall: nothing owed is lost, nothing counts as delivered that was not acknowledged,
    /// and the first arrivals of a lane are in its order.
    #[test]
    fn nothing_is_lost_nothing_is_claimed_and_order_is_kept(steps in steps()) {
        let (mut world, mut now, mut made) = (World::default(), NOON, 0_u64);
        let mut refused = BTreeSet::new();
        for step in steps {
            match step {
                Step::Owe(lane) => {
                    made += 1;
                    let row = due(&format!("d{made}"), &format!("lane{lane}"), made);
                    let row = Delivery { until: now.plus(AGE_MAX), state: DeliveryState::Due { next: now }, ..row };
                    world.rows.insert(row.id.clone(), row);
                }
                Step::Wait(seconds) => now = now.plus(DurationMs::from_secs(u64::from(seconds))),
                Step::Turn(fate) => {
                    let heads: Vec<Delivery> =
                        turns(world.rows.values(), now).0.into_iter().cloned().collect();
                    for row in heads {
                        let arrives = !matches!(fate, Fate::Unreached | Fate::Refused);
                        if arrives {
                            world.received.push((row.lane.clone(), row.id.clone()));
                        }
                        let came = match fate {
                            Fate::Well => arrived(),
                            Fate::Refused => self::refused(),
                            Fate::Crash => continue,
                            Fate::Unreached | Fate::Unheard => failed(None),
                        };
                        if matches!(fate, Fate::Well) {
                            world.acknowledged.insert(row.id.clone());
                        }
                        if matches!(fate, Fate::Refused) {
                            refused.insert(row.id.clone());
                        }
                        let next = attempted(&row, came, now, 7).unwrap();
                        world.rows.insert(row.id.clone(), next);
                    }
                }
            }
        }
        prop_assert_eq!(world.rows.len() as u64, made, "nothing is lost");
        for row in world.rows.values() {
            match &row.state {
                DeliveryState::Delivered { .. } => prop_assert!(world.acknowledged.contains(&row.id)),
                DeliveryState::GivenUp { .. } => {
                    prop_assert!(refused.contains(&row.id) || row.attempts >= ATTEMPTS_MAX || row.last.is_some());
                }
                DeliveryState::Due { .. } => prop_assert!(!world.acknowledged.contains(&row.id)),
                DeliveryState::Withdrawn { .. } => prop_assert!(false, "nobody withdrew anything"),
            }
        }
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for (lane, id) in world.received.iter().filter(|(_, id)| known.insert(id.clone())) {
            let order = world.rows[id].order;
            let last = seen.insert(lane, order);
            prop_assert!(last.is_none_or(|last| last < order), "{lane}: {id} arrived late");
        }
    }
}
