//! What to remember so that a thing made for one use is used once.

use provost_domain::{Digest, Timestamp};

/// One use of a JWT. Whoever keeps the table records [`Replay::key`] until `until` and refuses a key it already has; the
/// check and the write are one step, and they happen before anything is issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// What kind of thing it is; keys of different kinds never collide.
    pub kind: ReplayKind,
    /// Who made it: client id, issuer, or thumbprint of the proof's key.
    pub issuer: String,
    /// Its `jti`.
    pub jti: String,
    /// From this moment on it is refused for its age, and need not be remembered.
    pub until: Timestamp,
}

/// Kinds of things that are used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplayKind {
    /// A client's `private_key_jwt` (RFC 7523 section 3, point 7).
    ClientAssertion,
    /// A federated workload's token, where its issuer is said to make one for each use.
    Federated,
    /// An ID-JAG; the MCP profile makes this mandatory.
    IdJag,
    /// A DPoP proof (RFC 9449 section 11.1).
    Dpop,
    /// An authorization code (RFC 6749 section 4.1.2).
    Code,
}

impl Replay {
    /// A fixed-size key for the table: SHA-256 over kind, issuer and jti, each with its length, so that no two differ only
    /// in where one ends and the next begins.
    #[must_use]
    pub fn key(&self) -> Digest {
        let kind = match self.kind {
            ReplayKind::ClientAssertion => "client-assertion",
            ReplayKind::Federated => "federated",
            ReplayKind::IdJag => "id-jag",
            ReplayKind::Dpop => "dpop",
            ReplayKind::Code => "code",
        };
        let text = format!("{kind}:{}:{}{}", self.issuer.len(), self.issuer, self.jti);
        Digest::of(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_in_kind_issuer_and_jti_and_not_in_time() {
        let replay = |kind, issuer: &str, jti: &str, at| Replay {
            kind,
            issuer: issuer.into(),
            jti: jti.into(),
            until: Timestamp::from_millis(at),
        };
        let base = replay(ReplayKind::Dpop, "ab", "c", 1);
        assert_eq!(base.key(), replay(ReplayKind::Dpop, "ab", "c", 2).key());
        for other in [
            replay(ReplayKind::IdJag, "ab", "c", 1),
            replay(ReplayKind::Dpop, "a", "bc", 1),
            replay(ReplayKind::Dpop, "ab", "d", 1),
        ] {
            assert_ne!(base.key(), other.key());
        }
    }
}
