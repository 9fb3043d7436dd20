//! What a person signs when they say yes: one statement, whose canonical JSON (RFC 8785) names everything the yes is given to.
//! The SHA-256 of that text is the challenge that a passkey signs, so the signature is good for this statement and no other,
//! and anybody who has the record can check it without the plane.
//!
//! ```text
//! matter (what)  +  the person's words (who, for which gates, why)  +  stamp (where, when, nonce)
//!    └────────────────────────── statement ──────────────────────────┘
//!                    SHA-256 of its canonical JSON = challenge ── signed by the passkey ──▶ Signature, kept with the vote
//! ```
//!
//! A noun that can be agreed to says what its [`Matter`] is; everything else here is the same for all of them.

use crate::{
    Approval, Digest, Envelope, Name, Proposal, Timestamp, approval::Vote, canonical::CanonicalError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What a person says yes to, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Shape of this statement; 1.
    pub v: u8,
    /// What it is about.
    #[serde(flatten)]
    pub matter: Matter,
    /// The answer. Only a yes is signed.
    pub answer: Yes,
    /// Who says it.
    pub person: Name,
    /// The gates it counts for.
    pub gates: BTreeSet<String>,
    /// For whom the person stands in, who is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Name>,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Given against the rules of who may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Where, when, and what makes it the only one.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// The thing that a yes is given to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matter {
    /// What it is.
    pub kind: MatterKind,
    /// Its id.
    pub id: String,
    /// Digest of exactly what is agreed to.
    pub digest: Digest,
    /// What else must still be so: names, revisions and digests, in words of the kind.
    pub bound: Map<String, Value>,
}

/// What can be agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatterKind {
    /// One exact action; the digest is the action's.
    Approval,
    /// Constraints instead of one action; the digest is theirs.
    Envelope,
    /// A change of the organisation that waits for people.
    Proposal,
    /// The end of a containment.
    Lift,
}

/// `yes`: a no needs no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the name says it")]
pub enum Yes {
    Yes,
}

/// Where and when a statement was made for somebody to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The plane's public address: a signature for one plane is none for another.
    pub plane: String,
    /// When.
    pub at: Timestamp,
    /// 32 hexadecimal digits nobody could know before: a signature cannot be made in advance.
    pub nonce: String,
}

/// What a passkey made of a statement, kept beside the answer. The statement itself is made again from the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Where, when, nonce.
    pub stamp: Stamp,
    /// The id of the passkey.
    pub passkey: String,
    /// Its public key: a COSE_Key, base64url. What counts is what the ledger says was registered.
    pub key: String,
    /// `authenticatorData` (Web Authentication section 6.1), base64url.
    pub authenticator_data: String,
    /// `clientDataJSON` (section 5.8.1), base64url.
    pub client_data: String,
    /// The signature over both, base64url.
    pub signature: String,
}

impl Statement {
    /// The text that is hashed: canonical JSON.
    ///
    /// # Errors
    /// Never for values that were parsed from JSON.
    pub fn text(&self) -> Result<String, CanonicalError> {
        crate::canonical::to_string(self)
    }

    /// The challenge that the passkey signs.
    ///
    /// # Errors
    /// As [`Statement::text`].
    pub fn challenge(&self) -> Result<Digest, CanonicalError> {
        Digest::of_json(self)
    }

    /// The statement that this vote's signature must be of; none, if the vote is not signed.
    #[must_use]
    pub fn of_vote(matter: Matter, vote: &Vote) -> Option<Self> {
        let signature = vote.signature.as_ref().filter(|_signed| vote.yes)?;
        Some(Self {
            v: VERSION,
            matter,
            answer: Yes::Yes,
            person: vote.person.clone(),
            gates: vote.gates.clone(),
            on_behalf_of: vote.on_behalf_of.clone(),
            reason: vote.reason.clone(),
            break_glass: vote.break_glass,
            stamp: signature.stamp.clone(),
        })
    }
}

impl Approval {
    /// What a yes to this approval is given to: the action, and what it is bound to.
    #[must_use]
    pub fn matter(&self) -> Matter {
        let mut bound = bound(&[
            ("agent", json!(self.agent)),
            ("task", json!(self.task)),
            ("tool", json!(format!("{}/{}", self.system, self.tool))),
            ("revision", json!(self.bound.revision)),
            ("pin", json!(self.bound.pin)),
            ("policies", json!(self.bound.policies)),
        ]);
        if let Some(from) = &self.edited_from {
            bound.insert("edited_from".to_owned(), json!(from));
        }
        Matter { kind: MatterKind::Approval, id: self.id.clone(), digest: self.action, bound }
    }
}

