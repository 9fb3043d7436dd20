//! Channels: the ways by which the plane reaches people outside of its console. Declared in files; what is secret about one
//! (an address that whoever knows it may post to, a signing secret, a password) is sealed, and only named here.

use crate::{Name, finding::Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One way to reach people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Names it.
    pub name: Name,
    /// Who reads there, in a sentence.
    pub description: String,
    /// How.
    pub way: Way,
    /// It hears what concerns these people. By mail: only these are written to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub people: BTreeSet<Name>,
    /// It hears what one of these groups has to agree to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<Name>,
    /// It hears only what no other channel does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fallback: bool,
    /// What it hears of; everything, if empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub events: BTreeSet<Event>,
    /// Whether the arguments of a call are in the message.
    pub details: bool,
    /// It hears of findings that are as bad as this, or worse.
    #[serde(default = "high", skip_serializing_if = "is_high")]
    pub severity: Severity,
}

const fn high() -> Severity {
    Severity::High
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference in")]
fn is_high(severity: &Severity) -> bool {
    *severity == Severity::High
}

/// How a channel carries a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Way {
    /// A signed request (Standard Webhooks).
    Webhook {
        /// Where to.
        url: String,
        /// The names that the signing secrets are sealed under; each signs, so that a receiver can be moved from one to the next.
        secrets: Vec<Name>,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// The name its address is sealed under: whoever knows the address may post there.
        address: Name,
    },
    /// An incoming webhook of Microsoft Teams (a workflow).
    Teams {
        /// The name its address is sealed under.
        address: Name,
    },
    /// Mail, to the address in a person's row.
    Email {
        /// The SMTP server.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        tls: MailTls,
        /// Whom the mail is from.
        from: String,
        /// As whom the plane signs in there, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// The name that user's password is sealed under.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<Name>,
    },
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    /// From its first byte (RFC 8314 section 3).
    Implicit,
    /// After STARTTLS, and not at all without it (RFC 3207).
    Starttls,
    /// Not: to this machine only.
    None,
}

/// What people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// An action waits for somebody's yes.
    Asked,
    /// Nobody answered, and somebody else may now.
    Escalated,
    /// What somebody was asked for is answered, or needs no answer any more.
    Decided,
    /// A change of a charter or of the organisation waits for somebody's yes.
    Charter,
    /// Something was found that a person should know.
    Finding,
    /// An administrator answered against the rules of who may.
    BreakGlass,
    /// Somebody, or a rule, contained something, or lifted that.
    Containment,
    /// Somebody tries a channel.
    Test,
}

impl Event {
    /// Those that a channel can choose.
    pub const ALL: [Self; 7] = [
        Self::Asked,
        Self::Escalated,
        Self::Decided,
        Self::Charter,
        Self::Finding,
        Self::BreakGlass,
        Self::Containment,
    ];

    /// The word used in files and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Escalated => "escalated",
            Self::Decided => "decided",
            Self::Charter => "charter",
            Self::Finding => "finding",
            Self::BreakGlass => "break-glass",
            Self::Containment => "containment",
            Self::Test => "test",
        }
    }
}

impl Way {
    /// The word used in files.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Teams { .. } => "teams",
            Self::Email { .. } => "email",
        }
    }

    /// The names that something must be sealed under, before it carries anything.
    #[must_use]
    pub fn sealed_names(&self) -> Vec<&Name> {
        match self {
            Self::Webhook { secrets, .. } => secrets.iter().collect(),
            Self::Slack { address } | Self::Teams { address } => vec![address],
            Self::Email { password, .. } => password.iter().collect(),
        }
    }

    /// Where it leads, as far as that is no secret.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Webhook { url, .. } => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
            Self::Slack { address } | Self::Teams { address } => format!("the address sealed as {address}"),
            Self::Email { host, port, .. } => format!("{host}:{port}"),
        }
    }
}

impl Channel {
    /// Whether it hears of such things.
    #[must_use]
    pub fn hears(&self, event: Event) -> bool {
        self.events.is_empty() || event == Event::Test || self.events.contains(&event)
    }

    /// Whether it is for somebody in particular.
    #[must_use]
    pub fn is_for_some(&self) -> bool {
        !self.people.is_empty() || !self.groups.is_empty()
    }
}
