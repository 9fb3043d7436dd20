//! Workloads that bring their platform's token instead of a secret: the jwt-bearer grant (RFC 7523 section 2.1) as MCP's
//! workload identity federation uses it. An issuer is trusted by name, for one audience, with its own keys; claim rules
//! say which agent a subject is. Keys of two issuers are never put together, and a subject is known by issuer and `sub`
//! together, compared exactly.

use crate::jws::{Jws, JwsRules};
use crate::jwt::{Claims, Lifetime, SKEW_SECONDS_MAX, moment, verified};
use crate::replay::{Replay, ReplayKind};
use crate::{Algorithm, Fault, KeySet};
use provost_domain::issuer::SubjectRule;
use provost_domain::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An issuer whose tokens this plane accepts from workloads, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedIssuer {
    /// `iss`, compared exactly.
    pub issuer: String,
    /// Whom its tokens must be for: this plane's issuer, its token endpoint, or an audience agreed with the platform.
    /// Every `aud` of a token must be one of these.
    pub audiences: BTreeSet<String>,
    /// `exp` at most so far ahead, in seconds; 24 hours, if absent.
    #[serde(default = "ahead_default")]
    pub ahead_seconds_max: i64,
    /// The platform makes one token for each use: `jti` is required and a token is accepted once. Kubernetes and CI
    /// platforms hand out one token for many uses, so this is off unless said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single_use: bool,
    /// Which of its subjects are which agent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<SubjectRule>,
}

/// A subject of an issuer. The pair is its name for ever: issuers do not give `sub` to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FederatedSubject {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
}

/// A verified token of a trusted issuer.
#[derive(Debug, Clone, PartialEq)]
pub struct FederatedIdentity {
    /// Who it is, to the issuer.
    pub subject: FederatedSubject,
    /// All it says.
    pub claims: Claims,
    /// From this moment on it is no longer good.
    pub expires: Timestamp,
    /// For an issuer of single-use tokens: record it before issuing anything; refuse the token if it was there.
    pub replay: Option<Replay>,
}

/// Which agent a subject is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FederatedMatch<'a> {
    /// The one that the rules name.
    Agent(&'a Name),
    /// No rule fits: an unmanaged workload, which gets a record and nothing else.
    Nobody,
    /// Rules of several agents fit, so it is none of them until somebody corrects the rules.
    Several(BTreeSet<&'a Name>),
}

/// Why an issuer's configuration is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerFault {
    /// Not an https address, or with query or fragment.
    #[error(
        "`{0}` is not an issuer: it must be an https address without query and fragment, exactly as its tokens say"
    )]
    Issuer(String),
    /// No audience, or an empty one.
    #[error("the issuer needs at least one audience: tokens made for somebody else would be accepted")]
    Audience,
    /// A rule without claims fits every subject of the issuer.
    #[error(
        "the rule for agent {0} has no claims, so it would fit everybody at this issuer; name at least one"
    )]
    Unconditional(Name),
    /// Not from 1 second up.
    #[error("ahead_seconds_max must be at least 1")]
    Lifetime,
}

/// Who issued a token, if what it says is true: for finding the trusted issuer, before [`TrustedIssuer::verify`] says
/// whether it is.
///
/// # Errors
/// As reading it.
pub fn claimed_issuer(assertion: &str) -> Result<String, Fault> {
    let claims = Jws::read(assertion, &RULES)?.dangerous_unverified_claims()?;
    claims.text("iss").map(str::to_owned)
}

impl TrustedIssuer {
    /// That the configuration means something safe.
    ///
    /// # Errors
    /// [`IssuerFault`].
    pub fn check(&self) -> Result<(), IssuerFault> {
        let url = url::Url::parse(&self.issuer).ok();
        // Loopback without TLS is for tests and laptops, where there is nobody in between.
        let local = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let safe = url.is_some_and(|url| {
            let secure =
                url.scheme() == "https" || url.scheme() == "http" && url.host_str().is_some_and(local);
            secure && url.query().is_none() && url.fragment().is_none()
        });
        if !safe {
            return Err(IssuerFault::Issuer(self.issuer.clone()));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(IssuerFault::Audience);
        }
        if self.ahead_seconds_max < 1 {
            return Err(IssuerFault::Lifetime);
        }
        match self.rules.iter().find(|rule| rule.claims.is_empty()) {
            Some(rule) => Err(IssuerFault::Unconditional(rule.agent.clone())),
            None => Ok(()),
        }
    }

    /// Judges a token of this issuer with this issuer's keys.
    ///
    /// # Errors
    /// [`Fault`]; answer with [`Fault::as_grant_error`].
    pub fn verify(&self, assertion: &str, keys: &KeySet, now: Timestamp) -> Result<FederatedIdentity, Fault> {
        let claims = verified(assertion, &RULES, keys)?;
        if claims.text("iss")? != self.issuer {
            return Err(Fault::Issuer);
        }
        let subject = claims.text("sub")?.to_owned();
        let audiences: Vec<&str> = self.audiences.iter().map(String::as_str).collect();
        claims.audience_is_only(&audiences)?;
        let lifetime = Lifetime {
            ahead_seconds_max: self.ahead_seconds_max,
            skew_seconds_max: SKEW_SECONDS_MAX,
            iat_required: true,
        };
        let expires = moment(claims.lifetime(now, &lifetime)?);
        let replay = |jti: &str| Replay {
            kind: ReplayKind::Federated,
            issuer: self.issuer.clone(),
            jti: jti.to_owned(),
            until: expires,
        };
        let replay = if self.single_use { Some(replay(claims.jti()?)) } else { None };
        let subject = FederatedSubject { issuer: self.issuer.clone(), subject };
        Ok(FederatedIdentity { subject, claims, expires, replay })
    }

    /// Which agent a verified identity of this issuer is, by the rules.
    #[must_use]
    pub fn agent_of(&self, identity: &FederatedIdentity) -> FederatedMatch<'_> {
        if identity.subject.issuer != self.issuer {
            return FederatedMatch::Nobody;
        }
        let fits = |rule: &&SubjectRule| {
            !rule.claims.is_empty() && rule.claims.iter().all(|claim| claim.fits(identity.claims.members()))
        };
        let agents: BTreeSet<&Name> = self.rules.iter().filter(fits).map(|rule| &rule.agent).collect();
        match agents.first() {
            None => FederatedMatch::Nobody,
            Some(agent) if agents.len() == 1 => FederatedMatch::Agent(agent),
            Some(_) => FederatedMatch::Several(agents),
        }
    }
}

impl FederatedIdentity {
    /// A verified SVID as an identity of its trust domain, so that rules can name it by `/sub`.
    #[must_use]
    pub fn of_svid(trust_domain: &str, svid: &crate::Svid) -> Self {
        let subject = svid.id.as_str().to_owned();
        let claims = serde_json::Map::from_iter([("sub".to_owned(), subject.clone().into())]);
        Self {
            subject: FederatedSubject { issuer: trust_domain.to_owned(), subject },
            claims: Claims::new(claims),
            expires: svid.expires,
            replay: None,
        }
    }
}

const fn ahead_default() -> i64 {
    86_400
}

const RULES: JwsRules<'static> = JwsRules {
    bytes_max: 16_384,
    algorithms: Algorithm::ALL,
    // `at+jwt` is not here: an access token that an agent was given is no proof of who the agent is.
    types: &["JWT"],
    type_may_be_absent: true,
    embedded_key: false,
};

#[cfg(test)]
mod tests;
