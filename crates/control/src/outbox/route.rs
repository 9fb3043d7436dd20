//! Who is told: from whom something concerns to the lanes of the channels that reach them.

use provost_domain::{
    Channel, Directory, Name,
    channel::{Event, Way},
};
use std::collections::BTreeSet;

/// Whom something concerns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Concerns {
    /// These people.
    pub(crate) people: BTreeSet<Name>,
    /// And these groups.
    pub(crate) groups: BTreeSet<Name>,
}

/// One way to one reader.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) channel: Name,
    /// The one it is written to, where that is a person.
    pub(crate) person: Option<Name>,
}

impl Lane {
    /// `channel/ops`, `channel/mail/maria`.
    pub(crate) fn word(&self) -> String {
        match &self.person {
            Some(person) => format!("{PREFIX}{}/{person}", self.channel),
            None => format!("{PREFIX}{}", self.channel),
        }
    }

    /// Back from that word.
    pub(crate) fn read(word: &str) -> Option<Self> {
        let rest = word.strip_prefix(PREFIX)?;
        let (channel, person) =
            rest.split_once('/').map_or((rest, None), |(name, person)| (name, Some(person)));
        let person = person.map(str::parse).transpose().ok()?;
        Some(Self { channel: channel.parse().ok()?, person })
    }
}

/// The lanes on which those concerned hear of it: those of every channel that is for them or for everybody, and, if there is
/// none, those of the channels that hear what no other does.
pub(crate) fn lanes(directory: &Directory, event: Event, concerns: &Concerns) -> Vec<Lane> {
    let hear = |fallback: bool| {
        let channels = directory.channels.values();
        let channels = channels.filter(move |channel| channel.fallback == fallback && channel.hears(event));
        let lanes: BTreeSet<Lane> =
            channels.flat_map(|channel| of(directory, channel, concerns)).take(LANES_MAX).collect();
        lanes
    };
    let lanes = hear(false);
    let lanes = if lanes.is_empty() { hear(true) } else { lanes };
    lanes.into_iter().collect()
}

fn of(directory: &Directory, channel: &Channel, concerns: &Concerns) -> Vec<Lane> {
    let lane = |person: Option<&Name>| Lane { channel: channel.name.clone(), person: person.cloned() };
    let for_all = !channel.is_for_some();
    match channel.way {
        Way::Email { .. } => {
            let of_group = |person: &Name| {
                channel.groups.intersection(&concerns.groups).any(|group| is_member(directory, group, person))
            };
            let written_to = |person: &&Name| {
                (for_all || channel.people.contains(*person) || of_group(person))
                    && directory.people.get(*person).is_some_and(|row| row.active && row.email.is_some())
            };
            concerns.people.iter().filter(written_to).map(|person| lane(Some(person))).collect()
        }
        Way::Webhook { .. } | Way::Slack { .. } | Way::Teams { .. } => {
            let theirs = !channel.people.is_disjoint(&concerns.people)
                || !channel.groups.is_disjoint(&concerns.groups);
            if for_all || theirs { vec![lane(None)] } else { Vec::new() }
        }
    }
}

fn is_member(directory: &Directory, group: &Name, person: &Name) -> bool {
    let organisation = directory.organisation.as_ref();
    organisation
        .and_then(|row| row.groups.get(group.as_str()))
        .is_some_and(|row| row.members.contains(person))
}

const PREFIX: &str = "channel/";
/// One event is told on so many lanes at most.
const LANES_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use provost_domain::Object;
    use serde_json::json;

    fn directory(channels: serde_json::Value) -> Directory {
        let mut directory = Directory::default();
        for (person, email) in
            [("maria", Some("m@x.example")), ("ben", Some("b@x.example")), ("silent", None)]
        {
            let row = json!({"name": person, "display": person, "email": email, "active": true});
            directory.put(Object::Person(serde_json::from_value(row).unwrap()));
        }
        let groups = json!({"finance": {"members": ["ben"], "needs": 1}});
        let organisation = json!({"display": "Acme", "groups": groups});
        directory.put(Object::Organisation(serde_json::from_value(organisation).unwrap()));
        for mut channel in channels.as_array().unwrap().clone() {
            channel["description"] = json!("");
            channel["details"] = json!(true);
            let kind = channel["way"].as_str().unwrap().to_owned();
            channel["way"] = match kind.as_str() {
                "email" => {
                    json!({"kind": "email", "host": "localhost", "port": 25, "tls": "none", "from": "p@x.example"})
                }
                _ => json!({"kind": "slack", "address": "ops-url"}),
            };
            directory.put(Object::Channel(serde_json::from_value(channel).unwrap()));
        }
        directory
    }

    fn words(directory: &Directory, event: Event, people: &[&str], groups: &[&str]) -> Vec<String> {
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let concerns = Concerns { people: names(people), groups: names(groups) };
        lanes(directory, event, &concerns).iter().map(Lane::word).collect()
    }

    #[test]
    fn everybody_concerned_is_told_on_the_channels_that_are_theirs_and_nobody_else_is() {
        let directory = directory(json!([
            {"name": "all", "way": "slack", "events": ["asked"]},
            {"name": "finance", "way": "slack", "groups": ["finance"]},
            {"name": "maria", "way": "slack", "people": ["maria"]},
            {"name": "mail", "way": "email"},
            {"name": "last", "way": "slack", "fallback": true},
        ]));
        type Told<'a> = (Event, &'a [&'a str], &'a [&'a str], &'a [&'a str]);
        let table: &[Told<'_>] = &[
            (Event::Asked, &["maria"], &[], &["channel/all", "channel/mail/maria", "channel/maria"]),
            (Event::Asked, &["ben"], &["finance"], &["channel/all", "channel/finance", "channel/mail/ben"]),
            (Event::Asked, &["silent"], &[], &["channel/all"]),
            (Event::Finding, &["silent"], &[], &["channel/last"]),
            (Event::Finding, &["maria"], &[], &["channel/mail/maria", "channel/maria"]),
            (Event::Asked, &["nobody-here"], &[], &["channel/all"]),
        ];
        for (event, people, groups, wanted) in table {
            assert_eq!(words(&directory, *event, people, groups), *wanted, "{event:?} {people:?} {groups:?}");
        }
    }

    #[test]
    fn a_mail_channel_for_some_writes_to_nobody_else() {
        let directory = directory(json!([
            {"name": "mail", "way": "email", "people": ["maria"]},
            {"name": "money", "way": "email", "groups": ["finance"]},
        ]));
        assert_eq!(words(&directory, Event::Asked, &["maria", "ben"], &[]), ["channel/mail/maria"]);
        assert_eq!(
            words(&directory, Event::Asked, &["maria", "ben"], &["finance"]),
            ["channel/mail/maria", "channel/money/ben"]
        );
    }

    #[test]
    fn a_lane_reads_as_it_is_written() {
        for word in ["channel/ops", "channel/mail/maria"] {
            assert_eq!(Lane::read(word).unwrap().word(), word);
        }
        for other in ["", "stream/x", "channel/", "channel/Bad Name", "channel/a/b/c"] {
            assert_eq!(Lane::read(other), None, "{other}");
        }
    }
}
