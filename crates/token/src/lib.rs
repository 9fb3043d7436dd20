//! The rules of OAuth for agents: whose token, assertion or proof is good, what may be handed on to whom, and what to
//! answer when it may not. Endpoints, stores and the fetching of key sets are elsewhere.
//!
//! - Our own tokens: [`AccessClaims`] (RFC 9068), signed by a [`KeyRing`], accepted by a [`Verifier`].
//! - Who a client is: [`assertion`] (`private_key_jwt`), [`svid`] (SPIFFE), [`federation`] (a platform's token).
//! - Whose authority it may have: [`id_jag`], [`exchange`], [`details`].
//! - That it holds its key: [`dpop`]; that a code is its own: [`pkce`].
//! - Requests and answers: [`request`], [`authorize`], [`OauthError`], [`metadata`], [`introspection`].
//!
//! **Invariant:** pure. Keys, random ids and the present moment are handed in; nothing here reads a clock, does I/O or
//! remembers. What must be remembered is returned as a [`replay::Replay`].

pub mod actor;
mod algorithm;
mod arg_rule;
pub mod assertion;
pub mod authorize;
mod claims;
mod confirmation;
pub mod details;
pub mod dpop;
mod error;
pub mod exchange;
mod fault;
pub mod federation;
mod form;
pub mod id_jag;
pub mod id_token;
pub mod introspection;
mod json;
pub mod jwks;
pub mod jws;
pub mod jwt;
mod key;
pub mod metadata;
mod nonce;
mod oauth_error;
pub mod outward;
pub mod pkce;
pub mod replay;
pub mod request;
mod ring;
mod scope;
mod secret;
pub mod set;
mod signing;
pub mod svid;
mod thumbprint;
mod uri;
mod verify;

pub use actor::{Actor, MayAct};
pub use algorithm::Algorithm;
pub use assertion::{
    AuthenticatedClient, CLIENT_ALGORITHMS, ClientAssertionRules, claimed_client, verify_client,
};
pub use authorize::{AuthorizeRequest, AuthorizeTarget, check_redirect, redirect_matches};
pub use claims::{AccessClaims, TaskClaims, issue};
pub use confirmation::{Confirmation, Presented};
pub use details::{DETAIL_TYPE, Details, TaskDetail};
pub use dpop::{DPOP_ALGORITHMS, Proof, ProofRules, verify_proof};
pub use error::TokenError;
pub use exchange::{Delegated, ExchangeLink, ExchangeRequest, ExchangeRules, ExchangeSubject};
pub use fault::Fault;
pub use federation::{FederatedIdentity, FederatedMatch, FederatedSubject, TrustedIssuer};
pub use id_jag::{ID_JAG_PROFILE, ID_JAG_TYPE, IdJag, IdJagRules, verify_id_jag};
pub use id_token::{IdToken, IdTokenRules, verify_id_token};
pub use introspection::Introspection;
pub use jwks::{KeyPurpose, KeySet, KeySetFault};
pub use key::{Jwk, JwkFault, PublicKey};
pub use metadata::{ServerMetadata, ServerParts};
pub use nonce::Nonces;
pub use oauth_error::{OauthCode, OauthError};
pub use outward::{OutwardClientAssertion, OutwardGrant, OutwardProof};
pub use pkce::Challenge;
pub use replay::Replay;
pub use request::{
    AssertionKind, ClientCredential, Grant, JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT, TokenExchange,
    TokenQuery, TokenRequest, TokenType,
};
pub use ring::{JwksDocument, KeyRing};
pub use scope::Scope;
pub use secret::Secret;
pub use signing::{KeyError, SigningKey, VerifyingKey};
pub use svid::{SpiffeId, Svid, verify_svid};
pub use thumbprint::Thumbprint;
pub use verify::Verifier;

/// `typ` of an access token (RFC 9068 section 2.1).
pub const TOKEN_TYPE: &str = "at+jwt";
/// Longer than any token we issue; longer texts are refused unread.
pub const TOKEN_BYTES_MAX: usize = 8_192;
/// The signature algorithms that task tokens and everything else we sign may have.
pub const SIGNING_ALGORITHMS: &[Algorithm] = &[Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

#[cfg(test)]
pub(crate) mod testing;
