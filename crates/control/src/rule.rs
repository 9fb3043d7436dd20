//! Rules: containment that is ordered by itself. They follow the findings, each opening of one once; what one would have done is
//! tried against what is on record before it is trusted (`test`), and none orders more often than it says.
//!
//! ```text
//! finding opened ─▶ a rule fits it ─▶ a place is left of `at_most` in `within` ─▶ order, and a finding that says so
//!                                       └ none ─▶ no order; a finding that people must look at
//! ```
//!
//! How far the changes were read stands in the store, and each firing is claimed there: of several nodes one fires, and a crash
//! loses none.

use crate::{
    Action, ControlError, Op, Operator, containment, finding,
    plane::Plane,
    position::{self, Reader},
};
use provost_api::rule::{RuleFired, RuleTest, RuleTested, RuleView};
use provost_domain::{
    Digest, Directory, DurationMs, Finding, Name, Object, Seq, Severity, Sighting, Timestamp,
    containment::Who,
    finding::{About, FindingState},
    rule::Rule,
};
use provost_store::ChangeRecord;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use tokio::sync::watch;

/// The rules, in order of their names.
///
/// # Errors
/// When the operator may not.
pub fn list(op: &Op) -> Result<Vec<RuleView>, ControlError> {
    op.authorize(Action::ContainmentRead)?;
    let view = op.plane.replica.latest();
    Ok(rules(&view.directory).iter().map(|(name, rule)| show(name, rule)).collect())
}

/// What a rule would have done, had it stood since a moment, by what is on record.
///
/// # Errors
/// When the operator may not, nobody has that rule, or the store fails.
pub async fn test(op: &Op, name: &Name, wanted: RuleTest) -> Result<RuleTested, ControlError> {
    op.authorize(Action::ContainmentRead)?;
    let view = op.plane.replica.latest();
    let rule = rules(&view.directory).get(name).cloned();
    let rule = rule.ok_or_else(|| ControlError::unknown("rule", name.as_str()))?;
    let since = op.plane.now().minus(wanted.since.0);
    let mut tried = Tried::default();
    let mut position = Seq(0);
    let mut read = 0_u64;
    loop {
        let records = op.plane.store.tail(position, PAGE).await?;
        for record in &records {
            position = record.seq;
            if record.at >= since
                && let Some(finding) = opened(record)
            {
                tried.hear(&rule, finding, record.at);
            }
        }
        read = read.saturating_add(u64::try_from(records.len()).unwrap_or(u64::MAX));
        if records.len() < PAGE {
            break;
        }
    }
    let fired = tried.fired.iter().filter(|fired| !fired.held_back).count();
    let held_back = tried.fired.len().saturating_sub(fired);
    tried.fired.truncate(SHOWN_MAX);
    Ok(RuleTested {
        rule: show(name, &rule),
        since: since.into(),
        records: read,
        fired,
        held_back,
        first: tried.fired,
    })
}

/// Follows findings for as long as the node lives.
pub async fn follow(plane: Arc<Plane>, stop: watch::Receiver<bool>) {
    position::follow(plane, stop, "rules", once).await;
}

/// Reads what changed since the position, and does what rules say. Gives how many orders were given.
///
/// # Errors
/// When the store fails: from the position on it is read again.
pub async fn once(plane: &Arc<Plane>, position: &mut Option<Seq>) -> Result<usize, ControlError> {
    let op = Op { subject: Operator::Plane, request_id: "rule".to_owned(), plane: Arc::clone(plane) };
    let mut ordered = 0;
    loop {
        let page = READER.page(plane, *position).await?;
        for finding in page.records.iter().filter_map(opened) {
            ordered += fire(&op, finding).await?;
        }
        if READER.done(plane, &page, position).await? {
            return Ok(ordered);
        }
    }
}

/// A finding that this change has opened, or made worse.
fn opened(record: &ChangeRecord) -> Option<&Finding> {
    match &record.after {
        Some(Object::Finding(finding)) if finding.state == FindingState::Open && !finding.filed => {
            Some(finding)
        }
        _ => None,
    }
}

async fn fire(op: &Op, finding: &Finding) -> Result<usize, ControlError> {
    let authorised = op.authorize(Action::ContainmentOrder)?;
    let (plane, now) = (&op.plane, op.plane.now());
    let view = plane.replica.latest();
    let mut ordered = 0;
    for (name, rule) in rules(&view.directory) {
        let Some(scope) = rule.scope(finding) else { continue };
        let once = format!("rule {name} {} {} {}", finding.id, finding.opened.as_millis(), finding.severity);
        if !plane.store.remember(Digest::of(once.as_bytes()), now.plus(REMEMBERED_FOR), now).await? {
            continue;
        }
        if !place_left(plane, &name, &rule, now).await? {
            let what = format!(
                "rule {name} wanted to contain {} and has done so {} times in {} already",
                scope.words(),
                rule.at_most,
                rule.within
            );
            tell(op, "rule-limit", &name, finding, (Severity::Critical, what)).await;
            continue;
        }
        let by = Who { person: None, shown_by: format!("rule {name}") };
        let why: String = format!("rule {name}: {}", finding.what)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(WHY_CHARS_MAX)
            .collect();
        match containment::give(&authorised, (scope.clone(), rule.level.clone()), &why, (by, false)).await {
            Ok(order) => {
                ordered += 1;
                let what =
                    format!("rule {name} contained {} at level {}: {}", scope.words(), order.level, order.id);
                tell(op, "rule-fired", &name, finding, (Severity::High, what)).await;
            }
            // What it is about is gone, or the store: people are told, and the other rules go on.
            Err(error) => {
                let what = format!("rule {name} could not contain {}: {error}", scope.words());
                tell(op, "rule-failed", &name, finding, (Severity::Critical, what)).await;
            }
        }
    }
    Ok(ordered)
}

