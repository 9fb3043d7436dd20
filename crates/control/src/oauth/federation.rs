//! Workloads whose platform vouches for them: the jwt-bearer grant (RFC 7523 section 2.1, MCP workload identity federation)
//! and JWT-SVIDs. A subject is an agent because a person said so, by its own name or by a rule; one that is nobody's is put
//! on record, for a person to look at, and gets nothing.

use super::{client, once};
use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    plane::Plane,
    trusted::TrustError,
};
use provost_domain::{
    Agent, AgentStatus, Autonomy, Charter, Digest, Directory, DurationMs, Environment, Issuer, Kind, Level,
    Name, Object, ObjectKey, Proof,
    agent::Provenance,
    charter::{Delegation, Retirement},
    ids::AgentId,
    issuer::Workloads,
};
use provost_token::{
    FederatedIdentity, FederatedMatch, OauthCode, OauthError, TrustedIssuer, federation::claimed_issuer,
    svid, verify_svid,
};
use std::sync::Arc;

/// The agent that a platform's token is of. It may act.
///
/// # Errors
/// `invalid_grant`, with what is wrong with the token; the same for a subject that is nobody's, which is on record then.
pub(super) async fn workload(
    plane: &Arc<Plane>,
    request_id: &str,
    assertion: &str,
) -> Result<Arc<Agent>, OauthError> {
    let claimed = claimed_issuer(assertion).map_err(|fault| fault.as_grant_error())?;
    let view = plane.replica.fresh(plane.limits.staleness_max).map_err(client::stale)?;
    let issuer = issuer_of(&view.directory, &claimed).ok_or_else(untrusted)?;
    let Some(workloads) = &issuer.workloads else { return Err(untrusted()) };
    let trusted = trusted(&issuer, workloads);
    let now = plane.now();
    let judged = plane.trusted.judged(plane, &issuer, |keys| trusted.verify(assertion, keys, now)).await;
    let identity =
        judged.map_err(|error| no_keys(&issuer, &error))?.map_err(|fault| fault.as_grant_error())?;
    if let Some(replay) = &identity.replay {
        once(plane, replay, OauthCode::InvalidGrant).await?;
    }
    let seen = Seen { plane, request_id, issuer: &issuer, workloads };
    seen.agent(&view.directory, &trusted, &identity, OauthCode::InvalidGrant).await
}

/// The agent that a JWT-SVID is of (draft-ietf-oauth-spiffe-client-auth). It may act.
///
/// # Errors
/// `invalid_client`, as [`workload`].
pub(super) async fn spiffe(
    plane: &Arc<Plane>,
    request_id: &str,
    svid: &str,
    client_id: Option<&str>,
) -> Result<Arc<Agent>, OauthError> {
    let claimed = svid::claimed_id(svid).map_err(|fault| fault.as_client_error())?;
    let view = plane.replica.fresh(plane.limits.staleness_max).map_err(client::stale)?;
    let unknown = || {
        let text = "the trust domain of the SVID is none that this plane trusts";
        OauthError::new(OauthCode::InvalidClient, text)
    };
    let name = format!("spiffe://{}", claimed.trust_domain());
    let issuer = issuer_of(&view.directory, &name).ok_or_else(unknown)?;
    let Some(workloads) = &issuer.workloads else { return Err(unknown()) };
    let now = plane.now();
    let verify =
        |keys: &provost_token::KeySet| verify_svid(svid, claimed.trust_domain(), keys, &plane.issuer, now);
    let judged = plane.trusted.judged(plane, &issuer, verify).await;
    let svid = judged.map_err(|error| no_keys(&issuer, &error))?.map_err(|fault| fault.as_client_error())?;
    // draft-ietf-oauth-spiffe-client-auth section 4: `client_id` may be left out; if it comes, it is the subject.
    if client_id.is_some_and(|id| id != svid.id.as_str()) {
        let text = "client_id is not the SPIFFE ID of the assertion";
        return Err(OauthError::new(OauthCode::InvalidClient, text));
    }
    let trusted = trusted(&issuer, workloads);
    let identity = FederatedIdentity::of_svid(&issuer.issuer, &svid);
    let seen = Seen { plane, request_id, issuer: &issuer, workloads };
    seen.agent(&view.directory, &trusted, &identity, OauthCode::InvalidClient).await
}

