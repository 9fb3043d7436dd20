//! Differences between issuers, and in who people are to them, in words.

use crate::{
    grant::scalar_words,
    plan::{
        Reach,
        words::{Said, both_ways, lasting},
    },
    table::{clip, join},
};
use provost_domain::{
    ClaimRule, ClaimTest, Issuer, Name, Person,
    issuer::{KeySource, LinkBy, Provider, SubjectRule, Workloads},
    person::{Login, Role},
};
use std::collections::BTreeSet;

/// What an issuer that is new is believed.
pub(crate) fn added(row: &Issuer) -> Said {
    let mut said = Said::default();
    said.neutral(format!("is added, answered for by {}: {}", row.owner, row.description));
    said.wider(format!("is trusted as {}, by {}", clip(&row.issuer), keys(&row.keys)));
    workloads(&mut said, &row.name, None, row.workloads.as_ref());
    people(&mut said, None, row.people.as_ref());
    signals(&mut said, None, row.signals.as_ref());
    said
}

/// What changes.
pub(crate) fn changed(from: &Issuer, to: &Issuer) -> Said {
    let mut said = Said::default();
    said.moved(Reach::Neutral, "description", &from.description, &to.description);
    said.moved(Reach::Neutral, "owner", &from.owner, &to.owner);
    said.moved(Reach::Widens, "trusted as", &from.issuer, &to.issuer);
    if from.keys != to.keys {
        said.wider(format!("is believed by {} instead of by {}", keys(&to.keys), keys(&from.keys)));
    }
    workloads(&mut said, &to.name, from.workloads.as_ref(), to.workloads.as_ref());
    people(&mut said, from.people.as_ref(), to.people.as_ref());
    signals(&mut said, from.signals.as_ref(), to.signals.as_ref());
    said
}

/// What goes with an issuer.
pub(crate) fn removed(row: &Issuer) -> Said {
    let mut said = Said::default();
    said.narrower(format!("is trusted no more: tokens of {} are refused", clip(&row.issuer)));
    if row.people.is_some() {
        said.narrower("knows nobody any more: people come in another way, or not at all");
    }
    said
}

/// Roles and logins of a person.
pub(crate) fn person(said: &mut Said, from: Option<&Person>, to: &Person) {
    let none = BTreeSet::new();
    let was = from.map_or(&none, |person| &person.roles);
    both_ways((was.iter().collect(), to.roles.iter().collect()), |gained, role: &Role| {
        if gained {
            said.wider(format!("becomes {}", role.as_str()));
        } else {
            said.narrower(format!("is no longer {}", role.as_str()));
        }
    });
    let was = from.map_or(&[][..], |person| &person.logins);
    for login in to.logins.iter().filter(|login| !was.iter().any(|was| same(was, login))) {
        said.wider(format!("is `{}` of {}, and comes in as that", clip(&login.subject), login.issuer));
    }
    for login in was.iter().filter(|login| !to.logins.iter().any(|to| same(to, login))) {
        said.narrower(format!("is no longer `{}` of {}", clip(&login.subject), login.issuer));
    }
}

/// Whether two logins are one, whenever each was added.
pub(crate) fn same(a: &Login, b: &Login) -> bool {
    a.issuer == b.issuer && a.subject == b.subject
}

fn workloads(said: &mut Said, name: &Name, from: Option<&Workloads>, to: Option<&Workloads>) {
    let Some(to) = to else {
        if from.is_some() {
            said.narrower("is no longer believed about workloads");
        }
        return;
    };
    let audiences = |taken: &Workloads| join(taken.audiences.iter().map(|audience| clip(audience)));
    match from {
        None => {
            let once = if to.single_use { ", each once" } else { "" };
            let ahead = lasting(to.ahead_max);
            said.wider(format!("vouches for workloads, to {}; at most {ahead} ahead{once}", audiences(to)));
            said.neutral(format!("{} subjects that are nobody's are put on record", to.unmanaged_max));
        }
        Some(from) => {
            let reach = if to.audiences.is_subset(&from.audiences) { Reach::Narrows } else { Reach::Widens };
            said.moved(reach, "tokens are for", &audiences(from), &audiences(to));
            let reach = if to.ahead_max > from.ahead_max { Reach::Widens } else { Reach::Narrows };
            said.moved(reach, "tokens end at most", &lasting(from.ahead_max), &lasting(to.ahead_max));
            match (from.single_use, to.single_use) {
                (false, true) => said.narrower("each token counts once"),
                (true, false) => said.wider("a token may come again until it expires"),
                _ => {}
            }
            said.moved(
                Reach::Neutral,
                "subjects of nobody on record",
                &from.unmanaged_max,
                &to.unmanaged_max,
            );
        }
    }
    let was = from.map_or(&[][..], |from| &from.rules);
    for rule in to.rules.iter().filter(|rule| !was.contains(rule)) {
        said.wider(format!("subjects of {name} {} may act as {}", having(rule), rule.agent));
    }
    for rule in was.iter().filter(|rule| !to.rules.contains(rule)) {
        said.narrower(format!("subjects of {name} {} may no longer act as {}", having(rule), rule.agent));
    }
}

