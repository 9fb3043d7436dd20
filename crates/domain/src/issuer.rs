//! Issuers: who else's word the plane takes for who somebody is. A platform vouches for workloads (Kubernetes, CI, SPIFFE),
//! an identity provider for people. Each is trusted by name, with its own keys and for what its row says, and no further.

use crate::{ClaimRule, DurationMs, Name, person::Role};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// An issuer that the plane trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Names it here.
    pub name: Name,
    /// What it is, in a sentence.
    pub description: String,
    /// `iss` of its tokens, compared exactly; for a SPIFFE trust domain, `spiffe://` and the domain.
    pub issuer: String,
    /// Where its keys come from.
    pub keys: KeySource,
    /// Who answers for what is found through it and belongs to nobody yet.
    pub owner: Name,
    /// Its tokens are taken from workloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workloads: Option<Workloads>,
    /// It is the identity provider of people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<Provider>,
    /// Its Shared Signals are taken, if they are for one of these audiences; none are, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<BTreeSet<String>>,
}

/// Where the keys of an issuer come from. Never from the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum KeySource {
    /// `jwks_uri` of its metadata (OpenID Connect Discovery 1.0 section 4).
    Discovery,
    /// A JWK set at this address: a `jwks_uri`, or a SPIFFE bundle endpoint.
    Url {
        /// The address.
        url: String,
    },
    /// This JWK set (RFC 7517), as a person put it here.
    Inline {
        /// The set.
        jwks: Map<String, Value>,
    },
}

/// How tokens of workloads are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workloads {
    /// Whom the tokens must be for; each `aud` of a token must be one of these.
    pub audiences: BTreeSet<String>,
    /// `exp` at most so far ahead.
    pub ahead_max: DurationMs,
    /// The platform makes a token for each use: `jti` is required, and counts once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single_use: bool,
    /// Which subjects are which agent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<SubjectRule>,
    /// How many subjects that are nobody's are put on record as unmanaged agents.
    pub unmanaged_max: u32,
}

/// The subjects that are one agent: those whose claims fit every one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectRule {
    /// The agent.
    pub agent: Name,
    /// What the token must say; at least one.
    pub claims: Vec<ClaimRule>,
}

/// An identity provider (OpenID Connect Core 1.0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The plane's client id there.
    pub client_id: String,
    /// The name the plane's client secret is sealed under; without, the plane signs (`private_key_jwt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Name>,
    /// People sign in to the plane with it.
    pub sign_in: bool,
    /// Its identity assertions (ID-JAG) are redeemed: it decides which person an agent may act for.
    pub assertions: bool,
    /// Who somebody is who comes for the first time.
    #[serde(default)]
    pub link: LinkBy,
    /// The claim that lists a person's groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// What its groups make of people here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, BTreeSet<Role>>,
}

/// How a subject of an identity provider becomes a person here, the first time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkBy {
    /// Only somebody whose row names the subject.
    #[default]
    Subject,
    /// The one person who has the same mail address, if the provider has verified it.
    Email,
}

impl Issuer {
    /// Whether it is a SPIFFE trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> Option<&str> {
        self.issuer.strip_prefix(SPIFFE)
    }
}

const SPIFFE: &str = "spiffe://";
