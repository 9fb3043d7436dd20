//! Whether a change gains nothing: whether everything that a row lets happen afterwards, it let happen before. What cannot be
//! shown to be so counts as a gain, also where a reader would see at once that it is none: the question is who may change
//! something alone.
//!
//! What is compared is what the row itself says. An organisation's policy can make anything of it (`forbid … unless
//! { principal.autonomy == "bounded" }`), and policies are changed under gates of their own.

mod charter;

pub use charter::charter;

use provost_domain::{
    Agent, AgentStatus, Connector, Object, Person, System, Tool,
    autonomy::{AutonomyRules, Gates},
    connector::Gives,
    organisation::{ApprovalRules, ChangeRules, Group, Organisation, Signed},
};

/// Whether nothing is gained when a row becomes another; nothing is a row that is not there.
#[must_use]
pub fn gains_nothing(before: Option<&Object>, after: Option<&Object>) -> bool {
    match (before, after) {
        (None, None) => true,
        (Some(before), Some(after)) if before == after => true,
        (Some(before), None) => goes(before),
        // Forbids can be added by anybody who may change anything; text that could permit something, or that cannot be
        // told apart from such text, not.
        (None, Some(Object::Policy(policy))) => !policy.text.contains(PERMIT),
        (None, Some(_)) => false,
        (Some(Object::Agent(before)), Some(Object::Agent(after))) => agent(before, after),
        (Some(Object::Organisation(before)), Some(Object::Organisation(after))) => {
            organisation(before, after)
        }
        (Some(Object::Person(before)), Some(Object::Person(after))) => person(before, after),
        (Some(Object::System(before)), Some(Object::System(after))) => system(before, after),
        (Some(Object::Tool(before)), Some(Object::Tool(after))) => tool(before, after),
        (Some(Object::Connector(before)), Some(Object::Connector(after))) => connector(before, after),
        (Some(Object::Workload(before)), Some(Object::Workload(after))) => {
            *after == provost_domain::Workload { active: after.active && before.active, ..before.clone() }
        }
        (Some(_), Some(_)) => false,
    }
}

/// Whether nothing is gained when the row goes away. What a policy forbade is no longer forbidden; an organisation's rules
/// fall back to others; whoever a channel reached is told nothing; who has a role may be one of those who must agree.
fn goes(row: &Object) -> bool {
    match row {
        Object::Policy(_) | Object::Organisation(_) | Object::Channel(_) => false,
        Object::Person(person) => person.roles.is_empty(),
        _ => true,
    }
}

fn agent(before: &Agent, after: &Agent) -> bool {
    let same = Agent {
        status: after.status,
        revision: after.revision,
        charter: after.charter.clone(),
        provenance: after.provenance.clone(),
        life: after.life.clone(),
        ..before.clone()
    };
    // How far it may be promoted is a gain; since when it is trusted as it is says nothing of what it may do.
    let same_life =
        |agent: &Agent| agent.clone().living(|life| (life.declared, life.graded) = (None, None)).life;
    let ceiling = after.declared() <= before.declared();
    let stops = after.status == before.status || STOPPED.contains(&after.status);
    *after == same
        && stops
        && ceiling
        && same_life(before) == same_life(after)
        && charter(&before.charter, &after.charter)
}

fn organisation(before: &Organisation, after: &Organisation) -> bool {
    let bound = match (before.production_revocation_max, after.production_revocation_max) {
        (Some(before), Some(after)) => after <= before,
        (None, _) => true,
        (Some(_), None) => false,
    };
    let groups =
        after.groups.iter().all(|(name, is)| before.groups.get(name).is_some_and(|was| group(was, is)));
    // A group that goes away leaves what asks for it unanswered. It could be there again under other members, but not
    // without the agreement that a new group needs.
    let same = Organisation {
        production_revocation_max: after.production_revocation_max,
        groups: after.groups.clone(),
        approvals: after.approvals,
        changes: after.changes.clone(),
        autonomy: after.autonomy,
        ..before.clone()
    };
    *after == same
        && bound
        && groups
        && approvals(before.approvals, after.approvals)
        && changes(&before.changes, &after.changes)
        && autonomy(before.autonomy, after.autonomy)
}

/// Whether trust is no easier to come by. Where nobody had to earn it, nothing is.
fn autonomy(before: AutonomyRules, after: AutonomyRules) -> bool {
    let AutonomyRules { graduated, supervised, bounded } = after;
    !before.graduated
        || (graduated && asks_as_much(before.supervised, supervised) && asks_as_much(before.bounded, bounded))
}

