//! Differences between rows, in words.

use crate::{
    credential,
    plan::{
        PlannedWrite, Reach, Step, StepKind, Words, autonomy, changes, channel, charter, connector, issuer,
        lifecycle,
    },
    table::{clip, join},
};
use provost_domain::{
    DurationMs, Effect, Name, Object, ObjectKey, Person, System, Tool, Workload,
    application::Application,
    drill::DrillPlan,
    organisation::{ApprovalRules, ChangeRules, Group, Organisation, Signed},
    policy_file::PolicyFile,
    rule::Rule,
    system::Connection,
    tool::{ArgShape, Steering},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

/// Words as they are found.
#[derive(Debug, Default)]
pub(crate) struct Said(Vec<Words>);

impl Said {
    pub(crate) fn wider(&mut self, text: impl Into<String>) {
        self.say(Reach::Widens, text.into());
    }

    pub(crate) fn narrower(&mut self, text: impl Into<String>) {
        self.say(Reach::Narrows, text.into());
    }

    pub(crate) fn neutral(&mut self, text: impl Into<String>) {
        self.say(Reach::Neutral, text.into());
    }

    /// With the direction spelled out at the end.
    pub(crate) fn marked(&mut self, reach: Reach, text: &str) {
        let mark = match reach {
            Reach::Widens => " (wider)",
            Reach::Narrows => " (narrower)",
            Reach::Neutral => "",
        };
        self.say(reach, format!("{text}{mark}"));
    }

    pub(crate) fn say(&mut self, reach: Reach, text: String) {
        self.0.push(Words { text, reach });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn step(self, kind: StepKind, key: ObjectKey, write: Option<PlannedWrite>) -> Step {
        let reach = self.0.iter().map(|words| words.reach).max().unwrap_or(Reach::Neutral);
        Step { kind, key, words: self.0, reach, write }
    }

    /// `owner maria → jonas`, when they differ.
    pub(crate) fn moved<T: PartialEq + Display>(&mut self, reach: Reach, what: &str, from: &T, to: &T) {
        if from != to {
            self.marked(reach, &format!("{what}: {} → {}", clip(&from.to_string()), clip(&to.to_string())));
        }
    }

    /// Like [`Said::moved`], where nothing may be said on either side.
    fn moved_option<T: PartialEq + Display>(&mut self, what: &str, from: Option<&T>, to: Option<&T>) {
        let word = |value: Option<&T>| value.map_or("nothing".to_owned(), ToString::to_string);
        self.moved(Reach::Neutral, what, &word(from), &word(to));
    }
}

/// A row that is new.
pub(crate) fn added(row: &Object) -> Said {
    let mut said = Said::default();
    match row {
        Object::Organisation(row) => {
            said.neutral(format!("is called {}", row.display));
            if let Some(max) = row.production_revocation_max {
                said.narrower(format!(
                    "holds agents in production to systems that revoke within {}",
                    lasting(max)
                ));
            }
            groups(&mut said, &BTreeMap::new(), &row.groups);
            approvals(&mut said, ApprovalRules::default(), row.approvals);
            changes::changed(&mut said, &ChangeRules::default(), &row.changes);
            autonomy::changed(&mut said, Default::default(), row.autonomy);
            lifecycle::changed(&mut said, &Default::default(), &row.lifecycle);
            drills(&mut said, &BTreeMap::new(), &row.drills);
            rules(&mut said, &BTreeMap::new(), &row.rules);
        }
        Object::Person(row) => {
            let manager = row.manager.as_ref().map_or(String::new(), |name| format!(", reports to {name}"));
            said.neutral(format!("joins: {}{manager}", row.display));
            issuer::person(&mut said, None, row);
        }
        Object::Workload(row) => {
            said.neutral(format!("is added, owned by {}: {}", row.owner, row.purpose));
            for application in &row.applications {
                said.wider(format!("may ask decisions for application {application}"));
            }
            if let Some(audience) = &row.signals {
                said.wider(format!("may receive signals about agents, as {}", clip(audience)));
            }
        }
        Object::System(row) => {
            said.neutral(format!("is added ({}): {}", row.environment, row.description));
            said.neutral(format!("is reached {}", way(&row.connection)));
            if let Some(credential) = &row.credential {
                said.wider(format!("gets {}", credential::gets(credential)));
            }
        }
        Object::Tool(row) => {
            // Without a grant it is only there; grants say themselves that they widen.
            said.neutral(format!("is added and pinned: {}", effects_words(&row.effects)));
            if let Some(rule) = &row.request {
                said.neutral(format!("is the request {}", clip(&rule.line.to_string())));
            }
            for returns in &row.returns {
                said.narrower(format!("results carry {}", returned(returns)));
            }
            if row.sends_out {
                said.narrower("hands data to somebody outside: flow rules apply");
            }
            steering(&mut said, &Steering::default(), &row.steering);
        }
        Object::Policy(row) => policy_added(&mut said, row),
        Object::Application(row) => {
            said.wider(format!("is served by the decision point ({} entities stored)", row.entities.len()));
            if row.buffered {
                said.wider(BUFFERED);
            }
        }
        Object::Agent(row) => return charter::added(&row.charter),
        Object::Issuer(row) => return issuer::added(row),
        Object::Channel(row) => return channel::added(row),
        Object::Connector(row) => return connector::added(row),
        // Files declare none of these.
        Object::Task(_)
        | Object::Session(_)
        | Object::Account(_)
        | Object::Minted(_)
        | Object::Proposal(_)
        | Object::Approval(_)
        | Object::Envelope(_)
        | Object::Passkey(_)
        | Object::Invite(_)
        | Object::Finding(_)
        | Object::Delivery(_)
        | Object::Containment(_)
        | Object::Drill(_)
        | Object::Stream(_)
        | Object::Baseline(_)
        | Object::Review(_)
        | Object::Roster(_) => {}
    }
    said
}

/// A row that changes. Says something for every difference, and something in any case.
pub(crate) fn changed(from: &Object, to: &Object) -> Said {
    let mut said = Said::default();
    match (from, to) {
        (Object::Organisation(from), Object::Organisation(to)) => organisation(&mut said, from, to),
        (Object::Person(from), Object::Person(to)) => person(&mut said, from, to),
        (Object::Workload(from), Object::Workload(to)) => workload(&mut said, from, to),
        (Object::System(from), Object::System(to)) => system(&mut said, from, to),
        (Object::Tool(from), Object::Tool(to)) => tool(&mut said, from, to),
        (Object::Policy(from), Object::Policy(to)) => policy_changed(&mut said, from, to),
        (Object::Application(from), Object::Application(to)) => application(&mut said, from, to),
        (Object::Issuer(from), Object::Issuer(to)) => said = issuer::changed(from, to),
        (Object::Channel(from), Object::Channel(to)) => said = channel::changed(from, to),
        (Object::Connector(from), Object::Connector(to)) => said = connector::changed(from, to),
        (Object::Agent(from), Object::Agent(to)) => return charter::changed(&from.charter, &to.charter),
        _ => {}
    }
    if said.is_empty() {
        said.wider("is written differently");
    }
    said
}

/// A row that goes away.
pub(crate) fn removed(row: &Object) -> Said {
    let mut said = Said::default();
    match row {
        Object::Agent(agent) => {
            said.narrower("is decommissioned: it ends for ever, and its name is not given again");
            for (system, tool) in charter::granted(&agent.charter).keys() {
                said.narrower(format!("loses {system}/{tool}"));
            }
        }
        Object::Policy(policy) => {
            let ids = policy_ids(&policy.text);
            said.wider(format!(
                "goes away with {}: what it forbade is no longer forbidden",
                policies_words(&ids)
            ));
        }
        Object::Tool(_) => said.narrower("goes away: calls to it are refused"),
        Object::System(_) => said.narrower("goes away: no call reaches it any more"),
        Object::Workload(_) => said.narrower("goes away: it may ask no more decisions"),
        Object::Application(_) => said.narrower("goes away: nothing is decided for it any more"),
        Object::Issuer(issuer) => return issuer::removed(issuer),
        Object::Connector(_) => {
            said.narrower("goes away: its people stay as they are, and its groups give nothing");
        }
        Object::Channel(_) => said.narrower("goes away: nobody is told of anything there"),
        _ => said.narrower("goes away"),
    }
    said
}

fn organisation(said: &mut Said, from: &Organisation, to: &Organisation) {
    said.moved(Reach::Neutral, "name", &from.display, &to.display);
    let (was, is) = (from.production_revocation_max, to.production_revocation_max);
    let reach = if more(was, is) { Reach::Widens } else { Reach::Narrows };
    let word = |max: Option<DurationMs>| max.map_or("no bound".to_owned(), lasting);
    said.moved(reach, "revocation time allowed in production", &word(was), &word(is));
    groups(said, &from.groups, &to.groups);
    approvals(said, from.approvals, to.approvals);
    changes::changed(said, &from.changes, &to.changes);
    autonomy::changed(said, from.autonomy, to.autonomy);
    lifecycle::changed(said, &from.lifecycle, &to.lifecycle);
    drills(said, &from.drills, &to.drills);
    rules(said, &from.rules, &to.rules);
}

fn rules(said: &mut Said, from: &BTreeMap<Name, Rule>, to: &BTreeMap<Name, Rule>) {
    for (name, rule) in to.iter().filter(|(name, rule)| from.get(*name) != Some(*rule)) {
        said.narrower(rule.words(name));
    }
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        said.wider(format!("nothing is contained by rule {name} any more"));
    }
}

fn drills(said: &mut Said, from: &BTreeMap<Name, DrillPlan>, to: &BTreeMap<Name, DrillPlan>) {
    for (name, plan) in to.iter().filter(|(name, plan)| from.get(*name) != Some(*plan)) {
        said.narrower(format!(
            "a canary of {} is stopped every {}, within {} (drill {name})",
            plan.agent,
            lasting(plan.every),
            lasting(plan.target)
        ));
    }
    for (name, plan) in from.iter().filter(|(name, _)| !to.contains_key(*name)) {
        said.wider(format!("{} is drilled no more (drill {name})", plan.agent));
    }
}

fn groups(said: &mut Said, from: &BTreeMap<Name, Group>, to: &BTreeMap<Name, Group>) {
    let none = Group { members: BTreeSet::new(), needs: 0 };
    let names: BTreeSet<&Name> = from.keys().chain(to.keys()).collect();
    for name in names {
        let (was, is) = (from.get(name).unwrap_or(&none), to.get(name).unwrap_or(&none));
        both_ways((was.members.iter().collect(), is.members.iter().collect()), |gained, member: &Name| {
            if gained {
                said.wider(format!("{member} may approve as one of group {name}"));
            } else {
                said.narrower(format!("{member} may no longer approve as one of group {name}"));
            }
        });
        if was.needs != is.needs && is.needs > 0 {
            let reach = if is.needs < was.needs { Reach::Widens } else { Reach::Narrows };
            said.moved(reach, &format!("approvals that group {name} needs"), &was.needs, &is.needs);
        }
        if is.needs == 0 {
            said.narrower(format!("group {name} goes away: what waits for it is never approved"));
        }
    }
}

fn approvals(said: &mut Said, from: ApprovalRules, to: ApprovalRules) {
    let reach = |longer: bool| if longer { Reach::Widens } else { Reach::Narrows };
    let lengths = [
        ("time an approval waits for an answer", from.wait, to.wait),
        ("time a yes is good for", from.good_for, to.good_for),
    ];
    for (what, was, is) in lengths {
        said.moved(reach(is > was), what, &lasting(was), &lasting(is));
    }
    let word = |after: Option<DurationMs>| after.map_or("never".to_owned(), lasting);
    let (was, is) = (word(from.escalate_after), word(to.escalate_after));
    said.moved(Reach::Widens, "when the manager of the owner may approve too", &was, &is);
    let open = |length: DurationMs| if length.0 == 0 { "never".to_owned() } else { lasting(length) };
    let (was, is) = (open(from.hold_open), open(to.hold_open));
    said.moved(Reach::Neutral, "time a held call stays open for a client that listens", &was, &is);
    match (from.deputies_only_while_away, to.deputies_only_while_away) {
        (true, false) => said.wider("deputies may approve at any time"),
        (false, true) => said.narrower("deputies may approve only while the owner is away"),
        _ => {}
    }
    let (was, is) = (signatures(from.signed), signatures(to.signed));
    said.moved(reach(is.0 > was.0), "where a yes takes a signature by a passkey", &was.1, &is.1);
    let word = |one_in: Option<u32>| one_in.map_or("never".to_owned(), |one_in| format!("1 in {one_in}"));
    let (was, is) = (word(from.checks), word(to.checks));
    let reach = if to.checks.is_some() { Reach::Neutral } else { Reach::Widens };
    said.moved(reach, "answers that draw a check, which has to be refused", &was, &is);
}

/// How little is asked, and in words.
const fn signatures(signed: Signed) -> (u8, &'static str) {
    match signed {
        Signed::Always => (0, "everywhere"),
        Signed::Production => (1, "in production"),
        Signed::Never => (2, "nowhere"),
    }
}

fn person(said: &mut Said, from: &Person, to: &Person) {
    said.moved(Reach::Neutral, "name", &from.display, &to.display);
    said.moved_option("email", from.email.as_ref(), to.email.as_ref());
    said.moved_option("manager", from.manager.as_ref(), to.manager.as_ref());
    match (from.active, to.active) {
        (true, false) => said.narrower("leaves: owns nothing that may act"),
        (false, true) => said.wider("is back"),
        _ => {}
    }
    issuer::person(said, Some(from), to);
    let made = |row: &Person| row.provisioned().map(|of| (of.connector.clone(), of.made));
    if let (Some((connector, true)), Some((_, false))) = (made(from), made(to)) {
        said.neutral(format!("is described by files from now on, and no longer by connector {connector}"));
    }
}

fn workload(said: &mut Said, from: &Workload, to: &Workload) {
    said.moved(Reach::Neutral, "purpose", &from.purpose, &to.purpose);
    said.moved(Reach::Neutral, "owner", &from.owner, &to.owner);
    let sets = (from.applications.iter().collect(), to.applications.iter().collect());
    both_ways(sets, |gained, application| {
        if gained {
            said.wider(format!("may ask decisions for application {application}"));
        } else {
            said.narrower(format!("may no longer ask decisions for application {application}"));
        }
    });
    match (&from.signals, &to.signals) {
        (Some(_), None) => said.narrower("receives no signals about agents any more"),
        (was, Some(is)) if was.as_ref() != Some(is) => {
            said.wider(format!("may receive signals about agents, as {}", clip(is)));
        }
        _ => {}
    }
    match (&from.callbacks, &to.callbacks) {
        (Some(_), None) => said.narrower("is told nowhere any more how its access requests end"),
        (was, Some(is)) if was.as_ref() != Some(is) => {
            let at: Vec<&str> = is.endpoints.iter().map(String::as_str).collect();
            said.wider(format!("is told how its access requests end at {}", clip(&at.join(", "))));
        }
        _ => {}
    }
    match (from.active, to.active) {
        (true, false) => said.narrower("may no longer ask decisions"),
        (false, true) => said.wider("may ask decisions again"),
        _ => {}
    }
}

fn system(said: &mut Said, from: &System, to: &System) {
    said.moved(Reach::Neutral, "description", &from.description, &to.description);
    said.moved(Reach::Widens, "environment", &from.environment, &to.environment);
    if from.connection != to.connection {
        said.wider(format!("is reached {} instead of {}", way(&to.connection), way(&from.connection)));
    }
    match (&from.credential, &to.credential) {
        (None, Some(to)) => said.wider(format!("gets {}", credential::gets(to))),
        (Some(from), None) => said.narrower(format!("no longer gets {}", credential::gets(from))),
        (Some(from), Some(to)) => credential::change(from, to).into_iter().for_each(|text| said.wider(text)),
        (None, None) => {}
    }
    match (&from.scim, &to.scim) {
        (Some(_), None) => said.wider("accounts of stopped agents there are not made inactive any more"),
        (was, Some(is)) if was.as_ref() != Some(is) => {
            said.narrower(format!("accounts of stopped agents are made inactive at {}", clip(&is.url)));
        }
        _ => {}
    }
    let reach = if to.revocation_max > from.revocation_max { Reach::Widens } else { Reach::Narrows };
    said.moved(reach, "revocation time", &lasting(from.revocation_max), &lasting(to.revocation_max));
    match (from.only_through_plane, to.only_through_plane) {
        (false, true) => said.wider("is said to be reached through the plane only: then it counts as contained when the plane refuses"),
        (true, false) => said.narrower("is no longer said to be reached through the plane only"),
        _ => {}
    }
    both_ways(
        (from.resource_labels.iter().collect(), to.resource_labels.iter().collect()),
        |gained, label| {
            if gained {
                said.narrower(format!("resources carry {label}"));
            } else {
                said.wider(format!("resources no longer carry {label}"));
            }
        },
    );
}

fn tool(said: &mut Said, from: &Tool, to: &Tool) {
    if from.pin != to.pin {
        said.wider("is re-pinned (definition changed)");
    }
    said.moved(Reach::Neutral, "description", &from.description, &to.description);
    said.moved(Reach::Widens, "request", &request(from), &request(to));
    if from.effects != to.effects {
        let (was, is) = (from.effects_or_worst(), to.effects_or_worst());
        let reach = if was.is_subset(&is) { Reach::Narrows } else { Reach::Widens };
        said.marked(
            reach,
            &format!("effects: {} → {}", effects_words(&from.effects), effects_words(&to.effects)),
        );
    }
    for (name, arg) in &to.args {
        match from.args.get(name) {
            None => said.wider(format!("takes a new argument `{}` ({})", clip(name), shape(&arg.shape))),
            Some(was) if was != arg => {
                let must = |required: bool| if required { "" } else { ", may be left out" };
                let (was, is) = (
                    format!("{}{}", shape(&was.shape), must(was.required)),
                    format!("{}{}", shape(&arg.shape), must(arg.required)),
                );
                let text = match was == is {
                    true => format!("argument `{}` has other members", clip(name)),
                    false => format!("argument `{}`: {was} → {is}", clip(name)),
                };
                said.marked(Reach::Widens, &text);
            }
            Some(_) => {}
        }
    }
    for name in from.args.keys().filter(|name| !to.args.contains_key(*name)) {
        said.narrower(format!("no longer takes argument `{}`", clip(name)));
    }
    for returns in to.returns.iter().filter(|returns| !from.returns.contains(returns)) {
        said.narrower(format!("results carry {}", returned(returns)));
    }
    for returns in from.returns.iter().filter(|returns| !to.returns.contains(returns)) {
        said.marked(Reach::Widens, &format!("results no longer carry {}", returned(returns)));
    }
    match (from.sends_out, to.sends_out) {
        (true, false) => said.marked(Reach::Widens, "no longer counts as handing data outside"),
        (false, true) => said.narrower("hands data to somebody outside: flow rules apply"),
        _ => {}
    }
    steering(said, &from.steering, &to.steering);
}

/// Which arguments are traced. Once any is, the coarse flow rule is left to the finer ones, which is why the first
/// is said to widen.
fn steering(said: &mut Said, from: &Steering, to: &Steering) {
    if from.is_empty() && !to.is_empty() {
        said.wider("is judged by where its arguments come from, no longer by what the task has read");
    }
    for (what, from, to) in [("steers", &from.steers, &to.steers), ("carries", &from.carries, &to.carries)] {
        for arg in to.difference(from) {
            said.narrower(format!("argument `{}` {what}: where it comes from is traced", clip(arg)));
        }
        for arg in from.difference(to) {
            said.marked(
                Reach::Widens,
                &format!("argument `{}` is no longer traced as one that {what}", clip(arg)),
            );
        }
    }
}

fn policy_added(said: &mut Said, policy: &PolicyFile) {
    let ids = policy_ids(&policy.text);
    let text = format!("comes into force with {}", policies_words(&ids));
    if may_permit(&policy.text) {
        said.marked(Reach::Widens, &format!("{text}; it permits something"));
    } else {
        said.narrower(text);
    }
}

fn policy_changed(said: &mut Said, from: &PolicyFile, to: &PolicyFile) {
    let (was, is) = (policy_ids(&from.text), policy_ids(&to.text));
    both_ways((was.iter().collect(), is.iter().collect()), |gained, id| {
        if gained {
            said.wider(format!("gains policy {}", clip(id)));
        } else {
            said.wider(format!("loses policy {}", clip(id)));
        }
    });
    if was == is {
        said.marked(Reach::Widens, "its text changes: nobody but a reader can tell which way");
    }
}

fn application(said: &mut Said, from: &Application, to: &Application) {
    if from.schema != to.schema {
        said.wider("its schema changes");
    }
    if from.policies != to.policies {
        said.wider("its policies change");
    }
    if from.entities != to.entities {
        said.wider(format!("stored entities: {} → {}, or others", from.entities.len(), to.entities.len()));
    }
    let sets = (&from.request_properties.accepted, &to.request_properties.accepted);
    both_ways((sets.0.iter().collect(), sets.1.iter().collect()), |gained, property| {
        if gained {
            said.wider(format!("requests may bring {property}"));
        } else {
            said.narrower(format!("requests may no longer bring {property}"));
        }
    });
    match (from.buffered, to.buffered) {
        (false, true) => said.wider(BUFFERED),
        (true, false) => said.narrower("every answer waits until its record is durable"),
        (true, true) | (false, false) => {}
    }
}

/// Calls with `true` for what only the second has, and with `false` for what only the first has.
pub(crate) fn both_ways<T: Ord + Copy>((from, to): (BTreeSet<T>, BTreeSet<T>), mut say: impl FnMut(bool, T)) {
    to.difference(&from).for_each(|gained| say(true, *gained));
    from.difference(&to).for_each(|lost| say(false, *lost));
}

/// Whether the second bound allows more; no bound allows most.
pub(crate) fn more<T: PartialOrd>(from: Option<T>, to: Option<T>) -> bool {
    match (from, to) {
        (Some(from), Some(to)) => to > from,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

fn way(connection: &Connection) -> String {
    match connection {
        Connection::McpHttp { url } => format!("at {}", clip(url)),
        Connection::McpStdio { command, .. } => format!("by starting `{}`", clip(&command.join(" "))),
        Connection::McpLocal => "beside the agent, through `provost wrap`".to_owned(),
        Connection::HttpApi { url } => format!("as an HTTP API at {}", clip(url)),
    }
}

fn effects_words(effects: &BTreeSet<Effect>) -> String {
    if effects.is_empty() { "unclassified: counts as every effect".to_owned() } else { join(effects) }
}

fn request(tool: &Tool) -> String {
    match &tool.request {
        Some(rule) => format!("{} ({})", rule.line, rule.body.as_str()),
        None => "none".to_owned(),
    }
}

fn returned(returns: &provost_domain::tool::Returns) -> String {
    let field =
        returns.field.as_ref().map_or(String::new(), |field| format!(" when they have {}", clip(field)));
    format!("{}{field}", returns.label)
}

fn shape(shape: &ArgShape) -> String {
    match shape {
        ArgShape::String => "text".to_owned(),
        ArgShape::Long => "whole number".to_owned(),
        ArgShape::Decimal => "decimal".to_owned(),
        ArgShape::Bool => "true or false".to_owned(),
        ArgShape::Set { of } => format!("list of {}", self::shape(of)),
        ArgShape::Record { members } => format!("object with {}", clip(&join(members.keys()))),
        ArgShape::Json => "any JSON".to_owned(),
    }
}

/// A duration; a day as 24h, as people say it of windows.
pub(crate) fn lasting(duration: DurationMs) -> String {
    if duration == DurationMs::from_mins(24 * 60) { "24h".to_owned() } else { duration.to_string() }
}

/// The `@id`s in Cedar text, in order; only for words, never for deciding.
fn policy_ids(text: &str) -> BTreeSet<String> {
    let after = text.split("@id(\"").skip(1);
    after.filter_map(|rest| rest.split_once('"').map(|(id, _)| id.to_owned())).collect()
}

/// Whether Cedar text could hold a permit: the word outside of comments. A wrong yes is only a louder word.
fn may_permit(text: &str) -> bool {
    text.lines().any(|line| line.split("//").next().unwrap_or("").contains("permit"))
}

fn policies_words(ids: &BTreeSet<String>) -> String {
    match ids.len() {
        0 => "no named policy".to_owned(),
        1 => format!("policy {}", join(ids.iter().map(|id| clip(id)))),
        _ => format!("policies {}", join(ids.iter().map(|id| clip(id)))),
    }
}

const BUFFERED: &str = "answers may be given before their record is durable";
