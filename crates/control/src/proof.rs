//! How an agent proves itself: its public keys, subjects of trusted issuers, and the clients people run it in. A key or
//! subject belongs to one agent, for ever; a client may run many, since what counts there is the person who signs in.

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
    plan::{Author, Outcome, make_rows},
    reason::reason,
};
use provost_api::proof::{KeyAdd, ProofAdd, ProofView};
use provost_domain::{
    Agent, Directory, Issuer, Name, Object, ObjectKey, Proof, Timestamp, agent::AgentStatus,
};
use provost_token::{KeySet, PublicKey, SpiffeId};
use serde_json::{Map, Value};

/// Registers a public key, with which the agent signs assertions (RFC 7523); or proposes it to those who must agree: whoever
/// has the private half is the agent.
///
/// # Errors
/// When the operator may not, nobody has that name, the key is no public key that is used here, or somebody has it.
pub async fn add_key(op: &Op, name: &Name, wanted: &KeyAdd) -> Result<Outcome<ProofView>, ControlError> {
    let authorised = op.authorize(Action::AgentProof)?;
    let author = Author::of(op, wanted.person.clone(), wanted.break_glass)?;
    let key = PublicKey::from_jwk(&wanted.jwk).map_err(|fault| {
        ControlError::caller(fault.to_string())
            .cure("send the public half of an Ed25519, P-256 or RSA key as a JWK")
    })?;
    let thumbprint = key.thumbprint().to_string();
    let proof = Proof::Key { thumbprint: thumbprint.clone(), jwk: bare(&wanted.jwk), added: op.plane.now() };
    let what = format!("key {thumbprint} registered for {name}");
    let made = make_rows(&authorised, &author, (&what, reason(&wanted.reason)?), |directory| {
        let (row, known) = with(directory, name, &proof)?;
        // A set with one name for two keys reads as no set at all, and the agent could prove itself by neither.
        if !known && KeySet::of(row.proofs.iter().filter_map(public_key)).is_err() {
            return Err(ControlError::caller(format!("{name} has another key of the same `kid`"))
                .cure("give this one another `kid`, or none"));
        }
        let text = format!("proves itself with the key {thumbprint}");
        Ok(if known { Vec::new() } else { vec![(Draft::Put(Object::Agent(row)), text)] })
    })
    .await?;
    made.outcome(op, async || Ok(view(&proof))).await
}

