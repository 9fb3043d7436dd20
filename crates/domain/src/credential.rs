//! Where the credential comes from that a system is shown, and how long it outlives the order to take it back.

use crate::{DurationMs, Name, System};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where a credential comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CredentialSource {
    /// The sealed secret itself.
    #[default]
    Sealed,
    /// An access token of the plane's own at the system's authorization server (RFC 6749 section 4.4).
    ClientCredentials(TokenSource),
    /// An access token in exchange for a token the plane signs (RFC 8693).
    TokenExchange {
        /// Where, and what for.
        #[serde(flatten)]
        token: TokenSource,
        /// Whose authority it carries.
        subject: CredentialSubject,
    },
    /// An access token for the person behind the task, for whom the plane vouches as identity provider
    /// (draft-ietf-oauth-identity-assertion-authz-grant).
    IdJag(TokenSource),
    /// A token the plane signs for this one system.
    Signed {
        /// `aud`: how the system calls itself.
        audience: String,
        /// How long it is good for; at most five minutes.
        lifetime: DurationMs,
        /// Whose authority it carries.
        subject: CredentialSubject,
    },
    /// The account that the person behind the task connected.
    Account(TokenSource),
    /// A role made in PostgreSQL for one task. What is sealed is an administrator's connection URL; the agent's process
    /// gets one of its own.
    PostgresRole {
        /// The roles it is a member of; it may do what they may.
        member_of: BTreeSet<String>,
        /// `VALID UNTIL` lies at most so far ahead, and is moved on while the task runs.
        lifetime: DurationMs,
    },
    /// Credentials of AWS for a role (STS `AssumeRoleWithWebIdentity`).
    AwsRole {
        /// The role, `arn:aws:iam::123456789012:role/name`.
        role: String,
        /// `aud` of the web identity token, as the identity provider is registered at AWS.
        audience: String,
        /// The address of STS, `https://sts.eu-central-1.amazonaws.com`.
        endpoint: String,
        /// How long they are good for; AWS knows no less than 15 minutes.
        lifetime: DurationMs,
    },
}

/// An access token that an authorization server gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenSource {
    /// Who gives it.
    pub server: AuthorizationServer,
    /// The scopes asked for, with spaces between; the server's default, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The resource asked for (RFC 8707).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The audience asked for (RFC 8693 section 2.1); exchange only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// One that is good for longer is not taken; neither is one that does not say, unless the plane can revoke it.
    pub lifetime_max: DurationMs,
}

/// A system's authorization server, and what the plane is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationServer {
    /// Its issuer identifier (RFC 8414 section 2).
    pub issuer: String,
    /// Where tokens are asked for.
    pub token_endpoint: String,
    /// Where people agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where tokens are taken back (RFC 7009).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// The plane's client id there.
    pub client_id: String,
    /// How the plane proves to be that client.
    #[serde(default)]
    pub authentication: ClientAuthentication,
}

/// How the plane proves to be a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// An assertion signed with the plane's own key (RFC 7523 section 2.2); nothing is sealed.
    #[default]
    PrivateKeyJwt,
    /// The sealed client secret, in the `Authorization` header (RFC 6749 section 2.3.1).
    ClientSecretBasic,
    /// The sealed client secret, in the form.
    ClientSecretPost,
    /// Not at all: a public client.
    None,
}

/// Whose authority a token carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialSubject {
    /// The agent's, or that of the agent it works for.
    #[default]
    Agent,
    /// That of the person the task acts for; other tasks get nothing.
    Person,
}

impl CredentialSource {
    /// Whether it is the sealed secret itself.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        *self == Self::Sealed
    }

    /// The word used in files.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::ClientCredentials(_) => "client-credentials",
            Self::TokenExchange { .. } => "token-exchange",
            Self::IdJag(_) => "id-jag",
            Self::Signed { .. } => "signed",
            Self::Account(_) => "account",
            Self::PostgresRole { .. } => "postgres-role",
            Self::AwsRole { .. } => "aws-role",
        }
    }

    /// The access token it is, if an authorization server gives it.
    #[must_use]
    pub const fn token(&self) -> Option<&TokenSource> {
        match self {
            Self::ClientCredentials(token)
            | Self::TokenExchange { token, .. }
            | Self::IdJag(token)
            | Self::Account(token) => Some(token),
            Self::Sealed | Self::Signed { .. } | Self::PostgresRole { .. } | Self::AwsRole { .. } => None,
        }
    }

    /// Whether something is sealed under the credential's name.
    #[must_use]
    pub fn needs_secret(&self) -> bool {
        match self {
            Self::Sealed | Self::PostgresRole { .. } => true,
            Self::Signed { .. } | Self::AwsRole { .. } => false,
            _ => self.token().is_some_and(|token| token.server.authentication.needs_secret()),
        }
    }

    /// Whether it is for a person, so that only a task that acts for one gets it.
    #[must_use]
    pub const fn is_personal(&self) -> bool {
        match self {
            Self::IdJag(_) | Self::Account(_) => true,
            Self::TokenExchange { subject, .. } | Self::Signed { subject, .. } => {
                matches!(subject, CredentialSubject::Person)
            }
            _ => false,
        }
    }
}

impl ClientAuthentication {
    /// Whether it takes a sealed client secret.
    #[must_use]
    pub const fn needs_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// How long, at worst, a credential works on after the order to take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialBound {
    /// How long.
    pub at_most: DurationMs,
    /// What sets it, in words.
    pub because: &'static str,
}