/// The trusted issuer of this name: `iss`, exactly.
pub(super) fn issuer_of(directory: &Directory, iss: &str) -> Option<Arc<Issuer>> {
    directory.issuers.values().find(|issuer| issuer.issuer == iss).cloned()
}

/// Why an issuer's word could not be judged: not the client's fault.
pub(super) fn no_keys(issuer: &Issuer, error: &TrustError) -> OauthError {
    let text = format!("the keys of {} could not be read: {error}; try again in a moment", issuer.name);
    OauthError::new(OauthCode::TemporarilyUnavailable, text)
}

fn trusted(issuer: &Issuer, workloads: &Workloads) -> TrustedIssuer {
    TrustedIssuer {
        issuer: issuer.issuer.clone(),
        audiences: workloads.audiences.clone(),
        ahead_seconds_max: i64::try_from(workloads.ahead_max.0 / 1_000).unwrap_or(i64::MAX),
        single_use: workloads.single_use,
        rules: workloads.rules.clone(),
    }
}

fn untrusted() -> OauthError {
    let text = "the issuer of the assertion is none whose workloads this plane takes";
    OauthError::new(OauthCode::InvalidGrant, text)
}

/// A subject that proved itself.
struct Seen<'a> {
    plane: &'a Arc<Plane>,
    request_id: &'a str,
    issuer: &'a Issuer,
    workloads: &'a Workloads,
}

