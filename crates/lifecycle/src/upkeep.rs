//! What becomes of an agent by itself (REQUIREMENTS.md A4, B4): its owner left, it expired, nobody confirmed it, it does nothing.
//! What is due follows from the rows and the time alone, so any node finds the same, at once or later; whoever was away is warned
//! before anything is stopped.
//!
//! ```text
//! owner gone ──▶ deputy, manager, group: asked in turn, read-only until one accepts ──nobody──▶ suspended
//! expires soon ──▶ told ──▶ expired: suspended
//! not confirmed for a period ──▶ asked ──half the grace──▶ asked again ──grace──▶ suspended
//! idle ──▶ told ──▶ suspended
//! ```

use crate::agent::{Move, decide};
use provost_domain::{
    Agent, AgentStatus, Directory, DurationMs, Level, Name, Severity, Timestamp, drill,
    life::{Attested, Heir},
    upkeep::UpkeepRules,
};

/// Something that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The agent afterwards; nothing, where people are told and no more.
    pub row: Option<Agent>,
    /// What it is.
    pub step: Step,
    /// What people are told.
    pub told: Option<Told>,
}

/// What people are told: a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The kind of finding.
    pub kind: &'static str,
    /// What makes it another one than the last time.
    pub since: Timestamp,
    /// How bad.
    pub severity: Severity,
    /// In a sentence.
    pub what: String,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Somebody is asked to follow the owner.
    HeirAsked,
    /// Nobody can follow.
    Ownerless,
    /// The owner is there again, or there is another one.
    OwnerBack,
    /// It expires soon.
    ExpiryNear,
    /// It has expired.
    Expired,
    /// Its owner is asked to confirm it.
    AttestationAsked,
    /// And again.
    AttestationReminded,
    /// Nobody confirmed it.
    AttestationLapsed,
    /// It will be stopped for doing nothing.
    IdleNear,
    /// It has done nothing for too long.
    Idle,
}

/// The first thing that is due for an agent. `last` is when it last did something, as far as somebody looked ([`may_be_idle`]).
#[must_use]
pub fn due(directory: &Directory, agent: &Agent, last: Option<Timestamp>, now: Timestamp) -> Option<Due> {
    let kept =
        matches!(agent.status, AgentStatus::Active | AgentStatus::PendingReapproval | AgentStatus::Suspended)
            && agent.provenance.source.as_ref() != drill::SOURCE;
    if !kept {
        return None;
    }
    let rules = rules(directory);
    owner(directory, &rules, agent, now)
        .or_else(|| expiry(&rules, agent, now))
        .or_else(|| attestation(&rules, agent, now))
        .or_else(|| idle(&rules, agent, last, now))
}

/// The rules of an organisation.
#[must_use]
pub fn rules(directory: &Directory) -> UpkeepRules {
    directory.organisation.as_ref().map(|row| row.lifecycle.clone()).unwrap_or_default()
}

/// Those who follow the owner, in the order in which they are asked; people who are here only.
#[must_use]
pub fn heirs(directory: &Directory, agent: &Agent) -> Vec<Name> {
    let owner = &agent.charter.owner;
    let manager = directory.people.get(owner).and_then(|row| row.manager.clone());
    let group = rules(directory).heirs;
    let group = group.and_then(|name| directory.organisation.as_ref()?.groups.get(&name).cloned());
    let all = agent.charter.deputies.iter().cloned().chain(manager);
    let all = all.chain(group.into_iter().flat_map(|group| group.members));
    let mut heirs: Vec<Name> = Vec::new();
    for name in all {
        if name != *owner && is_here(directory, &name) && !heirs.contains(&name) {
            heirs.push(name);
        }
    }
    heirs
}

fn is_here(directory: &Directory, name: &Name) -> bool {
    directory.people.get(name).is_some_and(|row| row.active)
}

