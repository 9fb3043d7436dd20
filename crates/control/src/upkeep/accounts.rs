//! Accounts at systems that nobody answers for: where a system says what agents' accounts are called (`scim.user`), those it has are
//! listed on schedule. One of an agent that is over and may still act is a zombie; one that is called like an agent's and
//! belongs to none that the plane knows is nobody's. Nothing is changed there: who may have an account says whoever runs it.

use super::sweep::is_over;
use crate::{ControlError, Op, finding, outbox};
use provost_connect::scim::ScimListed;
use provost_domain::{
    Digest, Directory, DurationMs, Name, Severity, Sighting, System, Timestamp, delivery::DeliveryState,
    finding::About, system::ScimUse,
};

/// Looks at the systems whose time has come. Gives how many.
///
/// # Errors
/// When the store fails.
pub(super) async fn once(op: &Op) -> Result<usize, ControlError> {
    let directory = op.plane.replica.latest().directory.clone();
    let every = provost_lifecycle::upkeep::rules(&directory).swept;
    let mut looked = 0_usize;
    for system in directory.systems.values() {
        let Some(account) = &system.scim else { continue };
        if looked < AT_ONCE && is_due(op, &system.name, every).await? {
            look(op, &directory, system, account).await?;
            looked = looked.saturating_add(1);
        }
    }
    Ok(looked)
}

/// Whether this node is the one that looks in this stretch of time.
async fn is_due(op: &Op, system: &Name, every: DurationMs) -> Result<bool, ControlError> {
    let now = op.plane.now();
    let long = i64::try_from(every.0).unwrap_or(i64::MAX).max(1);
    let slot = now.as_millis().div_euclid(long);
    let claim = Digest::of(format!("accounts at {system} {slot}").as_bytes());
    Ok(op.plane.store.remember(claim, now.plus(every), now).await?)
}

async fn look(
    op: &Op,
    directory: &Directory,
    system: &System,
    account: &ScimUse,
) -> Result<(), ControlError> {
    let about = About { system: Some(system.name.clone()), ..About::default() };
    let prefix = account.around().map(|(prefix, _suffix)| prefix).unwrap_or_default();
    let listed = match outbox::scim::token(&op.plane, account).await? {
        Err(why) => Err(why),
        Ok(token) => {
            let listed = op.plane.upstreams.accounts(&account.url, token.as_ref(), prefix).await;
            listed.map_err(|fault| fault.to_string())
        }
    };
    let (listed, whole) = match listed {
        Ok(listed) => listed,
        Err(why) => {
            let what = format!("accounts of agents at {} could not be listed: {why}", system.name);
            let sighting = Sighting::new("accounts-unread", system.name.to_string(), Severity::Low, what);
            return finding::raise(op, &sighting.about(about)).await.map(drop);
        }
    };
    if !whole {
        tracing::warn!(system = %system.name, "there are more accounts than are looked at");
    }
    let now = op.plane.now();
    let wrong = listed.iter().filter_map(|row| wrong(directory, (system, account), row, now));
    for sighting in wrong.take(TOLD_MAX) {
        finding::raise(op, &sighting).await?;
    }
    Ok(())
}

/// What is wrong with an account that may act, if anything is.
fn wrong(
    directory: &Directory,
    (system, account): (&System, &ScimUse),
    row: &ScimListed,
    now: Timestamp,
) -> Option<Sighting> {
    let agent = account.agent_of(&row.user).filter(|_| row.active)?;
    let about = |agent: Option<&Name>| About {
        system: Some(system.name.clone()),
        agent: agent.cloned(),
        ..About::default()
    };
    let shown = provost_notify::text::clean(&row.user, USER_CHARS_MAX);
    match directory.agents.get(&agent) {
        Some(known) if is_over(known, now) && !is_owed(directory, system, &agent) => {
            let what = format!("{agent} is over, and its account {shown} at {} may still act", system.name);
            let sighting = Sighting::new(
                super::sweep::KIND,
                format!("{agent}/{}", system.name),
                Severity::Critical,
                what,
            );
            Some(sighting.about(about(Some(&agent))))
        }
        Some(_) => None,
        // Where every name could be an agent's, people have such accounts, too.
        None if account.is_telling() => {
            let what = format!(
                "the account {shown} at {} is called like an agent's, may act, and belongs to no agent that the plane knows: find \
                 out who uses it, and have it closed or the agent declared",
                system.name
            );
            let key = format!("{}/{shown}", system.name);
            Some(Sighting::new("account-unowned", key, Severity::High, what).about(about(None)))
        }
        None => None,
    }
}

/// Whether the plane is about to make it inactive.
fn is_owed(directory: &Directory, system: &System, agent: &Name) -> bool {
    directory.deliveries.values().any(|row| {
        outbox::scim::of_lane(&row.lane) == Some(system.name.as_str())
            && matches!(row.state, DeliveryState::Due { .. })
            && row.payload.get("agent").and_then(|name| name.as_str()) == Some(agent.as_str())
    })
}

/// Systems looked at in one round.
const AT_ONCE: usize = 5;
/// Accounts of one system that people are told of at once.
const TOLD_MAX: usize = 50;
const USER_CHARS_MAX: usize = 120;