impl Seen<'_> {
    /// Which agent it is. What a person wrote down for this very subject counts before any rule.
    async fn agent(
        &self,
        directory: &Directory,
        trusted: &TrustedIssuer,
        identity: &FederatedIdentity,
        code: OauthCode,
    ) -> Result<Arc<Agent>, OauthError> {
        let subject = identity.subject.subject.as_str();
        let known = directory.agent_of(&self.issuer.name, subject);
        let agent = match known.filter(|agent| agent.status != AgentStatus::Unmanaged) {
            Some(agent) => Arc::clone(agent),
            None => match trusted.agent_of(identity) {
                FederatedMatch::Agent(name) => directory.agents.get(name).cloned().ok_or_else(|| {
                    OauthError::new(code, format!("the rules name {name}, and there is no such agent"))
                })?,
                FederatedMatch::Several(names) => {
                    let names: Vec<&str> = names.into_iter().map(Name::as_str).collect();
                    let text = format!(
                        "the rules of {} make this subject several agents ({}), so it is none of them: correct the rules",
                        self.issuer.name,
                        names.join(", ")
                    );
                    return Err(OauthError::new(code, text));
                }
                FederatedMatch::Nobody => {
                    return Err(match known {
                        Some(unmanaged) => self::unmanaged(code, &unmanaged.name),
                        None => self.nobody(directory, subject, code).await,
                    });
                }
            },
        };
        match agent.status {
            status if provost_lifecycle::agent::may_act(status) => Ok(agent),
            status => {
                let text = format!("{} is {status}: it gets no tokens", agent.name);
                Err(OauthError::new(OauthCode::UnauthorizedClient, text))
            }
        }
    }

    /// Puts a subject that is nobody's on record, unless there are enough of them, and refuses it.
    async fn nobody(&self, directory: &Directory, subject: &str, code: OauthCode) -> OauthError {
        let waiting =
            directory.agents_from(&self.issuer.name).filter(|agent| agent.status == AgentStatus::Unmanaged);
        let most = usize::try_from(self.workloads.unmanaged_max).unwrap_or(usize::MAX);
        let fits = subject.len() <= SUBJECT_BYTES_MAX && !subject.chars().any(char::is_control);
        if !fits || waiting.count() >= most {
            let text = format!("this subject of {} is no agent here", self.issuer.name);
            return OauthError::new(code, text);
        }
        match self.put_on_record(subject).await {
            Ok(name) => unmanaged(code, &name),
            // Two requests of one subject at a time: one of them wrote it down.
            Err(ControlError::Conflict(_)) => {
                OauthError::new(code, format!("this subject of {} is no agent here", self.issuer.name))
            }
            Err(error) => super::refused(error),
        }
    }

    async fn put_on_record(&self, subject: &str) -> Result<Name, ControlError> {
        let op = Op {
            subject: Operator::Plane,
            request_id: self.request_id.to_owned(),
            plane: Arc::clone(self.plane),
        };
        let authorised = op.authorize(Action::AgentDiscover)?;
        let name = self.name(subject)?;
        let row = self.row(&name, subject);
        let key = ObjectKey::new(Kind::Agent, name.as_str());
        let why = format!("a subject of issuer {} asked for a token", self.issuer.name);
        authorised
            .change(std::slice::from_ref(&key), &why, |seen| {
                let drafts = match seen.directory.agents.get(&name) {
                    Some(_known) => Vec::new(),
                    None => vec![Draft::Put(Object::Agent(row.clone()))],
                };
                Ok(Change { drafts, what: format!("unmanaged agent {name} found"), answer: () })
            })
            .await?;
        Ok(name)
    }

    /// A name that says where it comes from and that no two subjects have.
    fn name(&self, subject: &str) -> Result<Name, ControlError> {
        let digest = Digest::of(format!("{}#{subject}", self.issuer.issuer).as_bytes());
        let head: String = self.issuer.name.as_str().chars().take(NAME_HEAD_CHARS_MAX).collect();
        let tail = hex::encode(digest.as_bytes().get(..6).unwrap_or_default());
        format!("{head}-{tail}")
            .parse()
            .map_err(|error| ControlError::us("the subject cannot be named", error))
    }

    fn row(&self, name: &Name, subject: &str) -> Agent {
        let plane = self.plane;
        let now = plane.now();
        Agent {
            id: AgentId::new(now, plane.random()),
            name: name.clone(),
            status: AgentStatus::Unmanaged,
            level: Level::default(),
            revision: 1,
            charter: Charter {
                purpose: format!(
                    "Unknown: the subject {subject} of {} asked for a token, and nobody has said what it is",
                    self.issuer.name
                )
                .into(),
                owner: self.issuer.owner.clone(),
                deputies: Arc::default(),
                users: Arc::default(),
                environment: Environment::Sandbox,
                autonomy: Autonomy::Probation,
                grants: Arc::default(),
                data: Arc::default(),
                budgets: Arc::default(),
                hours: None,
                delegation: Delegation::default(),
                manifest: provost_domain::TextMap::default(),
                retirement: Retirement::default(),
                task_duration_max: DurationMs::from_mins(5),
            },
            provenance: Provenance {
                created_by: "plane".into(),
                created_at: now,
                source: format!("issuer {}", self.issuer.name).into(),
                revised: None,
            },
            loosening: None,
            proofs: vec![Proof::Subject {
                issuer: self.issuer.name.clone(),
                subject: subject.to_owned(),
                added: now,
            }],
            life: None,
        }
    }
}

fn unmanaged(code: OauthCode, name: &Name) -> OauthError {
    let text = format!(
        "nobody has said what this workload is: it is on record as {name}, unmanaged, and gets nothing until a person \
         adopts it and gives it a charter, or a rule of the issuer says which agent it is"
    );
    OauthError::new(code, text)
}

const SUBJECT_BYTES_MAX: usize = 512;
const NAME_HEAD_CHARS_MAX: usize = 40;
