//! A proposal's life: a change waits, people say yes or no, and it is written once or not at all.
//!
//! ```text
//!           ┌──▶ applied        the last yes that is needed, in the transaction that writes the rows
//!           ├──▶ refused        one no
//!  waiting ─┼──▶ expired        silence is a no
//!           ├──▶ withdrawn      its author took it back
//!           └──▶ stale          a row it was made on has moved: it has to be proposed again
//! ```
//!
//! A proposal is never edited: what people said yes to is what is written, or nothing is. Rows are compared by version, so
//! a row that went to and fro is another row. The rules that say who must agree are among the rows it was made on: a change
//! of them makes it stale, so nobody's yes is counted under rules that were not there when it was given.

mod gates;

pub use gates::{Made, gates};

use crate::{
    approval::{Ballot, VoteError},
    voters::{Asked, Gate, Standing, group_gate, owner_gate, person},
};
use provost_domain::{
    Directory, Environment, Name, Object, ObjectKey, Proposal, Role, Timestamp,
    approval::Vote,
    organisation::ChangeRules,
    proposal::{Asks, Broken, ChangeGate, ProposalStatus, ProposedWrite},
};
use std::collections::{BTreeMap, BTreeSet};

/// One answer, and the way it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What is said, by whom.
    pub ballot: Ballot,
    /// Handed in with the token of the machine, in the person's name: counts only with the person's signature.
    pub by_token: bool,
}

/// What an answer makes of a proposal.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// More must agree.
    Waits(Proposal),
    /// Everybody who must has agreed: its rows are to be written, and it with them.
    Agreed(Proposal),
    /// Somebody said no.
    Refused(Proposal),
}

/// The rules in force.
#[must_use]
pub fn rules(directory: &Directory) -> ChangeRules {
    directory.organisation.as_ref().map(|row| row.changes.clone()).unwrap_or_default()
}

/// The rows of a proposal that no longer stand at the version it was made on.
pub fn moved(proposal: &Proposal, version: impl Fn(&ObjectKey) -> u64) -> Vec<ObjectKey> {
    proposal.bases().filter(|(key, base)| version(key) != *base).map(|(key, _base)| key).collect()
}

/// The proposal with one more answer. `version` gives the version each of its rows stands at now.
///
/// # Errors
/// When it does not wait any more, a row has moved, or the person may not answer it.
pub fn answer(
    proposal: &Proposal,
    directory: &Directory,
    version: impl Fn(&ObjectKey) -> u64,
    answer: Answer,
    now: Timestamp,
) -> Result<Answered, VoteError> {
    if proposal.is_over() {
        let status = proposal.status.as_str();
        return Err(VoteError::NotWaiting { id: proposal.id.clone(), status });
    }
    if now >= proposal.expires {
        return Err(VoteError::TooLate(proposal.id.clone()));
    }
    if let Some(key) = moved(proposal, version).first() {
        return Err(VoteError::Moved { id: proposal.id.clone(), what: key.to_string() });
    }
    let Answer { ballot, by_token } = answer;
    let reason = crate::approval::said(ballot.reason.clone())?;
    let stands = standing(proposal, directory, &ballot.person, now);
    let own = proposal.person.as_ref() == Some(&ballot.person);
    let mut next = proposal.clone();
    let (gates, on_behalf_of) = match (ballot.yes, ballot.break_glass) {
        (false, _) if own || !stands.gates.is_empty() || is_administrator(directory, &ballot.person, now) => {
            (BTreeSet::new(), None)
        }
        (true, true) => {
            let reason = reason.clone().ok_or(VoteError::ReasonMissing)?;
            if !is_administrator(directory, &ballot.person, now) {
                return Err(VoteError::NotAdministrator(ballot.person));
            }
            if own {
                return Err(VoteError::NotEligible(barred(&ballot.person)));
            }
            if by_token && ballot.signature.is_none() {
                return Err(VoteError::SameHand);
            }
            let by = ballot.shown_by.clone();
            next.broken = Some(Broken { by, person: Some(ballot.person.clone()), reason, at: now });
            (proposal.gates.keys().cloned().collect(), None)
        }
        (true, false) if stands.gates.is_empty() => return Err(VoteError::NotEligible(stands.why_not())),
        (true, false) if ballot.signature.is_none() && wants_signature(proposal, directory) => {
            return Err(VoteError::SignatureMissing { id: proposal.id.clone(), person: ballot.person });
        }
        // Whoever holds the token can give any name; what a passkey signed is that person's, whoever hands it in.
        (true, false) if by_token && ballot.signature.is_none() => return Err(VoteError::SameHand),
        (true, false) => (stands.gates.keys().cloned().collect(), stands.on_behalf_of()),
        (false, _) => return Err(VoteError::NotEligible(stands.why_not())),
    };
    next.votes.push(Vote {
        person: ballot.person,
        gates,
        yes: ballot.yes,
        at: now,
        reason,
        on_behalf_of,
        shown_by: ballot.shown_by,
        break_glass: ballot.yes && ballot.break_glass,
        signature: ballot.signature.filter(|_signed| ballot.yes),
        hurried: false,
        warned: false,
    });
    if !ballot.yes {
        next.status = ProposalStatus::Refused { at: now };
        return Ok(Answered::Refused(next));
    }
    if next.broken.is_some() || missing(&next, directory, now).is_empty() {
        return Ok(Answered::Agreed(applied(next, now)));
    }
    Ok(Answered::Waits(next))
}

