//! `[organisation]`, `[group.NAME]`, `[person.NAME]`, `[workload.NAME]`.

use crate::{
    Declared, application::AGENTS, autonomy::autonomy, changes::changes, channel::sealed, desk::Desk,
    issuer::address, lifecycle::lifecycle, table::Item,
};
use provost_domain::{
    DurationMs, Kind, Name, ObjectKey, Person, Timestamp, Workload,
    organisation::{ApprovalRules, Group, Organisation, Signed},
    person::{Login, Role},
    proposal::ADMINISTRATORS,
    workload::Callbacks,
};
use std::{collections::BTreeSet, ops::Range};

/// A name and where it stands.
pub(crate) type Named = (Name, Range<usize>);

pub(crate) fn organisation(item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let Some(mut table) = item.table(desk, "[organisation]") else { return };
    let fresh = desk.declare(ObjectKey::organisation(), &item.at);
    let display = table.sentence(desk, "display", "write display = \"Acme Ltd\"");
    let production_revocation_max = table.duration(desk, "production_revocation_max");
    let approvals = table.get("approvals").map(|item| approvals(&item, desk)).unwrap_or_default();
    let changes = table.get("changes").map(|item| changes(&item, desk)).unwrap_or_default();
    let lifecycle = table.get("lifecycle").map(|item| lifecycle(&item, desk)).unwrap_or_default();
    let autonomy = table.get("autonomy").map(|item| autonomy(&item, desk)).unwrap_or_default();
    table.finish(desk);
    if let (Some(display), true) = (display, fresh) {
        declared.organisation = Some(Organisation {
            display,
            production_revocation_max,
            groups: std::collections::BTreeMap::new(),
            approvals,
            changes,
            drills: std::collections::BTreeMap::new(),
            rules: std::collections::BTreeMap::new(),
            autonomy,
            lifecycle,
        });
    }
}

/// How approvals go; what is left out is as it is without it.
fn approvals(item: &Item<'_>, desk: &mut Desk<'_>) -> ApprovalRules {
    let mut rules = ApprovalRules::default();
    desk.mark("approvals", &item.at);
    let Some(mut table) = item.table(desk, "approvals") else { return rules };
    rules.wait = table.duration(desk, "wait").unwrap_or(rules.wait);
    rules.good_for = table.duration(desk, "good_for").unwrap_or(rules.good_for);
    rules.escalate_after = table.duration(desk, "escalate_after");
    if let Some(open) = table.get("hold_open") {
        let never = open.text(desk) == Some(NEVER);
        rules.hold_open = if never { DurationMs(0) } else { open.duration(desk).unwrap_or(rules.hold_open) };
    }
    if let Some(deputies) = table.get("deputies") {
        let word = deputies.word(desk, &[("always", false), ("while-away", true)]);
        rules.deputies_only_while_away = word.unwrap_or(false);
    }
    rules.checks = table.get("checks").and_then(|item| checks(&item, desk));
    if let Some(signed) = table.get("signed") {
        let words = Signed::ALL.map(|signed| (signed.as_str(), signed));
        rules.signed = signed.word(desk, &words).unwrap_or_default();
    }
    table.finish(desk);
    for (key, length) in [("wait", rules.wait), ("good_for", rules.good_for)] {
        if length.0 == 0 || length > APPROVAL_MAX {
            desk.error(&item.at, format!("`{key}` must be from one second to 30 days"), APPROVALS_CURE);
        }
    }
    if rules.hold_open > HOLD_OPEN_MAX {
        desk.error(&item.at, "`hold_open` may be one hour at most".to_owned(), APPROVALS_CURE);
    }
    rules
}

