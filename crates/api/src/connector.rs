//! Connectors: clients that say who comes, who leaves and who is in which group (SCIM 2.0). They are declared in files.

use crate::{Moment, Span, agent::ChangeView};
use provost_domain::{Name, person::Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::{IntoParams, ToSchema};

/// A connector in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectorSummary {
    /// Names it here.
    #[schema(value_type = String)]
    pub name: Name,
    /// What it is, in a sentence.
    pub description: String,
    /// Who answers for it.
    #[schema(value_type = String)]
    pub owner: Name,
    /// False once its word counts for nothing.
    pub active: bool,
    /// Whether it has a token that is good now.
    pub has_token: bool,
    /// How many people it governs.
    pub people: usize,
    /// How many groups.
    pub groups: usize,
    /// When it last said something new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Moment>,
    /// When it last asked this node something, since this node started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Moment>,
}

/// A connector, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConnectorView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: ConnectorSummary,
    /// Version of its row.
    pub version: u64,
    /// The address for the identity provider's settings.
    pub url: String,
    /// Where its people sign in, and which attribute is their subject there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logins: Option<LoginsFromView>,
    /// What its groups give, whether there is such a group or not.
    pub gives: Vec<GivesView>,
    /// Its tokens: since when, until when. The tokens themselves are kept nowhere.
    pub tokens: Vec<ConnectorTokenView>,
    /// Its groups, at most 500.
    pub rosters: Vec<RosterView>,
    /// What this node last refused it, newest first.
    pub troubles: Vec<TroubleView>,
    /// Who changed it, newest first.
    pub history: Vec<ChangeView>,
}

/// Whose subjects a connector's people are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginsFromView {
    /// The identity provider.
    #[schema(value_type = String)]
    pub issuer: Name,
    /// `external-id` or `user-name`.
    pub subject: String,
}

/// What being in a group gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GivesView {
    /// The name the group is shown under.
    pub display: String,
    /// Roles.
    #[schema(value_type = Vec<String>)]
    pub roles: BTreeSet<Role>,
    /// Membership of this group of the organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub group: Option<Name>,
}

/// A token of a connector, without itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectorTokenView {
    /// Since when.
    pub issued: Moment,
    /// Until, not including, when.
    pub expires: Moment,
}

/// A group of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RosterView {
    /// Names it for ever.
    pub id: String,
    /// The name it is shown under.
    pub display: String,
    /// How many are in it.
    pub members: usize,
    /// Whether it gives anything.
    pub gives: bool,
}

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TroubleView {
    /// When.
    pub at: Moment,
    /// What was asked: method and path.
    pub what: String,
    /// The status it was answered with.
    pub status: u16,
    /// Why.
    pub why: String,
}

/// A new token for a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectorIssue {
    /// For how long it is good, `180d` unless said, at most `366d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// For how long the one before is still good, at most `7d`; not at all, unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Span>,
    /// Why, for the record.
    pub reason: String,
}

/// A token of a connector, shown here and kept nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectorIssued {
    /// Whose.
    #[schema(value_type = String)]
    pub connector: Name,
    /// The bearer token.
    pub token: String,
    /// The address it is for.
    pub url: String,
    /// Until when it is good.
    pub expires: Moment,
}

/// A token in a debug print would be a token in a log.
impl std::fmt::Debug for ConnectorIssued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectorIssued").field("connector", &self.connector).finish_non_exhaustive()
    }
}

/// A person who is here already and is to be a connector's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectorLink {
    /// Who.
    #[schema(value_type = String)]
    pub person: Name,
    /// `userName`, as the connector writes it.
    pub user_name: String,
    /// `externalId`, if the connector has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Why, for the record.
    pub reason: String,
}

/// Why something is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConnectorReason {
    /// Why, for the record.
    pub reason: String,
}