/// The gates that still want answers, with how many. A yes counts as long as whoever gave it still may.
#[must_use]
pub fn missing(proposal: &Proposal, directory: &Directory, now: Timestamp) -> BTreeMap<String, u32> {
    let counting = counting(proposal, directory, now);
    asked(proposal, directory, &counting, now).missing()
}

/// How a person stands to a proposal.
#[must_use]
pub fn standing(proposal: &Proposal, directory: &Directory, person: &Name, now: Timestamp) -> Standing {
    let counting = counting(proposal, directory, now);
    asked(proposal, directory, &counting, now).standing(directory, person, now)
}

/// Everybody whose yes would count for a gate now, in order.
#[must_use]
pub fn approvers(proposal: &Proposal, directory: &Directory, gate: &str, now: Timestamp) -> Vec<Name> {
    let counting = counting(proposal, directory, now);
    asked(proposal, directory, &counting, now).approvers(directory, gate, now)
}

/// The proposal, written.
#[must_use]
pub fn applied(proposal: Proposal, now: Timestamp) -> Proposal {
    Proposal { status: ProposalStatus::Applied { at: now }, ..proposal }
}

/// The proposal, taken back; `None` when it is over already.
#[must_use]
pub fn withdraw(proposal: &Proposal, by: &str, why: &str, now: Timestamp) -> Option<Proposal> {
    let status = ProposalStatus::Withdrawn { at: now, by: by.to_owned(), why: why.to_owned() };
    (!proposal.is_over()).then(|| Proposal { status, ..proposal.clone() })
}

/// The proposal without what somebody said who has left; `None` when they said nothing that counts, or it is over already.
#[must_use]
pub fn left(proposal: &Proposal, person: &Name) -> Option<Proposal> {
    let theirs = |vote: &Vote| crate::approval::is_theirs(vote, person);
    let said = !proposal.is_over() && proposal.votes.iter().any(theirs);
    said.then(|| Proposal {
        votes: proposal.votes.iter().filter(|vote| !theirs(vote)).cloned().collect(),
        ..proposal.clone()
    })
}

/// The proposal that nothing can come of any more; `None` when it is over already.
#[must_use]
pub fn stale(proposal: &Proposal, why: &str, now: Timestamp) -> Option<Proposal> {
    let status = ProposalStatus::Stale { at: now, why: why.to_owned() };
    (!proposal.is_over()).then(|| Proposal { status, ..proposal.clone() })
}

/// The proposal after its time; `None` as long as it is in time, or over already.
#[must_use]
pub fn expire(proposal: &Proposal, now: Timestamp) -> Option<Proposal> {
    let late = !proposal.is_over() && now >= proposal.expires;
    late.then(|| Proposal { status: ProposalStatus::Expired { at: now }, ..proposal.clone() })
}

/// Whether a yes to it takes a signature of the person's passkey.
#[must_use]
pub fn wants_signature(proposal: &Proposal, directory: &Directory) -> bool {
    let signed = crate::approval::rules(directory).signed;
    environments(proposal, directory).into_iter().any(|environment| signed.wants(environment))
}

/// The environments it reaches: those of the agents, systems and tools it writes, as they stand and as they are to stand; and
/// with a row that holds everywhere (people, groups, policies, these rules), each in which an agent or a system stands.
#[must_use]
pub fn environments(proposal: &Proposal, directory: &Directory) -> BTreeSet<Environment> {
    let now = proposal.writes.iter().filter_map(|write| directory.get(&write.key()));
    let now: Vec<Object> = now.collect();
    let rows = now.iter().chain(proposal.writes.iter().filter_map(ProposedWrite::after));
    let (mut all, mut everywhere) = (BTreeSet::new(), false);
    for row in rows {
        match row {
            Object::Agent(row) => drop(all.insert(row.charter.environment)),
            Object::System(row) => drop(all.insert(row.environment)),
            Object::Tool(row) => all.extend(directory.systems.get(&row.system).map(|row| row.environment)),
            row => everywhere = everywhere || gates::is_declared(row),
        }
    }
    let stands = |environment: &Environment| {
        directory.systems.values().any(|row| row.environment == *environment)
            || directory.agents.values().any(|row| row.charter.environment == *environment)
    };
    if everywhere {
        all.extend(Environment::ALL.iter().copied().filter(stands));
    }
    all
}