fn asks_as_much(before: Gates, after: Gates) -> bool {
    // All its parts are compared here: one more does not compile.
    let Gates { time, actions, denied_percent_max, refused_percent_max, quiet, drilled } = after;
    time >= before.time
        && actions >= before.actions
        && denied_percent_max <= before.denied_percent_max
        && refused_percent_max <= before.refused_percent_max
        && quiet >= before.quiet
        && before.drilled.is_none_or(|before| drilled.is_some_and(|after| after <= before))
}

fn group(before: &Group, after: &Group) -> bool {
    after.members.is_subset(&before.members) && after.needs >= before.needs
}

fn approvals(before: ApprovalRules, after: ApprovalRules) -> bool {
    // All its parts are compared here: one more does not compile.
    let ApprovalRules {
        wait,
        good_for,
        hold_open,
        escalate_after: _,
        deputies_only_while_away: _,
        signed: _,
        checks,
    } = after;
    // People are looked at no less often.
    let checked = before.checks.is_none_or(|before| checks.is_some_and(|after| after <= before));
    let escalates = match (before.escalate_after, after.escalate_after) {
        (_, None) => true,
        (Some(before), Some(after)) => after >= before,
        (None, Some(_)) => false,
    };
    wait <= before.wait
        && good_for <= before.good_for
        && hold_open <= before.hold_open
        && escalates
        && checked
        && (after.deputies_only_while_away || !before.deputies_only_while_away)
        && signed(after.signed) >= signed(before.signed)
}

/// Which answers take a signature, from none to all.
const fn signed(signed: Signed) -> u8 {
    match signed {
        Signed::Never => 0,
        Signed::Production => 1,
        Signed::Always => 2,
    }
}

fn changes(before: &ChangeRules, after: &ChangeRules) -> bool {
    before.sandbox.is_subset(&after.sandbox)
        && before.staging.is_subset(&after.staging)
        && before.production.is_subset(&after.production)
        && before.rules.is_subset(&after.rules)
        && after.wait <= before.wait
        && after.review <= before.review
}

/// Somebody leaves, or is one of an identity provider's no longer. Everything else can make somebody another: a name, an
/// address by which they come in, a manager who may answer in their place.
fn person(before: &Person, after: &Person) -> bool {
    let logins = after.logins.iter().all(|login| before.logins.contains(login));
    // Whoever stands in answers in their place; that nobody does any more gains nobody anything.
    let away = after.away == before.away || after.away.is_none();
    let same = Person {
        active: after.active,
        logins: after.logins.clone(),
        away: after.away.clone(),
        ..before.clone()
    };
    *after == same && away && logins && (before.active || !after.active)
}

/// Its word counts no more, or its groups give less.
fn connector(before: &Connector, after: &Connector) -> bool {
    let less = |(name, is): (&String, &Gives)| {
        before.groups.get(name).is_some_and(|was| {
            is.roles.is_subset(&was.roles) && (is.group.is_none() || is.group == was.group)
        })
    };
    let same = Connector { active: after.active, groups: after.groups.clone(), ..before.clone() };
    *after == same && (before.active || !after.active) && after.groups.iter().all(less)
}

/// Results carry more labels than before.
fn system(before: &System, after: &System) -> bool {
    let same = System { resource_labels: after.resource_labels.clone(), ..before.clone() };
    *after == same && before.resource_labels.is_subset(&after.resource_labels)
}

/// It counts as more than before, brings more into a task, or counts as handing data outside.
fn tool(before: &Tool, after: &Tool) -> bool {
    let same = Tool {
        effects: after.effects.clone(),
        returns: after.returns.clone(),
        sends_out: after.sends_out,
        ..before.clone()
    };
    *after == same
        && before.effects_or_worst().is_subset(&after.effects_or_worst())
        && before.returns.iter().all(|returns| after.returns.contains(returns))
        && (after.sends_out || !before.sends_out)
}

/// States in which an agent may do nothing, and which a person has to lead it out of.
const STOPPED: [AgentStatus; 3] =
    [AgentStatus::PendingReapproval, AgentStatus::Suspended, AgentStatus::Decommissioned];
/// A Cedar policy that permits something has this word in it; one that only says it in a comment counts as such.
const PERMIT: &str = "permit";

#[cfg(test)]
mod tests;
