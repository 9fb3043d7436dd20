//! How an agent proves itself: its public keys. A key belongs to one agent, for ever.

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
};
use provost_api::proof::{KeyAdd, ProofView};
use provost_domain::{Agent, Directory, Name, Object, ObjectKey, Proof, agent::AgentStatus};
use provost_token::{KeySet, PublicKey};
use serde_json::{Map, Value};

/// Registers a public key, with which the agent signs assertions (RFC 7523).
///
/// # Errors
/// When the operator may not, nobody has that name, the key is no public key that is used here, or somebody has it.
pub async fn add_key(op: &Op, name: &Name, wanted: &KeyAdd) -> Result<ProofView, ControlError> {
    let authorised = op.authorize(Action::AgentProof)?;
    let key = PublicKey::from_jwk(&wanted.jwk).map_err(|fault| {
        ControlError::caller(fault.to_string())
            .cure("send the public half of an Ed25519, P-256 or RSA key as a JWK")
    })?;
    let thumbprint = key.thumbprint().to_string();
    let proof = Proof::Key { thumbprint: thumbprint.clone(), jwk: bare(&wanted.jwk), added: op.plane.now() };
    let key = ObjectKey::new(provost_domain::Kind::Agent, name.as_str());
    authorised
        .change(&[key], &wanted.reason, |seen| {
            let agent = find(seen.directory, name)?;
            let known = agent.proofs.iter().any(|known| known.id() == thumbprint);
            if !known && agent.proofs.len() >= PROOFS_MAX {
                return Err(ControlError::refused(format!(
                    "{name} has {PROOFS_MAX} ways to prove itself already"
                ))
                .cure("remove one that is no longer used"));
            }
            let mut row = agent.clone();
            row.proofs.push(proof.clone());
            // A set with one name for two keys reads as no set at all, and the agent could prove itself by neither.
            if !known && KeySet::of(row.proofs.iter().filter_map(public_key)).is_err() {
                return Err(ControlError::caller(format!("{name} has another key of the same `kid`"))
                    .cure("give this one another `kid`, or none"));
            }
            let drafts = if known { Vec::new() } else { vec![Draft::Put(Object::Agent(row))] };
            Ok(Change { drafts, what: format!("key {thumbprint} registered for {name}"), answer: () })
        })
        .await?;
    Ok(view(&proof))
}

/// Takes a way to prove itself from an agent. Tokens it got with it live out their minutes; end its tasks to end them.
///
/// # Errors
/// When the operator may not, or the agent has no such way.
pub async fn remove(op: &Op, name: &Name, id: &str, why: &str) -> Result<ProofView, ControlError> {
    let authorised = op.authorize(Action::AgentProof)?;
    let key = ObjectKey::new(provost_domain::Kind::Agent, name.as_str());
    let (_seq, proof) = authorised
        .change(&[key], why, |seen| {
            let agent = find(seen.directory, name)?;
            let gone = agent.proofs.iter().find(|proof| proof.id() == id);
            let gone = gone.ok_or_else(|| ControlError::unknown("key", id))?.clone();
            let mut row = agent.clone();
            row.proofs.retain(|proof| proof.id() != id);
            Ok(Change {
                drafts: vec![Draft::Put(Object::Agent(row))],
                what: format!("{id} taken from {name}"),
                answer: gone,
            })
        })
        .await?;
    Ok(view(&proof))
}

/// A proof as it is shown.
pub(crate) fn view(proof: &Proof) -> ProofView {
    let (kind, added) = match proof {
        Proof::Key { added, .. } => ("key", *added),
        Proof::Subject { added, .. } => ("subject", *added),
        Proof::Client { added, .. } => ("client", *added),
    };
    ProofView { kind: kind.to_owned(), id: proof.id(), added: added.into() }
}

/// The key of a proof that is one.
pub(crate) fn public_key(proof: &Proof) -> Option<PublicKey> {
    match proof {
        Proof::Key { jwk, .. } => PublicKey::from_jwk(jwk).ok(),
        Proof::Subject { .. } | Proof::Client { .. } => None,
    }
}

/// The members that make the key, and none that only describe it.
fn bare(jwk: &Map<String, Value>) -> Map<String, Value> {
    let members = ["kty", "crv", "x", "y", "n", "e", "alg", "kid"];
    jwk.iter()
        .filter(|(name, _)| members.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn find<'d>(directory: &'d Directory, name: &Name) -> Result<&'d Agent, ControlError> {
    let agent = directory.agents.get(name).map(AsRef::as_ref);
    let agent: &Agent = agent.ok_or_else(|| ControlError::unknown("agent", name.as_str()))?;
    if agent.status == AgentStatus::Decommissioned {
        return Err(ControlError::refused(format!("{name} was decommissioned, and proves nothing any more")));
    }
    Ok(agent)
}

const PROOFS_MAX: usize = 16;