impl System {
    /// How long, at worst, a credential for this system works on after the order to take it back: what the system itself is
    /// slow by, or the life of what cannot be taken back, whichever is longer.
    #[must_use]
    pub fn credential_bound(&self) -> CredentialBound {
        let own = CredentialBound { at_most: self.revocation_max, because: OWN };
        let Some(used) = &self.credential else { return own };
        let lives = |at_most: DurationMs, because: &'static str| CredentialBound { at_most, because };
        let outlives = match &used.source {
            CredentialSource::Sealed | CredentialSource::PostgresRole { .. } => return own,
            CredentialSource::Signed { lifetime, .. } => lives(*lifetime, SIGNED),
            CredentialSource::AwsRole { lifetime, .. } => lives(*lifetime, AWS),
            CredentialSource::Account(token) => lives(token.lifetime_max, ACCOUNT),
            CredentialSource::ClientCredentials(token)
            | CredentialSource::TokenExchange { token, .. }
            | CredentialSource::IdJag(token) => match token.server.revocation_endpoint {
                Some(_) => return own,
                None => lives(token.lifetime_max, TOKEN),
            },
        };
        if outlives.at_most > own.at_most { outlives } else { own }
    }

    /// The name under which something must be sealed before anybody gets this system's credential.
    #[must_use]
    pub fn sealed_name(&self) -> Option<&Name> {
        self.credential.as_ref().filter(|used| used.source.needs_secret()).map(|used| &used.name)
    }
}

/// The longest life of a token that the plane signs for a system.
pub const SIGNED_LIFETIME_MAX: DurationMs = DurationMs::from_mins(5);
/// STS gives nothing shorter, and nothing longer.
pub const AWS_LIFETIME: (DurationMs, DurationMs) =
    (DurationMs::from_mins(15), DurationMs::from_mins(12 * 60));

const OWN: &str = "it goes on honouring a credential for so long after it was revoked (`revocation_max`)";
const SIGNED: &str = "a token the plane signed for it is good until it expires (`lifetime`)";
const AWS: &str =
    "credentials of an AWS role cannot be taken back one by one and are good until they expire (`lifetime`)";
const TOKEN: &str = "its authorization server has no `revocation_endpoint`, so a token is good until it expires (`lifetime_max`)";
const ACCOUNT: &str = "an access token for a person's account is good until it expires (`lifetime_max`)";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn system(credential: Value, revocation_max: u64) -> System {
        serde_json::from_value(json!({
            "name": "bank", "description": "", "environment": "production", "revocation_max": revocation_max,
            "connection": {"kind": "http", "url": "https://bank.example"}, "credential": credential,
        }))
        .unwrap()
    }

    fn used(source: Value) -> Value {
        json!({"name": "bank-key", "target": "Authorization", "source": source})
    }

    fn token(kind: &str, revocation: Option<&str>) -> Value {
        let mut source = json!({
            "kind": kind, "lifetime_max": 3_600_000,
            "server": {"issuer": "https://as.example", "token_endpoint": "https://as.example/token", "client_id": "provost"},
        });
        if kind == "token-exchange" {
            source["subject"] = json!("agent");
        }
        if let Some(endpoint) = revocation {
            source["server"]["revocation_endpoint"] = json!(endpoint);
        }
        used(source)
    }

    #[test]
    fn a_row_from_before_there_were_kinds_is_a_sealed_secret_and_is_written_as_before() {
        let plain = json!({"name": "bank-key", "target": "Authorization", "prefix": "Bearer "});
        let system = system(plain.clone(), 0);
        assert!(system.credential.as_ref().unwrap().source.is_sealed());
        assert_eq!(serde_json::to_value(&system.credential).unwrap(), plain);
    }

    #[test]
    fn what_cannot_be_taken_back_counts_for_as_long_as_it_lives() {
        let minute = 60_000;
        let signed =
            used(json!({"kind": "signed", "audience": "a", "lifetime": 5 * minute, "subject": "agent"}));
        let role = used(json!({"kind": "postgres-role", "member_of": ["reader"], "lifetime": 60 * minute}));
        let aws = used(
            json!({"kind": "aws-role", "role": "r", "audience": "a", "endpoint": "https://sts", "lifetime": 15 * minute}),
        );
        let table = [
            (json!({"name": "bank-key", "target": "x"}), 7, 7),
            (token("client-credentials", None), 7, 60 * minute),
            (token("client-credentials", Some("https://as.example/revoke")), 7, 7),
            (token("token-exchange", None), 7, 60 * minute),
            (token("id-jag", Some("https://as.example/revoke")), 7, 7),
            (token("account", Some("https://as.example/revoke")), 7, 60 * minute),
            (token("client-credentials", None), 61 * minute, 61 * minute),
            (signed, 7, 5 * minute),
            (role, 7, 7),
            (aws, 7, 15 * minute),
        ];
        for (credential, revocation_max, wanted) in table {
            let row = system(credential.clone(), revocation_max);
            assert_eq!(row.credential_bound().at_most, DurationMs(wanted), "{credential}");
            let again: System = serde_json::from_value(serde_json::to_value(&row).unwrap()).unwrap();
            assert_eq!(again, row, "it is read as it was written");
        }
    }
}
