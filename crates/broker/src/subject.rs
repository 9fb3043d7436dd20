//! What the plane signs about whom it asks for.

use crate::{BrokerError, Signer, Whom};
use provost_domain::{DurationMs, Name, Timestamp, credential::CredentialSubject};
use provost_token::{Actor, OutwardClientAssertion, OutwardGrant};

/// Signs, in the plane's name, at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Pen<'a> {
    pub(crate) signer: &'a dyn Signer,
    pub(crate) issuer: &'a str,
    pub(crate) now: Timestamp,
}

/// Whom a statement is for.
pub(crate) struct Towards<'a> {
    pub(crate) audience: &'a str,
    pub(crate) lifetime: DurationMs,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) resource: Option<&'a str>,
    pub(crate) scope: Option<&'a str>,
    pub(crate) email: Option<&'a str>,
}

impl<'a> Towards<'a> {
    pub(crate) const fn new(audience: &'a str, lifetime: DurationMs) -> Self {
        Self { audience, lifetime, client_id: None, resource: None, scope: None, email: None }
    }
}

impl Pen<'_> {
    /// What the plane says of an agent, task and person.
    ///
    /// # Errors
    /// [`BrokerError::Nobody`] when it is about a person and there is none; when the task has ended.
    pub(crate) fn grant(
        &self,
        system: &Name,
        whom: &Whom,
        subject: CredentialSubject,
        towards: &Towards<'_>,
    ) -> Result<OutwardGrant, BrokerError> {
        let sub = whom.subject(subject).ok_or_else(|| BrokerError::Nobody { system: system.clone() })?;
        let ends = self.now.plus(towards.lifetime).min(whom.task.expires);
        if ends <= self.now {
            return Err(BrokerError::Over);
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(OutwardGrant {
            iss: self.issuer.to_owned(),
            aud: towards.audience.to_owned(),
            sub: sub.to_string(),
            client_id: owned(towards.client_id),
            iat: self.now.as_seconds(),
            exp: ends.as_seconds(),
            jti: hex::encode(rand::random::<[u8; 16]>()),
            act: self.actors(whom, subject),
            resource: owned(towards.resource),
            scope: owned(towards.scope),
            email: owned(towards.email),
            task: Some(whom.task.id.to_string()),
            authorization_details: None,
            cnf: None,
        })
    }

    /// Who acts for the subject, outermost first (RFC 8693 section 4.1); nobody, when an agent acts for itself.
    fn actors(&self, whom: &Whom, subject: CredentialSubject) -> Option<Actor<String>> {
        let agents: Vec<&Name> =
            std::iter::once(&whom.agent).chain(whom.above.iter().map(|(agent, _task)| agent)).collect();
        let acting = match (subject, agents.split_last()) {
            (CredentialSubject::Agent, Some((_root, acting))) => acting,
            (CredentialSubject::Person | CredentialSubject::Agent, _) => agents.as_slice(),
        };
        acting.iter().rev().fold(None, |before, agent| {
            Some(Actor {
                sub: agent.to_string(),
                iss: Some(self.issuer.to_owned()),
                act: before.map(Box::new),
            })
        })
    }

    pub(crate) fn sign(&self, system: &Name, grant: &OutwardGrant) -> Result<String, BrokerError> {
        self.signer.sign(&|key| grant.issue(key)).ok_or_else(|| no_key(system))
    }

    pub(crate) fn sign_id_jag(&self, system: &Name, grant: &OutwardGrant) -> Result<String, BrokerError> {
        self.signer.sign(&|key| grant.issue_id_jag(key)).ok_or_else(|| no_key(system))
    }

    /// The plane's proof that it is this client.
    pub(crate) fn client(
        &self,
        system: &Name,
        client_id: &str,
        audience: &str,
    ) -> Result<String, BrokerError> {
        let assertion = OutwardClientAssertion {
            iss: client_id.to_owned(),
            sub: client_id.to_owned(),
            aud: audience.to_owned(),
            iat: self.now.as_seconds(),
            exp: self.now.plus(ASSERTION_LIFETIME).as_seconds(),
            jti: hex::encode(rand::random::<[u8; 16]>()),
        };
        self.signer.sign(&|key| assertion.issue(key)).ok_or_else(|| no_key(system))
    }
}

fn no_key(system: &Name) -> BrokerError {
    BrokerError::unusable(system, "the plane has no key to sign with")
}

/// How long what is spent at once is good for.
pub(crate) const ASSERTION_LIFETIME: DurationMs = DurationMs::from_secs(60);
