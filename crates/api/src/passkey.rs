//! Passkeys, the links to register them with, what is signed with them, and sessions.

use crate::{
    Moment, Span,
    approval::{ApprovalAnswer, ApprovalEdit, EnvelopeGrant},
};
use provost_domain::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// A passkey of a person. The plane has its public half only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyView {
    /// The credential's id, base64url.
    pub id: String,
    /// Whose.
    #[schema(value_type = String)]
    pub person: Name,
    /// What the person calls it.
    pub name: String,
    /// Whether it may be copied to the person's other devices by whoever keeps it.
    pub synced: bool,
    /// Since when.
    pub added: Moment,
    /// When it signed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Moment>,
    /// It counted backwards, so there may be a copy: it is not taken any more.
    pub doubted: bool,
}

/// What the browser is asked to make (Web Authentication section 5.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyCreation {
    /// The host it is for.
    pub party: String,
    /// The only origin it can be made on.
    pub origin: String,
    /// `user.id`, base64url.
    pub user: String,
    /// The person.
    #[schema(value_type = String)]
    pub person: Name,
    /// How the person is written.
    pub display: String,
    /// The challenge, base64url.
    pub challenge: String,
    /// COSE algorithms, most wanted first.
    pub algorithms: Vec<i64>,
    /// Passkeys the person has already, base64url.
    pub exclude: Vec<String>,
    /// To be sent back with the answer; good for some minutes.
    pub ticket: String,
}

/// A new passkey, as the browser made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyAdd {
    /// Of [`PasskeyCreation`].
    pub ticket: String,
    /// What the person calls it.
    pub name: String,
    /// `rawId`, base64url.
    pub id: String,
    /// `clientDataJSON`, base64url.
    pub client_data: String,
    /// `attestationObject`, base64url.
    pub attestation: String,
}

/// Another name for a passkey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyRename {
    /// The name.
    pub name: String,
    /// Why, for the record.
    pub reason: String,
}

/// A passkey is to be the person's no more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyRemove {
    /// Why, for the record.
    pub reason: String,
    /// Also if the person cannot sign in any more then: for a device that was stolen. Administrators only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub even_if_last: bool,
}

/// A link is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteMake {
    /// For how long it is good; a day, if absent, and at most a week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
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

/// A link with which one person registers one passkey, once. Shown here and kept nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InviteView {
    /// The link. Whoever opens it first is that person from then on.
    pub url: String,
    /// For whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// From then on it is no longer good.
    pub expires: Moment,
    /// The person can sign in already: the link is good once those who must have agreed to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Box<crate::proposal::ProposalView>>,
}

/// A link in a debug print would be a link in a log.
impl std::fmt::Debug for InviteView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InviteView").field("person", &self.person).finish_non_exhaustive()
    }
}

/// What the page of a link sends: the secret after `#`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteOpen {
    /// The secret.
    pub secret: String,
}

/// Whom a link is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteSeen {
    /// The person; nobody yet, if the first administrator is to say their name.
    pub person: Option<Name>,
    /// How the person is written.
    pub display: Option<String>,
    /// From then on it is no longer good.
    pub expires: Moment,
}

/// A passkey is wanted with a link.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteBegin {
    /// The secret.
    pub secret: String,
    /// The first administrator's name.
    #[serde(default)]
    pub person: Option<Name>,
    /// How the first administrator is written.
    #[serde(default)]
    pub display: Option<String>,
}

/// A passkey was made with a link.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteFinish {
    /// The secret.
    pub secret: String,
    /// The passkey.
    pub passkey: PasskeyAdd,
}

/// What a passkey signed, as the browser gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// Of what was asked.
    pub ticket: String,
    /// The credential's id, base64url.
    pub passkey: String,
    /// `clientDataJSON`, base64url.
    pub client_data: String,
    /// `authenticatorData`, base64url.
    pub authenticator_data: String,
    /// `signature`, base64url.
    pub signature: String,
    /// `userHandle`, base64url, if the browser gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A challenge for a sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInAsk {
    /// The host.
    pub party: String,
    /// The only origin it works on.
    pub origin: String,
    /// The challenge, base64url.
    pub challenge: String,
    /// To be sent back.
    pub ticket: String,
}

/// The answer that somebody is about to give; exactly one of the three, as it will be sent, without `signed`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementAsk {
    /// A yes to the action as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<ApprovalAnswer>,
    /// A yes to other arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<ApprovalEdit>,
    /// A yes to constraints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<EnvelopeGrant>,
}

/// What a person is asked to sign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatementView {
    /// The statement.
    #[schema(value_type = Object)]
    pub statement: Map<String, Value>,
    /// The same as canonical JSON (RFC 8785): what is hashed.
    pub text: String,
    /// SHA-256 of that text, base64url: the challenge.
    pub challenge: String,
    /// The host the passkey must be for.
    pub party: String,
    /// The only origin it works on.
    pub origin: String,
    /// The person's passkeys, base64url.
    pub passkeys: Vec<String>,
    /// To be sent back with the signature.
    pub ticket: String,
    /// From then on the signature comes too late.
    pub expires: Moment,
}

/// Whose sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// Of this person; one's own, if absent and the one who asks signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; the limit `page_size_max` if absent or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A person who is signed in, in one browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Names it; opens nothing.
    pub id: String,
    /// Who.
    #[schema(value_type = String)]
    pub person: Name,
    /// How they showed who they are.
    pub by: String,
    /// Roles the identity provider gave them for this session.
    pub roles: Vec<String>,
    /// Since when.
    pub started: Moment,
    /// When it was used last, within some minutes.
    pub seen: Moment,
    /// From then on it is no longer good.
    pub expires: Moment,
}