fn owner(directory: &Directory, rules: &UpkeepRules, agent: &Agent, now: Timestamp) -> Option<Due> {
    let owner = &agent.charter.owner;
    let heir = agent.life.as_ref().and_then(|life| life.heir.as_ref()).filter(|heir| heir.from == *owner);
    if is_here(directory, owner) {
        let asked = agent.life.as_ref().is_some_and(|life| life.heir.is_some());
        return asked.then(|| Due { row: Some(freed(agent)), step: Step::OwnerBack, told: None });
    }
    // What is stopped waits for nobody.
    if agent.status == AgentStatus::Suspended {
        return None;
    }
    let waits = |heir: &&Heir| is_here(directory, &heir.person) && now.since(heir.asked) < rules.accepted;
    if heir.filter(waits).is_some() {
        return None;
    }
    let heirs = heirs(directory, agent);
    let before = heir.and_then(|heir| heirs.iter().position(|name| *name == heir.person));
    // Whoever was asked and is gone is no longer among them; those before had their turn all the same.
    let turn = heir.map_or(0, |heir| before.map_or(usize::from(heir.turn), |place| place.saturating_add(1)));
    let Some(next) = heirs.get(turn) else {
        return stopped(
            agent,
            Step::Ownerless,
            Told {
                kind: OWNERLESS,
                since: now,
                severity: Severity::High,
                what: format!(
                    "{}: {owner} left, nobody who could follow accepted, and it is suspended",
                    agent.name
                ),
            },
        );
    };
    let level = heir.map_or(agent.level, |heir| heir.level);
    let row = Agent { level: agent.level.max(Level::ReadOnly), ..agent.clone() };
    let row = row.living(|life| {
        life.heir = Some(Heir {
            person: next.clone(),
            from: owner.clone(),
            asked: now,
            level,
            turn: u8::try_from(turn).unwrap_or(u8::MAX),
        });
    });
    let what = format!(
        "{}: {owner} left, {next} is asked to answer for it, and it only reads until then",
        agent.name
    );
    let told = Told { kind: OWNERLESS, since: now, severity: Severity::High, what };
    Some(Due { row: Some(row), step: Step::HeirAsked, told: Some(told) })
}

/// Without anybody who is asked to follow, and with what that had taken from it, unless somebody took more since.
fn freed(agent: &Agent) -> Agent {
    let heir = agent.life.as_ref().and_then(|life| life.heir.as_ref());
    let level = match heir {
        Some(heir) if agent.level == Level::ReadOnly => heir.level,
        _ => agent.level,
    };
    Agent { level, ..agent.clone() }.living(|life| life.heir = None)
}

fn expiry(rules: &UpkeepRules, agent: &Agent, now: Timestamp) -> Option<Due> {
    let expires = agent.charter.retirement.expires?;
    let told = |severity, what: String| Told { kind: EXPIRY, since: expires, severity, what };
    if now >= expires {
        return stopped(
            agent,
            Step::Expired,
            told(Severity::Medium, format!("{} has expired, and is suspended", agent.name)),
        );
    }
    let near = agent.status != AgentStatus::Suspended && expires.since(now) <= rules.warned;
    near.then(|| Due {
        row: None,
        step: Step::ExpiryNear,
        told: Some(told(Severity::Low, format!("{} expires in {}", agent.name, expires.since(now)))),
    })
}

fn attestation(rules: &UpkeepRules, agent: &Agent, now: Timestamp) -> Option<Due> {
    let period = rules.attested?;
    if agent.status == AgentStatus::Suspended {
        return None;
    }
    let life = agent.life.as_deref();
    let last =
        life.and_then(|life| life.attested.as_ref()).map_or(agent.provenance.created_at, |last| last.at);
    if now.since(last) < period {
        return None;
    }
    let owner = &agent.charter.owner;
    let told = |since, severity, what: String| Told { kind: ATTESTATION, since, severity, what };
    // Who was away, or begins to ask today, asks first: the grace counts from then.
    let Some(asked) = life.and_then(|life| life.asked).filter(|asked| *asked >= last) else {
        let row = agent.clone().living(|life| life.asked = Some(now));
        let what = format!("{owner} is asked to confirm {}: nobody did for {}", agent.name, now.since(last));
        let told = Some(told(now, Severity::Low, what));
        return Some(Due { row: Some(row), step: Step::AttestationAsked, told });
    };
    let waited = now.since(asked);
    if waited >= rules.grace {
        let what = format!("{} is suspended: {owner} did not confirm it within {}", agent.name, rules.grace);
        return stopped(agent, Step::AttestationLapsed, told(asked, Severity::High, what));
    }
    (waited.0 >= rules.grace.0 / 2).then(|| {
        let left = DurationMs(rules.grace.0.saturating_sub(waited.0));
        let what = format!("{} is suspended in {left}, unless {owner} confirms it", agent.name);
        let told = Some(told(asked, Severity::Medium, what));
        Due { row: None, step: Step::AttestationReminded, told }
    })
}

/// How long an agent may do nothing.
fn idle_max(rules: &UpkeepRules, agent: &Agent) -> Option<DurationMs> {
    let days = agent.charter.retirement.idle_days_max;
    let own = days.map(|days| DurationMs::from_mins(u64::from(days).saturating_mul(24 * 60)));
    own.or(rules.idle)
}

