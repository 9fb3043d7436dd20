//! Seeded checks: now and then the plane asks for something that must be refused, to see whether people still read.
//!
//! Every approval has a `mark`. Of a call that an agent made it is random; of a check it is the digest of a secret, made from the
//! plane's sealing key and the approval's id, and of what is wrong with it. Who has not the key cannot tell the two apart.
//! Once it was answered, or missed, the secret is written into the row: everybody can see then that the mark, which was on record
//! when it was asked for, says the same. So no check stays unknown, and no real request can be called one afterwards.

use crate::Digest;
use serde::{Deserialize, Serialize};

/// A check, revealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was wrong with it.
    pub flaw: Flaw,
    /// Opens the mark: 64 hexadecimal digits.
    pub secret: String,
    /// What became of it.
    pub outcome: CheckOutcome,
}

/// What is wrong with a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// Much more money than usual, to somebody who was never paid before.
    Payment,
    /// A path that leaves the folder.
    Path,
    /// A recipient outside the organisation.
    Recipient,
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOutcome {
    /// Somebody said no, as one should.
    Refused,
    /// Somebody said yes.
    Approved,
    /// Nobody said anything that counts.
    Unanswered,
}

impl Check {
    /// Whether it is what the mark said when it was asked for.
    #[must_use]
    pub fn opens(&self, mark: &Digest) -> bool {
        check_mark(&self.secret, self.flaw) == *mark
    }
}

impl Flaw {
    /// Every flaw.
    pub const ALL: [Self; 3] = [Self::Payment, Self::Path, Self::Recipient];

    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Path => "path",
            Self::Recipient => "recipient",
        }
    }

    /// What a careful person would have seen.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Payment => {
                "much more than this agent ever asked to pay, to somebody it never asked to pay before"
            }
            Self::Path => "a path that leaves the folder the agent works in",
            Self::Recipient => {
                "a recipient outside the organisation, with an address that looks like one of yours"
            }
        }
    }
}

impl CheckOutcome {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Approved => "approved",
            Self::Unanswered => "unanswered",
        }
    }
}

/// The mark of a check with this secret and this flaw.
#[must_use]
pub fn check_mark(secret: &str, flaw: Flaw) -> Digest {
    Digest::of(format!("provost-check\n{secret}\n{}", flaw.as_str()).as_bytes())
}

/// What the secret of a check is made from: the id of the approval, without the number of how often it was asked for.
#[must_use]
pub fn check_base(approval: &str) -> &str {
    let digits = approval.strip_prefix(APPROVAL).unwrap_or(approval);
    let ends = digits.find('_').and_then(|place| digits.get(..place)).unwrap_or(digits);
    approval.get(..approval.len().saturating_sub(digits.len()).saturating_add(ends.len())).unwrap_or(approval)
}

const APPROVAL: &str = "approval_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_opens_with_its_secret_and_its_flaw_only() {
        let check = |flaw: Flaw, secret: &str| Check {
            flaw,
            secret: secret.to_owned(),
            outcome: CheckOutcome::Refused,
        };
        let mark = check_mark("aa", Flaw::Path);
        assert!(check(Flaw::Path, "aa").opens(&mark));
        for other in [check(Flaw::Path, "ab"), check(Flaw::Payment, "aa"), check(Flaw::Recipient, "aa")] {
            assert!(!other.opens(&mark), "{other:?}");
        }
    }

    #[test]
    fn however_often_an_action_was_asked_for_its_base_is_one() {
        for (id, base) in [
            ("approval_3f", "approval_3f"),
            ("approval_3f_2", "approval_3f"),
            ("approval_", "approval_"),
            ("strange", "strange"),
        ] {
            assert_eq!(check_base(id), base);
        }
    }
}
