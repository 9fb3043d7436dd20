//! Differences between channels, in words.

use crate::{
    plan::{
        Reach,
        words::{Said, both_ways},
    },
    table::{clip, join},
};
use provost_domain::{Channel, channel::Event};
use std::collections::BTreeSet;

/// What a channel that is new hears.
pub(crate) fn added(row: &Channel) -> Said {
    let mut said = Said::default();
    said.neutral(format!("is added: {}", row.description));
    said.wider(format!("{} hears {} at {}", row.way.as_str(), what(row), clip(&row.way.place())));
    if !row.details {
        said.narrower("hears no arguments of calls");
    }
    said
}

/// What changes.
pub(crate) fn changed(from: &Channel, to: &Channel) -> Said {
    let mut said = Said::default();
    said.moved(Reach::Neutral, "description", &from.description, &to.description);
    if from.way != to.way {
        let way = |row: &Channel| format!("{} at {}", row.way.as_str(), clip(&row.way.place()));
        let (was, is) = (way(from), way(to));
        match was == is {
            true => said.wider("is reached with other secrets, or as somebody else"),
            false => said.wider(format!("is {is} instead of {was}")),
        }
    }
    both_ways((from.people.iter().collect(), to.people.iter().collect()), |gained, person| match gained {
        true => said.wider(format!("hears what concerns {person}")),
        false => said.narrower(format!("hears no longer what concerns {person}")),
    });
    both_ways((from.groups.iter().collect(), to.groups.iter().collect()), |gained, group| match gained {
        true => said.wider(format!("hears what group {group} has to agree to")),
        false => said.narrower(format!("hears no longer what group {group} has to agree to")),
    });
    if from.is_for_some() && !to.is_for_some() {
        said.wider("hears what concerns anybody");
    }
    match (from.fallback, to.fallback) {
        (true, false) => said.wider("hears also what other channels hear"),
        (false, true) => said.narrower("hears only what no other channel does"),
        _ => {}
    }
    let events = |row: &Channel| -> BTreeSet<&'static str> {
        Event::ALL.into_iter().filter(|event| row.hears(*event)).map(Event::as_str).collect()
    };
    let (was, is) = (events(from), events(to));
    both_ways((was.iter().collect(), is.iter().collect()), |gained, event| match gained {
        true => said.wider(format!("hears of: {event}")),
        false => said.narrower(format!("hears no longer of: {event}")),
    });
    if from.severity != to.severity {
        let reach = if to.severity < from.severity { Reach::Widens } else { Reach::Narrows };
        said.moved(reach, "hears of findings from", &from.severity, &to.severity);
    }
    match (from.details, to.details) {
        (true, false) => said.narrower("hears no arguments of calls any more"),
        (false, true) => said.wider("hears the arguments of calls"),
        _ => {}
    }
    said
}

fn what(row: &Channel) -> String {
    let whose: Vec<String> = [
        (!row.people.is_empty()).then(|| format!("concerns {}", join(&row.people))),
        (!row.groups.is_empty()).then(|| format!("group {} has to agree to", join(&row.groups))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let only = if row.fallback { ", if no other channel does" } else { "" };
    match whose.as_slice() {
        [] => format!("what concerns anybody{only}"),
        whose => format!("what {}{only}", whose.join(", and what ")),
    }
}