/// How long before that it is told; a part of it, where it is short.
fn lead(rules: &UpkeepRules, most: DurationMs) -> DurationMs {
    rules.warned.min(DurationMs(most.0 / 4))
}

/// Since when an agent does nothing at the earliest, of what its row says.
fn quiet_since(agent: &Agent) -> Timestamp {
    let life = agent.life.as_deref();
    let moments = [
        Some(agent.provenance.created_at),
        agent.provenance.revised.as_ref().map(|revised| revised.at),
        life.and_then(|life| life.resumed),
    ];
    moments.into_iter().flatten().max().unwrap_or(agent.provenance.created_at)
}

/// Whether somebody has to look when an agent last did something.
#[must_use]
pub fn may_be_idle(directory: &Directory, agent: &Agent, now: Timestamp) -> bool {
    let rules = rules(directory);
    let most = idle_max(&rules, agent);
    agent.status == AgentStatus::Active
        && most.is_some_and(|most| {
            let near = DurationMs(most.0.saturating_sub(lead(&rules, most).0));
            now.since(quiet_since(agent)) >= near
        })
}

fn idle(rules: &UpkeepRules, agent: &Agent, last: Option<Timestamp>, now: Timestamp) -> Option<Due> {
    let most = idle_max(rules, agent).filter(|_| agent.status == AgentStatus::Active)?;
    let since = quiet_since(agent).max(last?);
    let (quiet, lead) = (now.since(since), lead(rules, most));
    if quiet.0 < most.0.saturating_sub(lead.0) {
        return None;
    }
    let told = |severity, what: String| Told { kind: IDLE, since, severity, what };
    let warned = agent.life.as_ref().and_then(|life| life.idle_warned).filter(|warned| *warned >= since);
    let Some(warned) = warned else {
        let row = agent.clone().living(|life| life.idle_warned = Some(now));
        let what = format!("{} did nothing for {quiet}, and is suspended after {most}", agent.name);
        let told = Some(told(Severity::Low, what));
        return Some(Due { row: Some(row), step: Step::IdleNear, told });
    };
    // A plane that was away warns first, and waits as long as it says.
    if quiet < most || now.since(warned) < lead {
        return None;
    }
    let what = format!("{} did nothing for {quiet}, and is suspended", agent.name);
    stopped(agent, Step::Idle, told(Severity::Medium, what))
}

fn stopped(agent: &Agent, step: Step, told: Told) -> Option<Due> {
    let status = decide(agent.status, Move::Suspend).ok()?;
    Some(Due { row: Some(Agent { status, ..agent.clone() }), step, told: Some(told) })
}

/// The agent, confirmed.
#[must_use]
pub fn attested(agent: &Agent, by: &str, now: Timestamp) -> Agent {
    agent.clone().living(|life| {
        life.attested = Some(Attested { at: now, by: by.into() });
        life.asked = None;
    })
}

/// The agent of whoever accepts to answer for it.
///
/// # Errors
/// When nobody is asked to, or somebody else is.
pub fn accepted(agent: &Agent, person: &Name) -> Result<Agent, NotAsked> {
    let heir = agent.life.as_ref().and_then(|life| life.heir.as_ref());
    let heir = heir.ok_or_else(|| NotAsked::Nobody { agent: agent.name.clone() })?;
    if heir.person != *person {
        return Err(NotAsked::Another { agent: agent.name.clone(), person: heir.person.clone() });
    }
    let mut row = freed(agent);
    let charter = &mut row.charter;
    charter.owner = person.clone();
    charter.deputies = charter.deputies.iter().filter(|name| *name != person).cloned().collect();
    row.revision = row.revision.saturating_add(1);
    Ok(row)
}

/// Why nobody accepts anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// Its owner is here.
    #[error("nobody is asked to answer for {agent}")]
    Nobody {
        /// The agent.
        agent: Name,
    },
    /// Somebody else is to.
    #[error("{person} is asked to answer for {agent}")]
    Another {
        /// The agent.
        agent: Name,
        /// Who is.
        person: Name,
    },
}

/// Kinds of finding.
pub const OWNERLESS: &str = "agent-ownerless";
/// Of expiry.
pub const EXPIRY: &str = "agent-expiry";
/// Of attestation.
pub const ATTESTATION: &str = "agent-attestation";
/// Of idleness.
pub const IDLE: &str = "agent-idle";

#[cfg(test)]
mod tests;
