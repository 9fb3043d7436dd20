//! Whether a yes still counts when it is used. A person who has left, or may not open that gate any more, is not asked again
//! whether they meant it: what they said is worth nothing, and somebody else is asked. That time has passed is no such reason:
//! a deputy's yes outlives the owner's holiday, a manager's the silence that made it count.

use super::{is_administrator, rules, voters};
use provost_domain::{
    Agent, Approval, Directory, Envelope, Environment, Level, Name, Restraint, approval::Vote,
};

/// Why an approval that was granted does not count any more, in words, if so.
#[must_use]
pub fn fallen(approval: &Approval, directory: &Directory) -> Option<String> {
    let yes = approval.votes.iter().filter(|vote| vote.yes);
    yes.flat_map(|vote| vote.gates.iter().map(move |gate| (vote, gate)))
        .find_map(|(vote, gate)| vote_fallen(vote, gate, approval, directory))
}

/// Why an envelope does not count any more, in words, if so.
#[must_use]
pub fn envelope_fallen(envelope: &Envelope, directory: &Directory) -> Option<String> {
    let unsigned = envelope.signature.is_none() && asks_signature(&envelope.agent, directory);
    if unsigned {
        return Some(not_signed(&envelope.by));
    }
    envelope.gates.iter().find_map(|gate| {
        let person = &envelope.by;
        let whom = envelope.on_behalf_of.as_ref().unwrap_or(person);
        gone(person, directory).or_else(|| disentitled(whom, gate, &envelope.agent, directory))
    })
}

/// Why one yes does not count for a gate any more, if so.
pub(super) fn vote_fallen(
    vote: &Vote,
    gate: &str,
    approval: &Approval,
    directory: &Directory,
) -> Option<String> {
    let (person, agent) = (&vote.person, &approval.agent);
    if let Some(why) = before_order(vote, approval, directory) {
        return Some(why);
    }
    if let Some(why) = gone(person, directory) {
        return Some(why);
    }
    if vote.break_glass {
        let administrator = is_administrator(directory, person);
        return (!administrator)
            .then(|| format!("{person} broke the glass as an administrator, and is none any more"));
    }
    if vote.signature.is_none() && asks_signature(agent, directory) {
        return Some(not_signed(person));
    }
    disentitled(vote.on_behalf_of.as_ref().unwrap_or(person), gate, agent, directory)
}

fn gone(person: &Name, directory: &Directory) -> Option<String> {
    let here = directory.people.get(person).is_some_and(|row| row.active);
    (!here).then(|| format!("{person}, who said yes, is not here any more"))
}

fn disentitled(person: &Name, gate: &str, agent: &Name, directory: &Directory) -> Option<String> {
    let entitled = voters::could_open(directory, agent, gate, person);
    (!entitled).then(|| format!("{person}, who said yes, may not answer for {gate} any more"))
}

/// Whether a yes to what this agent does takes a signature as the rules are now. An agent nobody knows acts in production.
pub(super) fn asks_signature(agent: &Name, directory: &Directory) -> bool {
    let environment = directory.agents.get(agent).map(|agent| agent.charter.environment);
    rules(directory).signed.wants(environment.unwrap_or(Environment::Production))
}

fn not_signed(person: &Name) -> String {
    format!("{person} said yes without a signature, which is asked for now")
}

/// A yes given before somebody ordered that every call be agreed to is none knowing of that order; nor is one to a call that is
/// made on behalf of whoever was ordered about.
fn before_order(vote: &Vote, approval: &Approval, directory: &Directory) -> Option<String> {
    let above = voters::chain(directory, approval.task).map(|task| &task.agent);
    let agents = std::iter::once(&approval.agent).chain(above.filter(|name| **name != approval.agent));
    agents.filter_map(|name| directory.agents.get(name)).find_map(|agent| {
        let order = || before_order_about(agent, vote, approval, directory);
        before_level(agent, vote).or_else(order)
    })
}

/// The agent's own level was set by a person, as an order is given.
fn before_level(agent: &Agent, vote: &Vote) -> Option<String> {
    let since = agent.life.as_ref().and_then(|life| life.restricted);
    let later = agent.level == Level::ApprovalsOnly && since.is_some_and(|since| vote.at <= since);
    later.then(|| format!("{} said yes before {} was restricted to {}", vote.person, agent.name, agent.level))
}

fn before_order_about(
    agent: &Agent,
    vote: &Vote,
    approval: &Approval,
    directory: &Directory,
) -> Option<String> {
    let organisation = directory.organisation.as_deref();
    let mut orders =
        directory.containments.matching(agent, organisation, &approval.system, Some(&approval.tool));
    let later = orders.find(|order| order.level == Restraint::ApprovalsOnly && vote.at <= order.at)?;
    Some(format!("{} said yes before {} was ordered", vote.person, later.id))
}
