//! Differences between connectors, in words.

use crate::{
    plan::{
        Reach,
        words::{Said, both_ways},
    },
    table::{clip, join},
};
use provost_domain::{
    Connector, Person,
    connector::{Gives, LoginsFrom, SubjectIs},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a connector that is new may say.
pub(crate) fn added(row: &Connector) -> Said {
    let mut said = Said::default();
    said.neutral(format!("is added, answered for by {}: {}", row.owner, row.description));
    said.wider("says who comes, who leaves and who is in which of its groups, once it has a token");
    logins(&mut said, None, row.logins.as_ref());
    groups(&mut said, &BTreeMap::new(), &row.groups);
    said
}

/// What changes.
pub(crate) fn changed(from: &Connector, to: &Connector) -> Said {
    let mut said = Said::default();
    said.moved(Reach::Neutral, "description", &from.description, &to.description);
    said.moved(Reach::Neutral, "owner", &from.owner, &to.owner);
    match (from.active, to.active) {
        (true, false) => said.narrower("is no longer heard, and its groups give nothing"),
        (false, true) => said.wider("is heard again, and its groups give what they gave"),
        _ => {}
    }
    logins(&mut said, from.logins.as_ref(), to.logins.as_ref());
    groups(&mut said, &from.groups, &to.groups);
    said
}

/// Whoever is in files is described by files; a connector that has them goes on saying whether they are here. Files stop a person,
/// and never bring back one whom their connector says has left. `silent`: the file does not say whether they are here.
pub(crate) fn provisioned(person: &mut Person, now: Option<&Person>, silent: bool) {
    person.provisioned = now.and_then(|now| now.provisioned.clone());
    let Some(said) = person.provisioned.as_deref_mut().filter(|said| said.gone.is_none()) else { return };
    said.made = false;
    if !silent && !person.active {
        said.stopped = false;
    }
    person.active &= said.active;
}

fn logins(said: &mut Said, from: Option<&LoginsFrom>, to: Option<&LoginsFrom>) {
    match (from, to) {
        (Some(_), None) => {
            said.narrower("people who are new are no subject of an identity provider any more")
        }
        (was, Some(is)) if was != Some(is) => {
            let attribute = match is.subject {
                SubjectIs::ExternalId => "externalId",
                SubjectIs::UserName => "userName",
            };
            said.wider(format!("its people sign in at {} as what their {attribute} says", is.issuer));
        }
        _ => {}
    }
}

fn groups(said: &mut Said, from: &BTreeMap<String, Gives>, to: &BTreeMap<String, Gives>) {
    let (was, is) = (given(from), given(to));
    both_ways((was.iter().collect(), is.iter().collect()), |gained, gives: &(String, String)| {
        let (group, what) = gives;
        match gained {
            true => said.wider(format!("group {} gives {what}", clip(group))),
            false => said.narrower(format!("group {} gives no longer {what}", clip(group))),
        }
    });
}

/// Every group with each thing that it gives.
fn given(groups: &BTreeMap<String, Gives>) -> BTreeSet<(String, String)> {
    let each = groups.iter().flat_map(|(display, gives)| {
        let roles = gives.roles.iter().map(|role| format!("the role {}", role.as_str()));
        let group = gives.group.iter().map(|group| format!("membership of {}", join([group])));
        roles.chain(group).map(|what| (display.clone(), what)).collect::<Vec<_>>()
    });
    each.collect()
}
