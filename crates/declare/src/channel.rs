//! `[channel.NAME]`: a way to reach people. What is secret about it is sealed at the plane; the file only names it.

use crate::{
    Declared, Fault,
    desk::{Desk, Found},
    issuer::{address, is_loopback},
    organisation::Named,
    table::{Item, Table, clip, nearest},
};
use provost_domain::{
    Channel, Directory, Kind, Name, ObjectKey, Severity,
    channel::{Event, MailTls, Way},
};
use std::collections::BTreeSet;
use toml::de::DeValue;

pub(crate) fn named((name, at): Named, item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let Some(mut table) = item.table(desk, format!("[channel.{name}]")) else { return };
    let fresh = desk.declare(ObjectKey::new(Kind::Channel, name.as_str()), &at);
    let description = table.sentence(desk, "description", "say in a sentence who reads there");
    for key in PLAIN_SECRETS {
        if let Some(item) = table.get(key) {
            desk.quiet_error(&item.at, "a secret has no place in files: they are read by many", SEALED_CURE);
        }
    }
    let kind = table.need(desk, "kind", KIND_CURE);
    let words = [
        ("webhook", Kinds::Webhook),
        ("slack", Kinds::Slack),
        ("teams", Kinds::Teams),
        ("email", Kinds::Email),
    ];
    let kind = kind.and_then(|item| item.word(desk, &words));
    let way = kind.and_then(|kind| way(kind, &mut table, desk));
    let people = table.get("people").map_or_else(Vec::new, |item| {
        desk.mark("people", &item.at);
        let names = item.distinct(desk, Item::name);
        for (person, at) in &names {
            desk.mention(Kind::Person, person, "person", at);
        }
        names
    });
    let groups = table.get("groups").map_or_else(Vec::new, |item| {
        let names = item.distinct(desk, Item::name);
        for (group, at) in &names {
            desk.mark(format!("groups.{group}"), at);
        }
        names
    });
    let fallback = table.boolean(desk, "fallback").unwrap_or(false);
    let events = table.get("events").map_or_else(BTreeSet::new, |item| events(&item, desk));
    let details = table.boolean(desk, "details").unwrap_or(true);
    let words = [
        ("info", Severity::Info),
        ("low", Severity::Low),
        ("medium", Severity::Medium),
        ("high", Severity::High),
        ("critical", Severity::Critical),
    ];
    let severity = table.get("severity").and_then(|item| item.word(desk, &words)).unwrap_or(Severity::High);
    table.finish(desk);
    if let (Some(description), Some(way), true) = (description, way, fresh) {
        let names = |names: Vec<(Name, _)>| names.into_iter().map(|(name, _)| name).collect();
        let (people, groups) = (names(people), names(groups));
        let row = Channel {
            name: name.clone(),
            description,
            way,
            people,
            groups,
            fallback,
            events,
            details,
            severity,
        };
        declared.channels.insert(name, row);
    }
}

#[derive(Clone, Copy)]
enum Kinds {
    Webhook,
    Slack,
    Teams,
    Email,
}

fn way(kind: Kinds, table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<Way> {
    match kind {
        Kinds::Webhook => {
            let url = table.need(desk, "url", "write url = \"https://…\": where requests are posted");
            let url = url.and_then(|item| {
                let text = item.text(desk)?;
                address(&item, text, "url = \"https://hooks.acme.example/provost\"", desk)
            });
            let secrets = table.need(desk, "secrets", SECRETS_CURE).map(|item| secrets(&item, desk));
            Some(Way::Webhook { url: url?, secrets: secrets.filter(|names| !names.is_empty())? })
        }
        Kinds::Slack | Kinds::Teams => {
            let address = table.need(desk, "address", ADDRESS_CURE).and_then(|item| sealed(&item, desk))?;
            Some(match kind {
                Kinds::Slack => Way::Slack { address },
                _ => Way::Teams { address },
            })
        }
        Kinds::Email => email(table, desk),
    }
}

fn email(table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<Way> {
    let host_item = table.need(desk, "host", "write host = \"smtp.acme.example\": the mail server");
    let host = host_item.as_ref().and_then(|item| host(item, desk));
    let words = [("implicit", MailTls::Implicit), ("starttls", MailTls::Starttls), ("none", MailTls::None)];
    let tls_item = table.get("tls");
    let tls = match &tls_item {
        Some(item) => item.word(desk, &words),
        None => Some(MailTls::Implicit),
    };
    if let (Some(item), Some(MailTls::None), Some(host)) = (&tls_item, tls, &host)
        && !is_loopback(host)
    {
        let message = "mail would leave this machine in clear text";
        desk.error(&item.at, message, "write tls = \"implicit\" or \"starttls\"; \"none\" is for localhost");
    }
    let port = table.get("port").map(|item| item.whole(desk, 1..=65_535));
    let from = table.need(desk, "from", FROM_CURE).and_then(|item| from(&item, desk));
    let user_item = table.get("user");
    let user = user_item.as_ref().and_then(|item| item.text(desk)).map(str::to_owned);
    let password_item = table.get("sealed_password");
    let password = password_item.as_ref().and_then(|item| sealed(item, desk));
    match (&user_item, &password_item) {
        (Some(item), None) => {
            desk.missing(&item.at, "`user` signs in with a password, and none is named", PASSWORD_CURE);
        }
        (None, Some(item)) => desk.missing(&item.at, "a password is named, and no `user`", PASSWORD_CURE),
        _ => {}
    }
    let tls = tls?;
    let port = match port {
        Some(port) => u16::try_from(port?).ok()?,
        None => match tls {
            MailTls::Implicit => 465,
            MailTls::Starttls => 587,
            MailTls::None => 25,
        },
    };
    Some(Way::Email { host: host?, port, tls, from: from?, user, password })
}

fn host(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<String> {
    let text = item.text(desk)?;
    let fits =
        text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'[' | b']'));
    if !fits {
        let message = format!("`{}` is not the name of a host", clip(text));
        desk.error(&item.at, message, "write the name alone: no scheme, no path, no user");
    }
    fits.then(|| text.to_ascii_lowercase())
}

/// A mail address, alone or as `Name <address>`.
fn from(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<String> {
    let text = item.text(desk)?.trim();
    let inside = text.rsplit_once('<').map_or(text, |(_name, rest)| rest.strip_suffix('>').unwrap_or(rest));
    let good = inside.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains('@') && !inside.contains([' ', ',', '<', '>'])
    });
    if !good || text.contains(char::is_control) {
        desk.error(&item.at, "`from` is not one mail address", FROM_CURE);
        return None;
    }
    Some(text.to_owned())
}

