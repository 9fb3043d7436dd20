//! What is said, before it is put into the format of a channel.

use provost_domain::{Timestamp, channel::Event};
use serde::{Deserialize, Serialize};

/// One thing people are told. Every text in it is plain: whoever wrote it, it was cleaned and cut ([`crate::text::clean`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Of what kind it is.
    pub event: Event,
    /// When it happened.
    pub at: Timestamp,
    /// The whole in one line.
    pub title: String,
    /// A sentence or two.
    pub text: String,
    /// What belongs to it, in order.
    pub facts: Vec<Fact>,
    /// The page about it. Opening it shows; it never decides, and wants the person to sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What it is about: `approval approval_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Where that stands: `waiting`, `granted`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// It.
    pub text: String,
}

impl Fact {
    /// A line.
    #[must_use]
    pub fn new(label: &str, text: impl Into<String>) -> Self {
        Self { label: label.to_owned(), text: text.into() }
    }
}

/// What stands under the link.
pub(crate) const LINK_WORDS: &str = "Look at it in Provost";
/// Said beside the link, where there is room.
pub(crate) const LINK_NOTE: &str = "Opening the page decides nothing; you sign in there first.";
