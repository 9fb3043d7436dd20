//! Differences in who must agree to a change, in words.

use crate::{
    plan::{
        Reach,
        words::{Said, both_ways, lasting},
    },
    table::join,
};
use provost_domain::organisation::{Agree, ChangeRules};
use std::collections::BTreeSet;

/// What changes in the rules of changes.
pub(crate) fn changed(said: &mut Said, from: &ChangeRules, to: &ChangeRules) {
    let sets = [
        ("of the sandbox", &from.sandbox, &to.sandbox),
        ("of staging", &from.staging, &to.staging),
        ("of production", &from.production, &to.production),
        ("of what holds everywhere", &from.rules, &to.rules),
    ];
    for (what, from, to) in sets {
        both_ways((from.iter().collect(), to.iter().collect()), |gained, who: &Agree| {
            let who = words(&[who.clone()].into());
            if gained {
                said.narrower(format!("changes {what} need {who}"));
            } else {
                said.wider(format!("changes {what} no longer need {who}"));
            }
        });
    }
    let reach = |longer: bool| if longer { Reach::Widens } else { Reach::Narrows };
    said.moved(reach(to.wait > from.wait), "time a proposal waits", &lasting(from.wait), &lasting(to.wait));
    said.moved(
        reach(to.review > from.review),
        "time until a change without those who must agree is reviewed",
        &lasting(from.review),
        &lasting(to.review),
    );
}

fn words(who: &BTreeSet<Agree>) -> String {
    join(who.iter().map(|who| match who {
        Agree::Owner => "the owner's yes".to_owned(),
        Agree::Administrators => "an administrator's yes".to_owned(),
        Agree::Group(group) => format!("the yes of group {group}"),
    }))
}
