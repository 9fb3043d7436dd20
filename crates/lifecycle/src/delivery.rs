//! Deliveries (ARCHITECTURE.md, "What is owed"): what an attempt leads to, whose turn it is, and when something is not tried
//! any more.
//!
//! ```text
//! due ──attempt──▶ delivered      acknowledged by the receiver, and by nobody else
//!  ▲ │  └────────▶ given-up       refused for good, too late, or too often
//!  │ └──nobody──▶ withdrawn       what it was about needs nobody any more
//!  └──by hand── given-up
//! ```

use provost_domain::{Delivery, DurationMs, Timestamp, delivery::DeliveryState};
use std::collections::BTreeMap;

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// The receiver acknowledged it.
    Arrived {
        /// What the receiver said.
        receipt: String,
    },
    /// It may have arrived or not; it is sent again under the same id.
    Failed {
        /// Why.
        why: String,
        /// The receiver asked for so much patience.
        wait: Option<DurationMs>,
    },
    /// The receiver does not want it, now or later.
    Refused {
        /// Why.
        why: String,
    },
}

/// The delivery after an attempt; `None` when it is not owed any more. `chance` is any number: attempts of many deliveries that
/// failed together come apart by it.
#[must_use]
pub fn attempted(delivery: &Delivery, came: Came, now: Timestamp, chance: u16) -> Option<Delivery> {
    if !delivery.is_due() {
        return None;
    }
    let attempts = delivery.attempts.saturating_add(1);
    let (state, last) = match came {
        Came::Arrived { receipt } => {
            (DeliveryState::Delivered { at: now, receipt: clipped(&receipt) }, delivery.last.clone())
        }
        Came::Refused { why } => {
            let why = clipped(&why);
            (DeliveryState::GivenUp { at: now, why: format!("refused: {why}") }, Some(why))
        }
        Came::Failed { why, wait } => {
            let why = clipped(&why);
            let wait = wait.unwrap_or_default().min(WAIT_ASKED_MAX).max(backoff(attempts, chance));
            let next = now.plus(wait);
            let state = if attempts >= ATTEMPTS_MAX {
                DeliveryState::GivenUp { at: now, why: format!("not taken in {attempts} attempts: {why}") }
            } else if next >= delivery.until {
                DeliveryState::GivenUp { at: now, why: format!("not taken in time: {why}") }
            } else {
                DeliveryState::Due { next }
            };
            (state, Some(why))
        }
    };
    Some(Delivery { attempts, last, state, ..delivery.clone() })
}

/// The delivery after its time; `None` as long as it is in time, or not owed.
#[must_use]
pub fn late(delivery: &Delivery, now: Timestamp) -> Option<Delivery> {
    let why = match &delivery.last {
        Some(last) => format!("not taken in time: {last}"),
        None => "its time was over before it could be sent".to_owned(),
    };
    let late = delivery.is_due() && now >= delivery.until;
    late.then(|| Delivery { state: DeliveryState::GivenUp { at: now, why }, ..delivery.clone() })
}

/// The delivery that nobody needs any more; `None` when it is not owed.
#[must_use]
pub fn withdraw(delivery: &Delivery, why: &str, now: Timestamp) -> Option<Delivery> {
    let state = DeliveryState::Withdrawn { at: now, why: clipped(why) };
    delivery.is_due().then(|| Delivery { state, ..delivery.clone() })
}

/// What was given up, owed once more because a person says so; `None` for anything else.
#[must_use]
pub fn again(delivery: &Delivery, now: Timestamp) -> Option<Delivery> {
    let given_up = matches!(delivery.state, DeliveryState::GivenUp { .. });
    let state = DeliveryState::Due { next: now };
    let until = now.plus(AGE_MAX);
    given_up.then(|| Delivery { attempts: 0, until, state, ..delivery.clone() })
}

/// Whose turn it is: of each lane the first that is owed, if its time has come. Beside them, how long nothing more will be due.
#[must_use]
pub fn turns<'d>(
    deliveries: impl Iterator<Item = &'d Delivery>,
    now: Timestamp,
) -> (Vec<&'d Delivery>, Option<DurationMs>) {
    let mut first: BTreeMap<&str, &Delivery> = BTreeMap::new();
    for delivery in deliveries.filter(|delivery| delivery.is_due()) {
        let place = first.entry(&delivery.lane).or_insert(delivery);
        if (delivery.order, &delivery.id) < (place.order, &place.id) {
            *place = delivery;
        }
    }
    let (due, later): (Vec<_>, Vec<_>) =
        first.into_values().partition(|delivery| delivery.next().is_some_and(|next| next <= now));
    let wait = later.iter().filter_map(|delivery| delivery.next()).map(|next| next.since(now)).min();
    (due, wait)
}

/// How long after the nth failure the next attempt comes: twice as long each time, up to an hour, and up to a quarter more or
/// less by chance.
#[must_use]
pub fn backoff(failures: u32, chance: u16) -> DurationMs {
    let doubled = 1_u64.checked_shl(failures.saturating_sub(1).min(DOUBLINGS_MAX)).unwrap_or(u64::MAX);
    let whole = WAIT_FIRST.0.saturating_mul(doubled).min(WAIT_MAX.0);
    let spread = whole / 2;
    let by_chance = spread.saturating_mul(u64::from(chance)) / u64::from(u16::MAX);
    DurationMs(whole.saturating_sub(spread / 2).saturating_add(by_chance))
}

/// What somebody else said, short enough for a row and on one line.
fn clipped(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(TEXT_CHARS_MAX).collect::<String>().trim().to_owned()
}

/// How often something is tried.
pub const ATTEMPTS_MAX: u32 = 40;
/// How long something is tried, unless it is of no use earlier.
pub const AGE_MAX: DurationMs = DurationMs::from_mins(24 * 60);
const WAIT_FIRST: DurationMs = DurationMs::from_secs(2);
const WAIT_MAX: DurationMs = DurationMs::from_mins(60);
/// A receiver that asks for more patience than this is tried earlier.
const WAIT_ASKED_MAX: DurationMs = DurationMs::from_mins(6 * 60);
const DOUBLINGS_MAX: u32 = 20;
const TEXT_CHARS_MAX: usize = 300;

#[cfg(test)]
mod tests;
