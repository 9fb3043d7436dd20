//! Marks of checks: which approvals are the plane's own questions, known to whoever has the sealing key and to nobody else.

use crate::seal::{SealError, SealingKey};
use aws_lc_rs::hmac;
use provost_domain::{
    Approval, Digest,
    check::{Flaw, check_base, check_mark},
};
use std::fmt;

/// Makes marks and knows them again. All nodes of a plane make the same, without asking the store.
#[derive(Clone)]
pub struct Marks {
    key: hmac::Key,
}

impl Marks {
    /// From the plane's sealing key, from which it tells nothing.
    ///
    /// # Errors
    /// Never in practice: see [`SealingKey::derive`].
    pub fn of(sealing: &SealingKey) -> Result<Self, SealError> {
        let bytes = sealing.derive(PURPOSE)?;
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()) })
    }

    /// The mark of a check of this action.
    #[must_use]
    pub fn mark(&self, action: &Digest, flaw: Flaw) -> Digest {
        check_mark(&self.secret(&provost_domain::approval::approval_id(action, 0)), flaw)
    }

    /// What is wrong with an approval that is a check, and what opens its mark; `None` of every other.
    #[must_use]
    pub fn known(&self, approval: &Approval) -> Option<(Flaw, String)> {
        self.read(&approval.id, approval.mark.as_ref())
    }

    /// As [`Marks::known`], by the id of an approval and the mark that something made of it carries.
    #[must_use]
    pub fn read(&self, approval: &str, mark: Option<&Digest>) -> Option<(Flaw, String)> {
        let mark = mark?;
        let secret = self.secret(check_base(approval));
        Flaw::ALL.into_iter().find(|flaw| check_mark(&secret, *flaw) == *mark).map(|flaw| (flaw, secret))
    }

    /// A number that nobody without the key foresees, and every node reckons the same.
    #[must_use]
    pub fn chance(&self, of: &str) -> u64 {
        let tag = hmac::sign(&self.key, format!("chance {of}").as_bytes());
        let bytes = tag.as_ref().iter().take(8);
        bytes.fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }

    fn secret(&self, base: &str) -> String {
        hex::encode(hmac::sign(&self.key, format!("secret {base}").as_bytes()).as_ref())
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marks(***)")
    }
}

const PURPOSE: &[u8] = b"provost marks of checks";

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(byte: u8) -> Marks {
        Marks::of(&SealingKey::from_bytes(&[byte; 32]).unwrap()).unwrap()
    }

    #[test]
    fn a_mark_is_known_with_the_key_and_to_its_approval_only() {
        let (ours, others) = (marks(1), marks(2));
        let action = Digest::of(b"pay");
        let id = provost_domain::approval::approval_id(&action, 3);
        for flaw in Flaw::ALL {
            let mark = ours.mark(&action, flaw);
            let (found, secret) = ours.read(&id, Some(&mark)).unwrap();
            assert_eq!(found, flaw);
            assert_eq!(check_mark(&secret, flaw), mark, "what is revealed opens it");
            assert!(others.read(&id, Some(&mark)).is_none(), "another plane");
            assert!(ours.read("approval_0000", Some(&mark)).is_none(), "another approval");
            assert_eq!(marks(1).mark(&action, flaw), mark, "another node of this plane");
        }
        assert!(ours.read(&id, None).is_none() && ours.read(&id, Some(&Digest::of(b"random"))).is_none());
        assert!(!format!("{ours:?}").contains("01"));
    }

    #[test]
    fn chance_is_the_same_for_the_same_and_spread_for_others() {
        let ours = marks(1);
        assert_eq!(ours.chance("a"), marks(1).chance("a"));
        assert_ne!(ours.chance("a"), marks(2).chance("a"));
        let even = (0..1_000).filter(|n| ours.chance(&n.to_string()).is_multiple_of(2)).count();
        assert!((400..600).contains(&even), "{even}");
    }
}