/// Takes one of the places that a rule has within its time, if one is free. The store is the arbiter.
async fn place_left(plane: &Plane, name: &Name, rule: &Rule, now: Timestamp) -> Result<bool, ControlError> {
    for place in 0..rule.at_most {
        let word = Digest::of(format!("rule {name} place {place}").as_bytes());
        if plane.store.remember(word, now.plus(rule.within), now).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn tell(op: &Op, kind: &str, rule: &Name, about: &Finding, (severity, what): (Severity, String)) {
    // A rule never fires on what rules themselves say.
    let key = format!("{rule}/{}", about.id);
    let sighting = Sighting::new(kind, key, severity, what);
    let of =
        About { agent: about.about.agent.clone(), system: about.about.system.clone(), ..About::default() };
    finding::try_raise(op, &sighting.about(of).evidence([about.id.as_str()])).await;
}

/// The rules, without those that would hear themselves.
fn rules(directory: &Directory) -> BTreeMap<Name, Rule> {
    directory.organisation.as_deref().map(|all| all.rules.clone()).unwrap_or_default()
}

fn show(name: &Name, rule: &Rule) -> RuleView {
    RuleView {
        name: name.clone(),
        words: rule.words(name),
        at_most: rule.at_most,
        within: rule.within.into(),
    }
}

/// A rule, tried against what is on record.
#[derive(Default)]
struct Tried {
    seen: BTreeSet<(String, i64, Severity)>,
    places: VecDeque<Timestamp>,
    fired: Vec<RuleFired>,
}

impl Tried {
    fn hear(&mut self, rule: &Rule, finding: &Finding, at: Timestamp) {
        let Some(scope) = rule.scope(finding) else { return };
        if !self.seen.insert((finding.id.clone(), finding.opened.as_millis(), finding.severity)) {
            return;
        }
        self.places.retain(|taken| at < taken.plus(rule.within));
        let held_back = self.places.len() >= usize::try_from(rule.at_most).unwrap_or(usize::MAX);
        if !held_back {
            self.places.push_back(at);
        }
        self.fired.push(RuleFired {
            at: at.into(),
            finding: finding.id.clone(),
            what: finding.what.clone(),
            stops: scope.words(),
            held_back,
        });
    }
}

const READER: Reader = Reader { place: "rule-position", doing: "rules were followed" };
const PAGE: usize = 500;
const SHOWN_MAX: usize = 100;
const WHY_CHARS_MAX: usize = 400;
/// An opening of a finding fires once.
const REMEMBERED_FOR: DurationMs = DurationMs::from_secs(30 * 24 * 3_600);

#[cfg(test)]
mod tests {
    use super::*;
    use provost_domain::{Restraint, rule::Stops};
    use serde_json::json;

    fn rule(at_most: u32) -> Rule {
        Rule {
            finding: "drift".to_owned(),
            severity: Severity::High,
            level: Restraint::ReadOnly,
            stops: Stops::Agent,
            at_most,
            within: DurationMs::from_mins(60),
        }
    }

    fn finding(id: &str, kind: &str, severity: &str, agent: Option<&str>, opened: i64) -> Finding {
        serde_json::from_value(json!({
            "id": id, "kind": kind, "key": id, "severity": severity, "about": {"agent": agent}, "what": "w",
            "first": 0, "last": 0, "opened": opened, "count": 1, "state": {"is": "open"},
        }))
        .unwrap()
    }

    #[test]
    fn a_rule_fires_once_for_each_opening_of_what_fits_and_no_more_often_than_it_says() {
        let mut tried = Tried::default();
        let minute = |n: i64| Timestamp::from_millis(n * 60_000);
        // Finding, kind, severity, agent, when it was opened; fired, held back.
        let steps = [
            (("f1", "drift", "high", Some("a"), 1), Some(false)),
            (("f1", "drift", "high", Some("a"), 1), None),
            (("f1", "drift", "critical", Some("a"), 1), Some(false)),
            (("f2", "drift", "medium", Some("a"), 2), None),
            (("f3", "other", "critical", Some("a"), 3), None),
            (("f4", "drift", "high", None, 4), None),
            (("f5", "drift", "high", Some("b"), 5), Some(true)),
            (("f6", "drift", "high", Some("c"), 70), Some(false)),
        ];
        for ((id, kind, severity, agent, opened), wanted) in steps {
            let before = tried.fired.len();
            tried.hear(&rule(2), &finding(id, kind, severity, agent, opened), minute(opened));
            let fired = tried.fired.get(before).map(|fired| fired.held_back);
            assert_eq!(fired, wanted, "{id} {severity}");
        }
    }
}
