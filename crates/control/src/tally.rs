//! How many decisions there were in the last hours, by verdict: what a chart is drawn from.

use crate::{Action, ControlError, Op};
use provost_api::decision::{TallyQuery, TallyStep, TallyView};
use provost_domain::{DurationMs, Timestamp};
use provost_store::Tally;

/// Counts the decisions of the last hours. Of a busy plane only the newest are counted, and it says since when.
///
/// # Errors
/// When the operator may not, the hours are too many or none, or the store fails.
pub async fn show(op: &Op, query: &TallyQuery) -> Result<TallyView, ControlError> {
    op.authorize(Action::DecisionRead)?;
    let hours = query.hours.unwrap_or(HOURS_DEFAULT);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(
            ControlError::caller(format!("`hours` is {hours}")).cure(format!("give 1 to {HOURS_MAX}"))
        );
    }
    let step = DurationMs(u64::from(hours).saturating_mul(HOUR_MS) / STEPS);
    let first = first(op.plane.now(), step);
    let tally = op.plane.store.tally(first, step, COUNTED_MAX).await?;
    Ok(view(&tally, first, step))
}

/// When the first step begins, so that the last one is under way and steps lie at the same times from one look to the next.
fn first(now: Timestamp, step: DurationMs) -> Timestamp {
    let step = i64::try_from(step.0).unwrap_or(i64::MAX).max(1);
    let under_way = now.as_millis().div_euclid(step);
    let steps = i64::try_from(STEPS).unwrap_or(i64::MAX);
    Timestamp::from_millis(under_way.saturating_sub(steps - 1).saturating_mul(step))
}

fn view(tally: &Tally, first: Timestamp, step: DurationMs) -> TallyView {
    let at = |place: u64| first.plus(DurationMs(step.0.saturating_mul(place))).into();
    let mut steps: Vec<TallyStep> =
        (0..STEPS).map(|place| TallyStep { at: Some(at(place)), ..TallyStep::default() }).collect();
    let mut total = TallyStep::default();
    for one in &tally.counts {
        // What was decided by a clock that is ahead counts as now.
        let place = usize::try_from(one.step.min(STEPS - 1)).unwrap_or_default();
        let Some(step) = steps.get_mut(place) else { continue };
        for sum in [step, &mut total] {
            let count = match one.verdict.as_str() {
                "allow" => &mut sum.allow,
                "hold" => &mut sum.hold,
                _ => &mut sum.deny,
            };
            *count = count.saturating_add(one.count);
        }
    }
    TallyView { steps, total, only_since: tally.only_since.map(Into::into) }
}

const STEPS: u64 = 72;
const HOUR_MS: u64 = 3_600_000;
const HOURS_DEFAULT: u32 = 6;
const HOURS_MAX: u32 = 48;
/// More than this is not walked through for a picture.
const COUNTED_MAX: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;
    use provost_store::TallyCount;

    #[test]
    fn the_last_step_is_under_way_and_each_decision_counts_once() {
        let step = DurationMs::from_mins(5);
        let now = Timestamp::from_millis(1_800_000_123_456);
        let first = first(now, step);
        let last = first.plus(DurationMs(step.0 * (STEPS - 1)));
        assert!(last <= now && now < last.plus(step));
        let count = |step, verdict: &str, count| TallyCount { step, verdict: verdict.to_owned(), count };
        let tally = Tally {
            counts: vec![count(0, "allow", 3), count(71, "deny", 2), count(90, "hold", 1)],
            only_since: None,
        };
        let view = view(&tally, first, step);
        assert_eq!(view.steps.len(), 72);
        assert_eq!((view.steps[0].allow, view.steps[71].deny, view.steps[71].hold), (3, 2, 1));
        assert_eq!((view.total.allow, view.total.deny, view.total.hold), (3, 2, 1));
    }
}
