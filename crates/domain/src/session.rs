//! Sessions: a person who signed in, for a while, in one browser.

use crate::{Digest, DurationMs, Name, Timestamp, person::Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A person who signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// SHA-256 of the secret in the browser's cookie. Whoever reads this row cannot use it.
    pub id: Digest,
    /// Who.
    pub person: Name,
    /// What the identity provider made of the person, besides the roles in the person's own row.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<Role>,
    /// How: `issuer acme`, `passkey laptop`.
    pub by: String,
    /// The passkey it was started with: it ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<String>,
    /// When.
    pub started: Timestamp,
    /// When it was used last, within some minutes; never since it started, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// From this moment on it is no longer good.
    pub expires: Timestamp,
    /// The person signed out, or somebody ended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

impl Session {
    /// Whether it is good at `now`: not ended, not too old, and used within the last hour.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.ended && now < self.expires && now < self.last_seen().plus(IDLE_MAX)
    }

    /// When it was used last.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        self.seen.unwrap_or(self.started)
    }
}

/// A browser that was left alone for so long is signed out.
pub const IDLE_MAX: DurationMs = DurationMs::from_mins(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_its_age_by_being_left_alone_and_when_somebody_ends_it() {
        let minute = |n: u64| Timestamp::from_millis(0).plus(DurationMs::from_mins(n));
        let session = |seen: Option<u64>, ended: bool| Session {
            id: Digest::of(b"s"),
            person: "maria".parse().unwrap(),
            roles: BTreeSet::new(),
            by: "passkey laptop".into(),
            passkey: None,
            started: minute(0),
            seen: seen.map(minute),
            expires: minute(480),
            ended,
        };
        for (seen, ended, now, live) in [
            (None, false, 59, true),
            (None, false, 60, false),
            (Some(50), false, 109, true),
            (Some(50), false, 110, false),
            (Some(470), false, 479, true),
            (Some(479), false, 480, false),
            (Some(50), true, 51, false),
        ] {
            assert_eq!(session(seen, ended).is_live(minute(now)), live, "{seen:?} {ended} {now}");
        }
    }
}