/// Whether somebody is an administrator, by their own row or by what their identity provider said when they signed in.
#[must_use]
pub fn is_administrator(directory: &Directory, name: &Name, now: Timestamp) -> bool {
    person(directory, name).is_some_and(|row| row.active) && administrators(directory, now).contains(name)
}

/// What was said and still counts: whoever said it, or whom they stood in for, is still entitled.
fn counting(proposal: &Proposal, directory: &Directory, now: Timestamp) -> Vec<Vote> {
    let signed = wants_signature(proposal, directory);
    let still = |vote: &Vote| {
        let is_good = vote.break_glass || vote.signature.is_some() || !signed;
        let principal = vote.on_behalf_of.as_ref().unwrap_or(&vote.person);
        let here = [principal, &vote.person]
            .into_iter()
            .all(|name| person(directory, name).is_some_and(|row| row.active));
        let may = |word: &String| {
            let gate = proposal.gates.get(word);
            is_good
                && here
                && gate.is_some_and(|gate| {
                    entitled(proposal, directory, gate, now).entitled.contains_key(principal)
                })
        };
        Vote { gates: vote.gates.iter().filter(|word| may(word)).cloned().collect(), ..vote.clone() }
    };
    proposal.votes.iter().map(still).collect()
}

fn asked<'a>(proposal: &Proposal, directory: &Directory, votes: &'a [Vote], now: Timestamp) -> Asked<'a> {
    let gates = proposal.gates.iter();
    let gates = gates.map(|(word, gate)| (word.clone(), entitled(proposal, directory, gate, now)));
    let author = proposal.person.iter();
    Asked { gates: gates.collect(), votes, barred: author.map(|name| (name.clone(), barred(name))).collect() }
}

fn barred(name: &Name) -> String {
    format!("{name} proposed this, and nobody agrees to what they proposed themselves")
}

/// Who may answer at a gate. Where its author is the only one, somebody above is asked: nothing is agreed to by the one who
/// wrote it, and nothing waits for nobody.
fn entitled(proposal: &Proposal, directory: &Directory, gate: &ChangeGate, now: Timestamp) -> Gate {
    match &gate.asks {
        Asks::Group { group } => group_gate(directory, group.as_str()),
        Asks::Administrators => Gate {
            entitled: administrators(directory, now)
                .into_iter()
                .map(|name| (name, "an administrator".to_owned()))
                .collect(),
            needs: 1,
            not_now: BTreeMap::new(),
            otherwise: "is no administrator".to_owned(),
        },
        Asks::NewOwner { agent, person } => {
            let gate = Gate {
                entitled: [(person.clone(), "the owner it is to have".to_owned())].into(),
                needs: 1,
                not_now: BTreeMap::new(),
                otherwise: format!("is not {person}, who is to own {agent}"),
            };
            or_above(gate, proposal, directory, person, now)
        }
        Asks::Owner { agent } => {
            let Some(charter) = gates::charter_now(proposal, directory, agent) else {
                let otherwise = format!("cannot answer: {agent} is not an agent any more");
                return Gate { needs: 1, otherwise, ..Gate::default() };
            };
            let people = (&charter.owner, charter.deputies.as_ref());
            let gate = owner_gate(directory, agent, people, proposal.made, now);
            or_above(gate, proposal, directory, &charter.owner, now)
        }
    }
}

/// The gate of an owner; where none of those who answer for the owner can, their manager and the administrators can.
fn or_above(
    mut gate: Gate,
    proposal: &Proposal,
    directory: &Directory,
    owner: &Name,
    now: Timestamp,
) -> Gate {
    let here = |name: &Name| person(directory, name).is_some_and(|row| row.active);
    if gate.entitled.keys().any(|name| proposal.person.as_ref() != Some(name) && here(name)) {
        return gate;
    }
    let manager = person(directory, owner).and_then(|row| row.manager.clone());
    let manager = manager.map(|name| (name, format!("the manager of {owner}")));
    let others = administrators(directory, now).into_iter();
    gate.entitled.extend(others.map(|name| (name, "an administrator".to_owned())).chain(manager));
    gate
}

/// Everybody who is one now: by their row, or by their identity provider's word in a session that is good.
fn administrators(directory: &Directory, now: Timestamp) -> BTreeSet<Name> {
    let by_row =
        directory.people.values().filter(|row| directory.roles_of(row).contains(&Role::Administrator));
    let by_row = by_row.map(|row| row.name.clone());
    let sessions = directory.sessions.values();
    let by_word = sessions.filter(|row| row.is_live(now) && row.roles.contains(&Role::Administrator));
    let all = by_row.chain(by_word.map(|row| row.person.clone()));
    all.filter(|name| person(directory, name).is_some_and(|row| row.active)).collect()
}

#[cfg(test)]
mod tests;
