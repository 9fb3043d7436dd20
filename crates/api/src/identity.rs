//! People and workloads.

use crate::Moment;
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonView {
    /// The name.
    #[schema(value_type = String)]
    pub name: Name,
    /// How the person is written to people.
    pub display: String,
    /// Where the person is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Who stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub manager: Option<Name>,
    /// False once the person has left.
    pub active: bool,
    /// What the person may do here, besides what owning agents allows: `viewer`, `approver`, `operator`, `administrator`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Who the person is to identity providers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logins: Vec<LoginView>,
    /// Who answers for the person while they are away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<AwayView>,
    /// The connector that says whether they are here and in which groups, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub connector: Option<Name>,
    /// The agents owned, at most 1,000; empty in a listing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub owns: Vec<Name>,
}

/// Somebody is away, and somebody else answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AwayView {
    /// Who stands in.
    #[schema(value_type = String)]
    pub to: Name,
    /// Until when.
    pub until: Moment,
}

/// A subject of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginView {
    /// The provider.
    #[schema(value_type = String)]
    pub issuer: Name,
    /// `sub`, exactly as the provider writes it.
    pub subject: String,
    /// Since when.
    pub added: Moment,
}

/// A subject of an identity provider that is to be a person's, or is to be so no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LoginChange {
    /// The provider.
    #[schema(value_type = String)]
    #[param(value_type = String)]
    pub issuer: Name,
    /// `sub`, exactly as the provider writes it.
    pub subject: String,
    /// Why, for the record.
    pub reason: String,
}

/// A subject of a provider that is to be somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginLink {
    /// The provider.
    #[schema(value_type = String)]
    pub issuer: Name,
    /// `sub`, exactly as the provider writes it.
    pub subject: String,
    /// Why, for the record.
    pub reason: String,
    /// Whose change it is, where the local administrator passes it on; whoever signed in, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Without those who must agree that somebody who can sign in already may in another way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// A workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadView {
    /// The name.
    #[schema(value_type = String)]
    pub name: Name,
    /// What it is for.
    pub purpose: String,
    /// The accountable person.
    #[schema(value_type = String)]
    pub owner: Name,
    /// The applications it may ask decisions for.
    #[schema(value_type = Vec<String>)]
    pub applications: Vec<Name>,
    /// False once it may no longer ask.
    pub active: bool,
    /// Whether it has a token.
    pub has_token: bool,
}

/// A token of a workload, shown here and kept nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadToken {
    /// Whose.
    #[schema(value_type = String)]
    pub workload: Name,
    /// The bearer token. The one before works no more.
    pub token: String,
}

/// A token in a debug print would be a token in a log.
impl std::fmt::Debug for WorkloadToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkloadToken").field("workload", &self.workload).finish_non_exhaustive()
    }
}