impl Envelope {
    /// What a yes to this envelope is given to: its constraints, and what they are bound to.
    ///
    /// # Errors
    /// Never for constraints that were parsed from JSON.
    pub fn matter(&self) -> Result<Matter, CanonicalError> {
        let limits = json!({
            "args": self.args, "count_max": self.count_max, "sum": self.sum,
            "lasts_ms": self.until.since(self.granted),
        });
        let bound = bound(&[
            ("agent", json!(self.agent)),
            ("task", json!(self.task)),
            ("tool", json!(format!("{}/{}", self.system, self.tool))),
            ("revision", json!(self.bound.revision)),
            ("pin", json!(self.bound.pin)),
            ("policies", json!(self.bound.policies)),
            ("limits", limits),
        ]);
        let digest = Digest::of_json(&bound)?;
        Ok(Matter { kind: MatterKind::Envelope, id: self.approval.clone(), digest, bound })
    }

    /// The statement that its signature must be of; none, if it is not signed.
    ///
    /// # Errors
    /// As [`Envelope::matter`].
    pub fn statement(&self) -> Result<Option<Statement>, CanonicalError> {
        let Some(signature) = &self.signature else { return Ok(None) };
        Ok(Some(Statement {
            v: VERSION,
            matter: self.matter()?,
            answer: Yes::Yes,
            person: self.by.clone(),
            gates: self.gates.clone(),
            on_behalf_of: None,
            reason: Some(self.why.clone()),
            break_glass: false,
            stamp: signature.stamp.clone(),
        }))
    }
}

impl Proposal {
    /// What a yes to this change is given to: exactly its rows on their versions ([`Proposal::digest`]), and in words whose
    /// change it is, which rows, and who must agree.
    ///
    /// # Errors
    /// Never for rows that were parsed from JSON.
    pub fn matter(&self) -> Result<Matter, CanonicalError> {
        let rows: Vec<String> = self.writes.iter().map(|write| write.key().to_string()).collect();
        let bound = bound(&[
            ("author", json!(self.author)),
            ("reason", json!(self.reason)),
            ("rows", json!(rows)),
            ("plan", json!(self.plan)),
            ("asks", json!(self.gates.keys().collect::<Vec<_>>())),
        ]);
        Ok(Matter { kind: MatterKind::Proposal, id: self.id.clone(), digest: self.digest()?, bound })
    }
}

impl MatterKind {
    /// The word used in statements and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Envelope => "envelope",
            Self::Proposal => "proposal",
            Self::Lift => "lift",
        }
    }
}

pub(crate) fn bound(pairs: &[(&str, Value)]) -> Map<String, Value> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// The shape of statements made today.
pub const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        Statement {
            v: VERSION,
            matter: Matter {
                kind: MatterKind::Approval,
                id: "approval_1".into(),
                digest: Digest::of(b"pay"),
                bound: bound(&[("agent", json!("clerk")), ("revision", json!(4))]),
            },
            answer: Yes::Yes,
            person: "maria".parse().unwrap(),
            gates: ["owner".to_owned()].into(),
            on_behalf_of: None,
            reason: None,
            break_glass: false,
            stamp: Stamp {
                plane: "https://provost.example".into(),
                at: Timestamp::from_millis(1),
                nonce: "00".into(),
            },
        }
    }

    #[test]
    fn a_statement_is_one_text_and_reads_back() {
        let text = statement().text().unwrap();
        assert!(
            text.starts_with(r#"{"answer":"yes","at":1,"bound":{"agent":"clerk","revision":4},"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Statement>(&text).unwrap(), statement());
        assert_eq!(statement().challenge().unwrap(), Digest::of(text.as_bytes()));
    }

    #[test]
    fn every_word_of_a_statement_changes_its_challenge() {
        type Edit = fn(&mut Statement);
        let edits: [(&str, Edit); 12] = [
            ("kind", |it| it.matter.kind = MatterKind::Envelope),
            ("id", |it| it.matter.id.push('2')),
            ("digest", |it| it.matter.digest = Digest::of(b"pay more")),
            ("bound", |it| drop(it.matter.bound.insert("revision".into(), json!(5)))),
            ("person", |it| it.person = "jonas".parse().unwrap()),
            ("gates", |it| it.gates = ["finance".to_owned()].into()),
            ("on behalf", |it| it.on_behalf_of = Some("olga".parse().unwrap())),
            ("reason", |it| it.reason = Some("because".into())),
            ("break-glass", |it| it.break_glass = true),
            ("plane", |it| it.stamp.plane.push('x')),
            ("at", |it| it.stamp.at = Timestamp::from_millis(2)),
            ("nonce", |it| it.stamp.nonce.push('1')),
        ];
        for (what, edit) in edits {
            let mut other = statement();
            edit(&mut other);
            assert_ne!(other.challenge().unwrap(), statement().challenge().unwrap(), "{what}");
        }
    }
}