fn events(item: &Item<'_>, desk: &mut Desk<'_>) -> BTreeSet<Event> {
    let words: Vec<_> = Event::ALL.iter().map(|event| (event.as_str(), event.as_str())).collect();
    let said = item.distinct(desk, |item, desk| item.word(desk, &words));
    if matches!(item.value, DeValue::Array(items) if items.is_empty()) {
        desk.error(
            &item.at,
            "`events` is empty: the channel would hear nothing",
            "name some, or leave it out",
        );
    }
    let event = |word: &str| Event::ALL.into_iter().find(|event| event.as_str() == word);
    said.into_iter().filter_map(|(word, _)| event(word)).collect()
}

fn secrets(item: &Item<'_>, desk: &mut Desk<'_>) -> Vec<Name> {
    let DeValue::Array(_) = item.value else {
        desk.quiet_error(&item.at, "`secrets` is not a list of names", SECRETS_CURE);
        return Vec::new();
    };
    let items = item.list(desk).unwrap_or_default();
    if items.is_empty() || items.len() > SECRETS_MAX {
        desk.quiet_error(&item.at, "`secrets` names one to four sealed secrets", SECRETS_CURE);
    }
    items.iter().take(SECRETS_MAX).filter_map(|item| sealed(item, desk)).collect()
}

/// The name something is sealed under. The line is not shown: somebody may have put the secret itself there.
pub(crate) fn sealed(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<Name> {
    let name = match item.value {
        // A secret itself may read like a name.
        DeValue::String(text) if text.starts_with("whsec_") => None,
        DeValue::String(text) => text.parse().ok(),
        _ => None,
    };
    if name.is_none() {
        desk.quiet_error(
            &item.at,
            &format!("`{}` is not the name of a sealed secret", item.what),
            SEALED_CURE,
        );
    }
    name
}

/// Groups that nobody declares.
pub(crate) fn unknown_groups(declared: &Declared, found: &Found, current: &Directory) -> Vec<Fault> {
    let there = current.organisation.as_ref().map(|row| &row.groups);
    let known: BTreeSet<&Name> = match (&declared.organisation, there) {
        (None, Some(groups)) => groups.keys().collect(),
        _ => declared.groups.keys().collect(),
    };
    let channels = declared
        .channels
        .values()
        .flat_map(|row| row.groups.iter().map(|group| (Kind::Channel, &row.name, group)));
    let given = declared.connectors.values().flat_map(|row| {
        let groups = row.groups.values().filter_map(|gives| gives.group.as_ref());
        groups.map(|group| (Kind::Connector, &row.name, group))
    });
    let mut faults = Vec::new();
    for (kind, name, group) in channels.chain(given).filter(|(_, _, group)| !known.contains(group)) {
        let key = ObjectKey::new(kind, name.as_str());
        let place =
            found.parts.get(&(key.clone(), format!("groups.{group}"))).or_else(|| found.named.get(&key));
        let Some(place) = place else { continue };
        let near = nearest(group.as_str(), known.iter().map(|name| name.as_str()));
        let cure =
            near.map_or_else(|| format!("declare [group.{group}]"), |near| format!("did you mean `{near}`?"));
        faults.push(declared.fault_at(
            place.clone(),
            crate::Severity::Error,
            format!("there is no group `{group}`"),
            cure,
        ));
    }
    faults
}

const KIND_CURE: &str = "write kind = \"webhook\", \"slack\", \"teams\" or \"email\"";
const SEALED_CURE: &str = "seal it with `provost credential set NAME` and write the NAME";
const ADDRESS_CURE: &str = "whoever knows the address may post there: seal it with `provost credential set NAME` and write address = \"NAME\"";
const SECRETS_CURE: &str = "seal `whsec_` and 32 random bytes in base64 with `provost credential set NAME` and write secrets = [\"NAME\"]";
const PASSWORD_CURE: &str =
    "write user = \"…\" and sealed_password = \"NAME\", with the NAME it is sealed under";
const FROM_CURE: &str = "write from = \"provost@acme.example\"";
/// Keys that somebody would write who does not know better.
const PLAIN_SECRETS: [&str; 3] = ["secret", "password", "webhook_url"];
const SECRETS_MAX: usize = 4;
