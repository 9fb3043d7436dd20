//! Differences in what becomes of agents by itself, in words.

use crate::plan::{
    Reach,
    words::{Said, lasting, more},
};
use provost_domain::{DurationMs, upkeep::UpkeepRules};

/// What changes in it. Whatever stops later, or never, widens.
pub(crate) fn changed(said: &mut Said, from: &UpkeepRules, to: &UpkeepRules) {
    let reach = |longer: bool| if longer { Reach::Widens } else { Reach::Narrows };
    let word = |span: Option<DurationMs>| span.map_or("never".to_owned(), lasting);
    said.moved(
        reach(more(from.idle, to.idle)),
        "idle agents are suspended after",
        &word(from.idle),
        &word(to.idle),
    );
    said.moved(
        reach(more(from.attested, to.attested)),
        "owners confirm their agents every",
        &word(from.attested),
        &word(to.attested),
    );
    let spans = [
        ("time to confirm an agent", from.grace, to.grace),
        ("time to accept an agent whose owner left", from.accepted, to.accepted),
        ("agents that are over are tried every", from.swept, to.swept),
    ];
    for (what, from, to) in spans {
        said.moved(reach(to > from), what, &lasting(from), &lasting(to));
    }
    said.moved(Reach::Neutral, "warning before an agent stops", &lasting(from.warned), &lasting(to.warned));
    let group =
        |name: &Option<provost_domain::Name>| name.as_ref().map_or("nobody".to_owned(), ToString::to_string);
    said.moved(Reach::Widens, "group that may follow an owner", &group(&from.heirs), &group(&to.heirs));
}
