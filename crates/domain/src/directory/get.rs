//! A row by its key, whole, as it was put in.

use super::Directory;
use crate::{Digest, Kind, Name, Object, ObjectKey, TaskId};

impl Directory {
    /// The row under this key.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<Object> {
        let name = || key.key.parse::<Name>().ok();
        match key.kind {
            Kind::Organisation => self.settings.as_deref().cloned().map(Object::Organisation),
            Kind::Person => self.people.get(&name()?).map(|row| Object::Person(row.as_ref().clone())),
            Kind::Workload => self.workloads.get(&name()?).map(|row| Object::Workload(row.as_ref().clone())),
            Kind::Agent => self.agents.get(&name()?).map(|row| Object::Agent(row.as_ref().clone())),
            Kind::System => self.systems.get(&name()?).map(|row| Object::System(row.as_ref().clone())),
            Kind::Policy => self.policies.get(&name()?).map(|row| Object::Policy(row.as_ref().clone())),
            Kind::Application => {
                self.applications.get(&name()?).map(|row| Object::Application(row.as_ref().clone()))
            }
            Kind::Tool => {
                self.tools.get(&key.tool_parts().ok()?).map(|row| Object::Tool(row.as_ref().clone()))
            }
            Kind::Task => {
                self.tasks.get(&key.key.parse::<TaskId>().ok()?).map(|row| Object::Task(row.as_ref().clone()))
            }
            Kind::Issuer => self.issuers.get(&name()?).map(|row| Object::Issuer(row.as_ref().clone())),
            Kind::Session => {
                let id: Digest = key.key.parse().ok()?;
                self.sessions.get(&id).map(|row| Object::Session(row.as_ref().clone()))
            }
            Kind::Account => {
                let parts = key.account_parts().ok()?;
                self.accounts.get(&parts).map(|row| Object::Account(row.as_ref().clone()))
            }
            Kind::Minted => self.minted.get(&key.key).map(|row| Object::Minted(row.as_ref().clone())),
            Kind::Proposal => {
                self.proposals.get(&key.key).map(|row| Object::Proposal(Box::new(row.as_ref().clone())))
            }
            Kind::Approval => {
                self.approvals.get(&key.key).map(|row| Object::Approval(Box::new(row.as_ref().clone())))
            }
            Kind::Envelope => {
                let parts = key.envelope_parts().ok()?;
                self.envelopes.get(&parts).map(|row| Object::Envelope(Box::new(row.as_ref().clone())))
            }
            Kind::Passkey => {
                let parts = key.passkey_parts().ok()?;
                self.passkeys.get(&parts).map(|row| Object::Passkey(Box::new(row.as_ref().clone())))
            }
            Kind::Invite => {
                let id: Digest = key.key.parse().ok()?;
                self.invites.get(&id).map(|row| Object::Invite(row.as_ref().clone()))
            }
            Kind::Finding => {
                self.findings.get(&key.key).map(|row| Object::Finding(Box::new(row.as_ref().clone())))
            }
            Kind::Channel => self.channels.get(&name()?).map(|row| Object::Channel(row.as_ref().clone())),
            Kind::Delivery => {
                self.deliveries.get(&key.key).map(|row| Object::Delivery(Box::new(row.as_ref().clone())))
            }
            Kind::Containment => {
                let row = self.containments.get(&key.key)?;
                Some(Object::Containment(Box::new(row.as_ref().clone())))
            }
            Kind::Drill => self.drills.get(&key.key).map(|row| Object::Drill(Box::new(row.as_ref().clone()))),
            Kind::Stream => self.streams.get(&key.key).map(|row| Object::Stream(row.as_ref().clone())),
            Kind::Review => {
                self.reviews.get(&key.key).map(|row| Object::Review(Box::new(row.as_ref().clone())))
            }
            Kind::Connector => self.connector_object(&name()?),
            Kind::Roster => self.rosters.get(&key.key).map(|row| Object::Roster(row.as_ref().clone())),
            Kind::Baseline => {
                self.baselines.get(&key.key).map(|row| Object::Baseline(Box::new(row.as_ref().clone())))
            }
        }
    }
}
