//! What the second person signs who starts an order at `off` again: the order, whose asking it answers, and why.

use super::{Containment, ContainmentStatus, Who};
use crate::{
    Digest, Statement,
    canonical::CanonicalError,
    statement::{Matter, MatterKind, VERSION, Yes, bound},
};
use serde_json::json;

impl Containment {
    /// What a yes to the end of this order is given to, after `asked` asked for it: whom it stopped, how far, who ordered it
    /// when and why.
    ///
    /// # Errors
    /// Never for an order that was parsed from JSON.
    pub fn lift_matter(&self, asked: &Who) -> Result<Matter, CanonicalError> {
        let bound = bound(&[
            ("scope", json!(self.scope)),
            ("level", json!(self.level)),
            ("why", json!(self.reason)),
            ("ordered_by", json!(self.by)),
            ("ordered", json!(self.at)),
            ("asked_by", json!(asked)),
        ]);
        // Under its id: no two orders share a digest, however alike they are.
        let digest = Digest::of_json(&(&self.id, &bound))?;
        Ok(Matter { kind: MatterKind::Lift, id: self.id.clone(), digest, bound })
    }

    /// The statement that the signature under its end must be of; none, if that is not signed.
    ///
    /// # Errors
    /// As [`Containment::lift_matter`].
    pub fn lift_statement(&self) -> Result<Option<Statement>, CanonicalError> {
        let ContainmentStatus::Lifted { by, reason, asked: Some(asked), signature: Some(signature), .. } =
            &self.status
        else {
            return Ok(None);
        };
        let Some(person) = by.person.clone() else { return Ok(None) };
        Ok(Some(Statement {
            v: VERSION,
            matter: self.lift_matter(asked)?,
            answer: Yes::Yes,
            person,
            gates: [SECOND_PERSON.to_owned()].into(),
            on_behalf_of: None,
            reason: Some(reason.clone()),
            break_glass: false,
            stamp: signature.stamp.clone(),
        }))
    }
}

/// What the yes counts for.
const SECOND_PERSON: &str = "second person";
