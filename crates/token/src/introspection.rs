//! What is said about a token to somebody who may ask (RFC 7662 section 2.2).

use crate::{AccessClaims, Confirmation};
use serde::Serialize;

/// The answer. A token that is not good for any reason is `active: false` and nothing more, so that nobody learns which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Introspection {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    claims: Option<AccessClaims>,
}

impl Introspection {
    /// Not a good token, whatever it is.
    #[must_use]
    pub const fn inactive() -> Self {
        Self { active: false, token_type: None, claims: None }
    }

    /// A good token, with all it says: `act`, `cnf` and `authorization_details` among it.
    #[must_use]
    pub const fn active(claims: AccessClaims) -> Self {
        let token_type = match claims.cnf {
            Some(Confirmation::Jkt(_)) => "DPoP",
            Some(Confirmation::X5t(_)) | None => "Bearer",
        };
        Self { active: true, token_type: Some(token_type), claims: Some(claims) }
    }
}