/// `1 in 50`: one answer in so many draws a check; `never`.
fn checks(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<u32> {
    let text = item.text(desk)?.trim();
    if text == NEVER {
        return None;
    }
    let one_in = text.strip_prefix("1 in ").and_then(|number| number.trim().parse().ok());
    let one_in = one_in.filter(|one_in| (CHECKS_LEAST..=CHECKS_MOST).contains(one_in));
    if one_in.is_none() {
        let what =
            format!("`checks` is \"never\", or from \"1 in {CHECKS_LEAST}\" to \"1 in {CHECKS_MOST}\"");
        desk.error(&item.at, what, "write checks = \"1 in 50\"");
    }
    one_in
}

/// Groups belong to the organisation's row, which may stand in another file: they are put in at the end.
pub(crate) fn group((name, at): Named, item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let Some(mut table) = item.table(desk, format!("[group.{name}]")) else { return };
    if name.as_str() == OWNER {
        desk.error(&at, "`owner` is what gates call the owner of the agent", "give the group another name");
    }
    if matches!(name.as_str(), ADMINISTRATORS | DIRECT) {
        let message = format!("`{name}` has a meaning of its own in `changes`");
        desk.error(&at, message, "give the group another name");
    }
    let members = table.need(desk, "members", "name the people: members = [\"maria\", \"ben\"]");
    let members = members.map_or_else(Vec::new, |item| {
        let names = item.distinct(desk, Item::name);
        for (person, at) in &names {
            desk.mention(Kind::Person, person, "member", at);
        }
        if names.is_empty() {
            desk.error(&item.at, "a group without members could never agree", "name at least one person");
        }
        names
    });
    let needs = table.get("needs").map_or(Some(1), |item| {
        let needs = item.whole(desk, 1..=i64::try_from(members.len().max(1)).unwrap_or(1));
        needs.and_then(|needs| u32::try_from(needs).ok())
    });
    table.finish(desk);
    let members: BTreeSet<Name> = members.into_iter().map(|(name, _)| name).collect();
    let Some(needs) = needs else { return };
    if declared.groups.insert(name.clone(), Group { members, needs }).is_some() {
        desk.error(&at, format!("group {name} is declared twice"), "keep one of the two");
    }
}

pub(crate) fn person((name, at): Named, item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let Some(mut table) = item.table(desk, format!("[person.{name}]")) else { return };
    let key = ObjectKey::new(Kind::Person, name.as_str());
    let fresh = desk.declare(key.clone(), &at);
    let display = table.sentence(desk, "display", "write display = \"Maria Lindt\"");
    let email = table.get("email").and_then(|item| email(&item, desk));
    let manager = table.get("manager").and_then(|item| {
        desk.mark("manager", &item.at);
        let manager = item.name(desk)?;
        desk.mention(Kind::Person, &manager, "manager", &item.at);
        let place = desk.source.place(&item.at);
        desk.found.managers.entry(name.clone()).or_insert((manager.clone(), place));
        Some(manager)
    });
    let active = table.boolean(desk, "active");
    let roles = table.get("roles").map_or_else(BTreeSet::new, |item| roles(&item, desk));
    let logins = table.get("logins").map(|item| logins(&item, desk));
    table.finish(desk);
    if let (Some(display), true) = (display, fresh) {
        if active.is_none() {
            declared.silent_on_active.insert(key.clone());
        }
        if logins.is_none() {
            declared.silent_on_logins.insert(key);
        }
        let person = Person {
            name: name.clone(),
            display,
            email,
            manager,
            active: active.unwrap_or(true),
            roles,
            logins: logins.unwrap_or_default(),
            away: None,
            provisioned: None,
        };
        declared.people.insert(name, person);
    }
}

pub(crate) fn workload((name, at): Named, item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let Some(mut table) = item.table(desk, format!("[workload.{name}]")) else { return };
    let key = ObjectKey::new(Kind::Workload, name.as_str());
    let fresh = desk.declare(key.clone(), &at);
    let purpose = table.sentence(desk, "purpose", "say in a sentence what it is for");
    let owner = owner(table.need(desk, "owner", "name the accountable person"), desk);
    let applications = table.get("applications").map_or_else(Vec::new, |item| {
        let names = item.distinct(desk, Item::name);
        // The plane's own agents are asked about under a name that no application can have.
        for (application, at) in names.iter().filter(|(name, _at)| name.as_str() != AGENTS) {
            desk.mention(Kind::Application, application, "application", at);
        }
        names.into_iter().map(|(name, _)| name).collect()
    });
    let active = table.boolean(desk, "active");
    let signals = table.get("signals").and_then(|item| item.text(desk)).map(str::to_owned);
    let callbacks = table.get("callbacks").and_then(|item| callbacks(&item, desk));
    table.finish(desk);
    if let (Some(purpose), Some(owner), true) = (purpose, owner, fresh) {
        if active.is_none() {
            declared.silent_on_active.insert(key);
        }
        let active = active.unwrap_or(true);
        declared.workloads.insert(
            name.clone(),
            Workload { name, purpose, owner, applications, active, signals, callbacks },
        );
    }
}

/// Where a workload may have itself told how its access requests end.
fn callbacks(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<Callbacks> {
    let mut table = item.table(desk, "callbacks")?;
    let endpoints = table.need(desk, "endpoints", CALLBACKS_CURE).map(|item| {
        let example = "endpoints = [\"https://pep.acme.example/callbacks\"]";
        let found = item.distinct(desk, |item, desk| {
            let text = item.text(desk)?;
            address(item, text, example, desk)
        });
        if found.is_empty() || found.len() > ENDPOINTS_MAX {
            let message = format!("`endpoints` names 1 to {ENDPOINTS_MAX} addresses");
            desk.error(&item.at, message, CALLBACKS_CURE);
        }
        found.into_iter().map(|(endpoint, _at)| endpoint).collect::<BTreeSet<_>>()
    });
    let secret = table.need(desk, "secret", CALLBACKS_CURE).and_then(|item| sealed(&item, desk));
    table.finish(desk);
    Some(Callbacks { endpoints: endpoints.filter(|all| !all.is_empty())?, secret: secret? })
}

/// The accountable person of an agent or workload.
pub(crate) fn owner(item: Option<Item<'_>>, desk: &mut Desk<'_>) -> Option<Name> {
    let item = item?;
    desk.mark("owner", &item.at);
    let owner = item.name(desk)?;
    desk.mention(Kind::Person, &owner, "owner", &item.at);
    Some(owner)
}

/// What somebody may do in the administration: a list of roles, none twice.
pub(crate) fn roles(item: &Item<'_>, desk: &mut Desk<'_>) -> BTreeSet<Role> {
    desk.mark("roles", &item.at);
    let words: Vec<_> = Role::ALL.iter().map(|role| (role.as_str(), role.as_str())).collect();
    let words = item.distinct(desk, |item, desk| item.word(desk, &words));
    let role = |word: &str| Role::ALL.into_iter().find(|role| role.as_str() == word);
    words.into_iter().filter_map(|(word, _)| role(word)).collect()
}

/// Who a person is to identity providers. Since when, only the plane knows.
fn logins(item: &Item<'_>, desk: &mut Desk<'_>) -> Vec<Login> {
    desk.mark("logins", &item.at);
    let Some(table) = item.table(desk, "logins") else { return Vec::new() };
    let mut out = Vec::new();
    for (key, at, value) in table.entries() {
        match key.parse::<Name>() {
            Ok(issuer) => {
                desk.mark(format!("logins.{issuer}"), &at);
                desk.mention(Kind::Issuer, &issuer, "issuer", &at);
                if let Some(subject) = value.text(desk) {
                    out.push(Login { issuer, subject: subject.to_owned(), added: Timestamp::from_millis(0) });
                }
            }
            Err(error) => desk.error(&at, format!("{error}"), LOGINS_CURE),
        }
    }
    out
}

const OWNER: &str = "owner";
const DIRECT: &str = "direct";
/// More often they would be the work.
const CHECKS_LEAST: u32 = 5;
const CHECKS_MOST: u32 = 10_000;
const APPROVAL_MAX: DurationMs = DurationMs::from_mins(30 * 24 * 60);
const NEVER: &str = "never";
const HOLD_OPEN_MAX: DurationMs = DurationMs::from_mins(60);
const CALLBACKS_CURE: &str = "write callbacks = { endpoints = [\"https://pep.acme.example/callbacks\"], secret = \"pep-callbacks\" }, and set that secret with `provost credential set`";
const ENDPOINTS_MAX: usize = 8;
const APPROVALS_CURE: &str = "write approvals = { wait = \"1h\", good_for = \"15m\", escalate_after = \"20m\", hold_open = \"50s\", deputies = \"always\", signed = \"production\", checks = \"1 in 50\" }";
const LOGINS_CURE: &str =
    "write logins = { ISSUER = \"subject\" }, with the name of an [issuer] and its `sub`";

fn email(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<String> {
    let text = item.text(desk)?.trim();
    let good = text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(char::is_whitespace)
    });
    if !good {
        desk.error(&item.at, "`email` is not a mail address", "write email = \"maria@acme.example\"");
    }
    good.then(|| text.to_owned())
}
