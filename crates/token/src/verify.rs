//! Accepting an access token of ours, or saying exactly why not.

use crate::jws::{Jws, JwsRules};
use crate::{
    AccessClaims, Algorithm, KeyRing, TOKEN_BYTES_MAX, TOKEN_TYPE, TaskClaims, TokenError, VerifyingKey,
};
use provost_domain::Timestamp;

/// Knows the keys and name of one plane.
pub struct Verifier {
    issuer: String,
    keys: Vec<(VerifyingKey, Option<Timestamp>)>,
    algorithms: Vec<Algorithm>,
}

impl Verifier {
    /// A verifier for tokens of this issuer, signed by any of these keys.
    #[must_use]
    pub fn new(issuer: impl Into<String>, keys: Vec<VerifyingKey>) -> Self {
        Self::of(issuer.into(), keys.into_iter().map(|key| (key, None)).collect())
    }

    /// A verifier for tokens of this issuer, signed by any key of the ring; a previous one only until its end. After a
    /// rotation, make a new one.
    #[must_use]
    pub fn with_ring(issuer: impl Into<String>, ring: &KeyRing) -> Self {
        Self::of(issuer.into(), ring.all().map(|(key, until)| (key.clone(), until)).collect())
    }

    fn of(issuer: String, keys: Vec<(VerifyingKey, Option<Timestamp>)>) -> Self {
        let known = |alg: &Algorithm| keys.iter().any(|(key, _until)| key.algorithm() == *alg);
        let algorithms = Algorithm::ALL.iter().copied().filter(known).collect();
        Self { issuer, keys, algorithms }
    }

    /// The claims of a plain token that is good for `audience` at `now`. Delegated, bound and narrowed tokens are refused
    /// here: see [`Verifier::access`].
    ///
    /// # Errors
    /// The first thing wrong with it, in the order in which an attacker learns least.
    pub fn verify(&self, token: &str, audience: &str, now: Timestamp) -> Result<TaskClaims, TokenError> {
        self.access(token, &[audience], now)?.try_into()
    }

    /// The claims of a token that is good for one of these audiences at `now`. Whether it came in the way it is bound is a
    /// question of its own: [`AccessClaims::check_binding`].
    ///
    /// # Errors
    /// The first thing wrong with it, in the order in which an attacker learns least.
    pub fn access(
        &self,
        token: &str,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<AccessClaims, TokenError> {
        self.judged(token, Some(audiences), now)
    }

    /// The claims of a token of ours for whatever audience: for introspection, revocation, and as the subject of an
    /// exchange. Never for access.
    ///
    /// # Errors
    /// As [`Verifier::access`].
    pub fn issued(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        self.judged(token, None, now)
    }

    fn judged(
        &self,
        token: &str,
        audiences: Option<&[&str]>,
        now: Timestamp,
    ) -> Result<AccessClaims, TokenError> {
        let rules = JwsRules {
            bytes_max: TOKEN_BYTES_MAX,
            algorithms: &self.algorithms,
            types: &[TOKEN_TYPE],
            type_may_be_absent: false,
            embedded_key: false,
        };
        let jws = Jws::read(token, &rules)?;
        let known = |(key, until): &&(VerifyingKey, Option<Timestamp>)| {
            jws.kid.as_deref() == Some(key.kid())
                && key.algorithm() == jws.algorithm
                && until.is_none_or(|until| now < until)
        };
        let (key, _until) = self.keys.iter().find(known).ok_or(TokenError::UnknownKey)?;
        let claims = jws.verify(key.public())?.into_value();
        let claims: AccessClaims = serde_json::from_value(claims).map_err(|_wrong| TokenError::Claims)?;
        claims.check()?;
        self.judge(claims, audiences, now)
    }

    fn judge(
        &self,
        claims: AccessClaims,
        audiences: Option<&[&str]>,
        now: Timestamp,
    ) -> Result<AccessClaims, TokenError> {
        if claims.iss != self.issuer {
            return Err(TokenError::Issuer);
        }
        if audiences.is_some_and(|accepted| !accepted.contains(&claims.aud.as_str())) {
            return Err(TokenError::Audience);
        }
        if now.as_seconds() >= claims.exp {
            return Err(TokenError::Expired);
        }
        // Issuer and verifier are one plane, perhaps two nodes of it: a little skew is honest, more is not.
        if claims.iat > now.as_seconds().saturating_add(SKEW_SECONDS_MAX) {
            return Err(TokenError::NotYet);
        }
        Ok(claims)
    }
}

const SKEW_SECONDS_MAX: i64 = 5;

#[cfg(test)]
mod tests;
