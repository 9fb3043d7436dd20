//! Channels: the ways by which the plane reaches people. They are declared in files; nothing here is secret.

use provost_domain::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelView {
    /// Names it.
    #[schema(value_type = String)]
    pub name: Name,
    /// Who reads there, in a sentence.
    pub description: String,
    /// `webhook`, `slack`, `teams` or `email`.
    pub kind: String,
    /// Where it leads, as far as that is no secret.
    pub place: String,
    /// It hears what concerns these people; by mail, only these are written to.
    #[schema(value_type = Vec<String>)]
    pub people: Vec<Name>,
    /// It hears what one of these groups has to agree to.
    #[schema(value_type = Vec<String>)]
    pub groups: Vec<Name>,
    /// It hears only what no other channel does.
    pub fallback: bool,
    /// What it hears of: `asked`, `escalated`, `decided`, `charter`, `finding`, `break-glass`, `containment`.
    pub events: Vec<String>,
    /// Whether the arguments of a call are in its messages.
    pub details: bool,
    /// What has to be sealed for it, and whether it is.
    pub secrets: Vec<ChannelSecret>,
    /// Messages that are due on it.
    pub due: usize,
}

/// Something sealed for a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelSecret {
    /// The name it is sealed under.
    #[schema(value_type = String)]
    pub name: Name,
    /// Whether it is.
    pub set: bool,
}

/// What a channel is tried with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelTest {
    /// Who gets the mail, where the channel writes mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why it is tried, for the record.
    pub reason: String,
}