/// Registers a subject of a trusted issuer, or a client that people run the agent in; or proposes it to those who must agree.
///
/// # Errors
/// When the operator may not, nobody has that name, the request says neither or both, the issuer does not vouch for
/// workloads, the client id is none, or another agent is that subject.
pub async fn add(op: &Op, name: &Name, wanted: &ProofAdd) -> Result<Outcome<ProofView>, ControlError> {
    let authorised = op.authorize(Action::AgentProof)?;
    let author = Author::of(op, wanted.person.clone(), wanted.break_glass)?;
    let proof = read(wanted, &op.plane.issuer, op.plane.now())?;
    let what = format!("{} registered for {name}", proof.id());
    let made = make_rows(&authorised, &author, (&what, reason(&wanted.reason)?), |directory| {
        if let Proof::Subject { issuer, subject, .. } = &proof {
            let row = directory.issuers.get(issuer);
            check_subject(row.ok_or_else(|| ControlError::unknown("issuer", issuer.as_str()))?, subject)?;
        }
        let (row, known) = with(directory, name, &proof)?;
        let text = match &proof {
            Proof::Client { client_id, .. } => format!("may be run by people in {client_id}"),
            _ => format!("proves itself as {}", proof.id()),
        };
        Ok(if known { Vec::new() } else { vec![(Draft::Put(Object::Agent(row)), text)] })
    });
    let made = made.await?;
    made.outcome(op, async || {
        let view_now = op.plane.replica.latest();
        let row = view_now.directory.agents.get(name);
        let registered = row.and_then(|row| row.proofs.iter().find(|known| known.id() == proof.id()));
        Ok(view(registered.unwrap_or(&proof)))
    })
    .await
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
            let gone = gone.ok_or_else(|| ControlError::unknown("key, subject or client", id))?.clone();
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

/// The agent with this proof beside its others, and whether it had it before.
fn with(directory: &Directory, name: &Name, proof: &Proof) -> Result<(Agent, bool), ControlError> {
    let agent = find(directory, name)?;
    let known = agent.proofs.iter().any(|known| known.id() == proof.id());
    if !known && agent.proofs.len() >= PROOFS_MAX {
        let text = format!("{name} has {PROOFS_MAX} ways to prove itself already");
        return Err(ControlError::refused(text).cure("remove one that is no longer used"));
    }
    let mut row = agent.clone();
    if !known {
        row.proofs.push(proof.clone());
    }
    Ok((row, known))
}

fn read(wanted: &ProofAdd, plane: &str, added: Timestamp) -> Result<Proof, ControlError> {
    match (&wanted.issuer, &wanted.subject, &wanted.client_id) {
        (Some(issuer), Some(subject), None) => {
            let bounded = (1..=SUBJECT_BYTES_MAX).contains(&subject.len());
            if !bounded || subject.contains(char::is_control) || subject.trim() != subject {
                let text = format!(
                    "the subject is empty, over {SUBJECT_BYTES_MAX} bytes, or has white space around it"
                );
                return Err(ControlError::caller(text).cure("write `sub` exactly as in the issuer's tokens"));
            }
            Ok(Proof::Subject { issuer: issuer.clone(), subject: subject.clone(), added })
        }
        (None, None, Some(client_id)) => {
            check_client_id(client_id, is_loopback(plane))?;
            Ok(Proof::Client { client_id: client_id.clone(), added })
        }
        _ => Err(ControlError::caller("say either issuer and subject, or client_id")
            .cure("register two ways with two requests")),
    }
}

fn check_subject(issuer: &Issuer, subject: &str) -> Result<(), ControlError> {
    if issuer.workloads.is_none() {
        let text = format!("{} vouches for people, not for workloads", issuer.name);
        return Err(ControlError::refused(text)
            .cure(format!("write [issuer.{}.workloads] and apply it, or name another issuer", issuer.name)));
    }
    let Some(domain) = issuer.trust_domain() else { return Ok(()) };
    let id = subject.parse::<SpiffeId>().ok();
    if id.is_some_and(|id| id.trust_domain() == domain && !id.path().is_empty()) {
        return Ok(());
    }
    Err(ControlError::caller(format!("the subject is no SPIFFE ID of {domain}"))
        .cure(format!("write it like spiffe://{domain}/ns/payments/sa/clerk")))
}

/// What a client id that is an address must be (draft-ietf-oauth-client-id-metadata-document section 3): https, with a path,
/// without user, fragment or dot segments. `loopback` allows http on this machine, for tests.
///
/// # Errors
/// Which of these it is not.
pub(crate) fn check_client_id(client_id: &str, loopback: bool) -> Result<(), ControlError> {
    let clean = |b: u8| matches!(b, 0x21..=0x7e) && !b"\\\"<>^`{|}".contains(&b);
    let rest = client_id.strip_prefix("https://");
    let rest =
        rest.or_else(|| client_id.strip_prefix("http://").filter(|_| loopback && is_loopback(client_id)));
    let parts = rest.and_then(|rest| rest.split_once('/'));
    let fault = match parts {
        _ if client_id.len() > CLIENT_ID_BYTES_MAX => "is too long",
        _ if !client_id.bytes().all(clean) => "has characters that no address has",
        _ if client_id.contains('#') => "has a fragment",
        None if rest.is_none() => "does not begin with https://",
        None => "has no path",
        Some((authority, _)) if authority.is_empty() || authority.contains(['?', '@']) => {
            "names no host, or a user"
        }
        Some((_, path)) if path.is_empty() || path.starts_with('?') => "has no path",
        Some((_, path)) if has_dot_segment(path) => "has a part that is only dots",
        Some(_) => return Ok(()),
    };
    Err(ControlError::caller(format!("the client id {fault}"))
        .because("it is the address where the client publishes who it is, and is compared exactly")
        .cure("write it like https://app.example/oauth/client.json"))
}

fn has_dot_segment(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Whether an address is in the clear and of this machine.
fn is_loopback(address: &str) -> bool {
    let authority = address.strip_prefix("http://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let host = authority.map(|authority| {
        let port = authority.rsplit_once(':');
        port.filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(authority, |(host, _)| host)
    });
    host.is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"))
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
/// OpenID Connect Core 1.0 section 2: `sub` has at most 255; SPIFFE IDs have up to 2,048.
const SUBJECT_BYTES_MAX: usize = 2_048;
const CLIENT_ID_BYTES_MAX: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_an_https_address_that_reads_one_way() {
        for good in [
            "https://app.example/client.json",
            "https://app.example:8443/a/b?version=2",
            "https://app.example/.well-known/oauth-client",
        ] {
            assert!(check_client_id(good, false).is_ok(), "{good}");
        }
        for bad in [
            "",
            "app",
            "https://app.example",
            "https://app.example/",
            "https://app.example?x",
            "https://app.example/?x",
            "https:///client.json",
            "https://me@app.example/client.json",
            "https://app.example/client.json#a",
            "https://app.example/a/../client.json",
            "https://app.example/a/%2E%2e/client.json",
            "https://app.example/./client.json",
            "https://app.example/cl ient.json",
            "https://app.example\\@evil.example/client.json",
            "http://app.example/client.json",
            "http://localhost/client.json",
            "javascript:alert(1)",
        ] {
            assert!(check_client_id(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_client_id_in_the_clear_is_of_this_machine_and_of_a_plane_that_is() {
        for good in ["http://localhost:9/c", "http://127.0.0.1/c", "http://[::1]:9/c"] {
            assert!(check_client_id(good, true).is_ok() && check_client_id(good, false).is_err(), "{good}");
        }
        for bad in ["http://localhost.evil.example/c", "http://127.0.0.1@evil.example/c", "http://10.0.0.1/c"]
        {
            assert!(check_client_id(bad, true).is_err(), "{bad}");
        }
        assert!(is_loopback("http://127.0.0.1:7070") && !is_loopback("https://127.0.0.1:7070"));
    }
}
