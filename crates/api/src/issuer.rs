//! Issuers that the plane trusts. They are declared in files; nothing here is secret.

use crate::{Span, agent::ChangeView};
use provost_domain::{Issuer, Name, issuer::SubjectRule, person::Role};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// An issuer in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuerSummary {
    /// Names it here.
    #[schema(value_type = String)]
    pub name: Name,
    /// What it is, in a sentence.
    pub description: String,
    /// `iss` of its tokens, or a SPIFFE trust domain.
    pub issuer: String,
    /// Who answers for what is found through it.
    #[schema(value_type = String)]
    pub owner: Name,
    /// What it is believed about: `workloads`, `people`.
    pub vouches_for: Vec<String>,
}

/// An issuer, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IssuerView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: IssuerSummary,
    /// Version of its row.
    pub version: u64,
    /// Where its keys come from: `from` is `discovery`, `url` or `inline`; with it `url` or `jwks`. Public keys only.
    #[schema(value_type = Object)]
    pub keys: provost_domain::issuer::KeySource,
    /// How tokens of workloads are taken; they are not, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workloads: Option<WorkloadsView>,
    /// How people come; they do not, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<ProviderView>,
    /// Agents that are registered as one of its subjects, at most 1,000.
    #[schema(value_type = Vec<String>)]
    pub agents: Vec<Name>,
    /// Who changed it, newest first.
    pub history: Vec<ChangeView>,
}

/// How tokens of workloads are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadsView {
    /// Whom the tokens must be for.
    pub audiences: BTreeSet<String>,
    /// How far ahead their end may lie.
    pub ahead_max: Span,
    /// Whether each token counts once only.
    pub single_use: bool,
    /// How many subjects that are nobody's are put on record.
    pub unmanaged_max: u32,
    /// Which subjects are which agent: `agent`, and `claims` that must all fit, each with `claim` (a JSON Pointer) and one of
    /// `equals`, `one_of` and `like`.
    #[schema(value_type = Vec<Object>)]
    pub rules: Vec<SubjectRule>,
}

/// How people come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderView {
    /// The plane's client id there.
    pub client_id: String,
    /// The name of the sealed client secret; without one, the plane signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub secret: Option<Name>,
    /// People sign in with it.
    pub sign_in: bool,
    /// Its assertions say which person an agent acts for.
    pub assertions: bool,
    /// Who somebody is who comes for the first time: `subject` or `email`.
    pub link: String,
    /// The claim that lists groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// What groups make of people.
    #[schema(value_type = std::collections::HashMap<String, Vec<String>>)]
    pub roles: BTreeMap<String, BTreeSet<Role>>,
}

impl From<&Issuer> for IssuerSummary {
    fn from(row: &Issuer) -> Self {
        let about = [("workloads", row.workloads.is_some()), ("people", row.people.is_some())].into_iter();
        Self {
            name: row.name.clone(),
            description: row.description.clone(),
            issuer: row.issuer.clone(),
            owner: row.owner.clone(),
            vouches_for: about.filter(|(_, is)| *is).map(|(what, _)| what.to_owned()).collect(),
        }
    }
}