fn people(said: &mut Said, from: Option<&Provider>, to: Option<&Provider>) {
    let Some(to) = to else {
        if from.is_some() {
            said.narrower("is no longer believed about people");
        }
        return;
    };
    let abilities = [
        ((from.is_some_and(|from| from.sign_in), to.sign_in), "its people sign in with it"),
        (
            (from.is_some_and(|from| from.assertions), to.assertions),
            "its assertions say which person an agent acts for",
        ),
    ];
    for ((was, is), text) in abilities {
        match (was, is) {
            (false, true) => said.wider(text),
            (true, false) => said.narrower(format!("no longer: {text}")),
            _ => {}
        }
    }
    let secret = |provider: &Provider| match &provider.secret {
        Some(secret) => format!("{} with the sealed secret {secret}", clip(&provider.client_id)),
        None => format!("{}, by signature", clip(&provider.client_id)),
    };
    match from {
        Some(from) => said.moved(Reach::Widens, "the plane is its client", &secret(from), &secret(to)),
        None => said.neutral(format!("the plane is its client {}", secret(to))),
    }
    match (from.map_or(LinkBy::Subject, |from| from.link), to.link) {
        (LinkBy::Subject, LinkBy::Email) => {
            said.wider("whoever has the verified mail address of a person comes in as that person");
        }
        (LinkBy::Email, LinkBy::Subject) => {
            said.narrower("people come in by their subject only, no longer by their mail address");
        }
        _ => {}
    }
    groups(said, from, to);
}

fn signals(said: &mut Said, from: Option<&BTreeSet<String>>, to: Option<&BTreeSet<String>>) {
    match (from, to) {
        (Some(_), None) => said.narrower("its signals about people are no longer taken"),
        (was, Some(is)) if was != Some(is) => {
            let audiences = join(is.iter().map(|audience| clip(audience)));
            said.wider(format!("its signals about people, to {audiences}, end sessions and accounts here"));
        }
        _ => {}
    }
}

fn groups(said: &mut Said, from: Option<&Provider>, to: &Provider) {
    let claim = |provider: &Provider| provider.groups_claim.clone().unwrap_or_else(|| "nothing".to_owned());
    if let Some(from) = from {
        said.moved(Reach::Widens, "groups are listed in", &claim(from), &claim(to));
    }
    let pairs = |provider: &'_ Provider| -> BTreeSet<(String, &'static str)> {
        let each = provider.roles.iter();
        each.flat_map(|(group, roles)| roles.iter().map(|role| (group.clone(), role.as_str()))).collect()
    };
    let (was, is) = (from.map(pairs).unwrap_or_default(), pairs(to));
    both_ways((was.iter().collect(), is.iter().collect()), |gained, (group, role)| {
        if gained {
            said.wider(format!("its group {} becomes {role}", clip(group)));
        } else {
            said.narrower(format!("its group {} is no longer {role}", clip(group)));
        }
    });
}

fn keys(keys: &KeySource) -> String {
    match keys {
        KeySource::Discovery => "the keys that its metadata names".to_owned(),
        KeySource::Url { url } => format!("the keys at {}", clip(url)),
        KeySource::Inline { jwks } => {
            let count = jwks.get("keys").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
            match count {
                1 => "the key in the file".to_owned(),
                _ => format!("the {count} keys in the file"),
            }
        }
    }
}

/// `with /ref like refs/tags/v* and /environment prod or staging`.
fn having(rule: &SubjectRule) -> String {
    let claim = |rule: &ClaimRule| {
        let test = match rule.test() {
            ClaimTest::Equals(value) => scalar_words(value),
            ClaimTest::OneOf(values) => values.iter().map(scalar_words).collect::<Vec<_>>().join(" or "),
            ClaimTest::Like(like) => format!("like {}", clip(like)),
        };
        format!("{} {test}", clip(rule.pointer()))
    };
    format!("with {}", rule.claims.iter().map(claim).collect::<Vec<_>>().join(" and "))
}
