//! Workloads of a SPIFFE trust domain: JWT-SVIDs (SPIFFE JWT-SVID, draft-ietf-oauth-spiffe-client-auth). They have no `iss`
//! and no `jti`: the trust domain is in `sub`, and they are used again until they expire.

use crate::jws::{Jws, JwsRules};
use crate::jwt::{Lifetime, SKEW_SECONDS_MAX, moment, verified};
use crate::{Algorithm, Fault, KeySet};
use provost_domain::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// `client_assertion_type` of a JWT-SVID.
pub const SPIFFE_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

/// A SPIFFE ID: `spiffe://trust-domain/path` (SPIFFE ID, section 2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    text: String,
    domain_end: usize,
}

impl SpiffeId {
    /// The trust domain, such as `example.org`.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.text.get(SCHEME.len()..self.domain_end).unwrap_or_default()
    }

    /// The path with its leading slash, such as `/ns/payments/sa/clerk`; empty for the trust domain itself.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.domain_end..).unwrap_or_default()
    }

    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError)?;
        let (domain, path) =
            rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).ok_or(SpiffeIdError)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let domain_ok = (1..=DOMAIN_BYTES_MAX).contains(&domain.len())
            && domain.bytes().all(|b| plain(b) && !b.is_ascii_uppercase());
        let segment_ok = |segment: &str| {
            !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
        };
        let path_ok = path.strip_prefix('/').is_none_or(|segments| segments.split('/').all(segment_ok));
        if text.len() <= ID_BYTES_MAX && domain_ok && path_ok {
            Ok(Self { text: text.to_owned(), domain_end: SCHEME.len() + domain.len() })
        } else {
            Err(SpiffeIdError)
        }
    }
}

/// A verified SVID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svid {
    /// The workload.
    pub id: SpiffeId,
    /// From this moment on it is no longer good.
    pub expires: Timestamp,
}

/// Whose SVID it says it is: for finding the bundle, before [`verify_svid`] says whether it is true.
///
/// # Errors
/// As reading it, and [`Fault::Claim`] for a `sub` that is no SPIFFE ID.
pub fn claimed_id(svid: &str) -> Result<SpiffeId, Fault> {
    let claims = Jws::read(svid, &RULES)?.dangerous_unverified_claims()?;
    claims.text("sub")?.parse().map_err(|_not_an_id| Fault::Claim("sub"))
}

/// Judges a JWT-SVID with the bundle of `trust_domain` (read with [`crate::KeyPurpose::JwtSvids`]). `audience` must be the
/// only one: an SVID that somebody else accepts too could be passed on by them.
///
/// # Errors
/// [`Fault`]; [`Fault::Issuer`] when the id is of another trust domain than the bundle.
pub fn verify_svid(
    svid: &str,
    trust_domain: &str,
    bundle: &KeySet,
    audience: &str,
    now: Timestamp,
) -> Result<Svid, Fault> {
    let claims = verified(svid, &RULES, bundle)?;
    let id: SpiffeId = claims.text("sub")?.parse().map_err(|_not_an_id| Fault::Claim("sub"))?;
    if id.trust_domain() != trust_domain {
        return Err(Fault::Issuer);
    }
    if id.path().is_empty() {
        return Err(Fault::Claim("sub"));
    }
    claims.audience_is_one_of(&[audience])?;
    let lifetime = Lifetime {
        ahead_seconds_max: SVID_SECONDS_MAX,
        skew_seconds_max: SKEW_SECONDS_MAX,
        iat_required: false,
    };
    let exp = claims.lifetime(now, &lifetime)?;
    Ok(Svid { id, expires: moment(exp) })
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl Serialize for SpiffeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de> Deserialize<'de> for SpiffeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is not a SPIFFE ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a SPIFFE ID reads spiffe://trust-domain/path: the domain in lower case, no port, no empty segment, `.` or `..`, \
     no escapes, query or fragment, at most 2048 bytes"
)]
pub struct SpiffeIdError;

const RULES: JwsRules<'static> = JwsRules {
    bytes_max: 16_384,
    // JWT-SVID section 2.1, except the curve P-521.
    algorithms: &[
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ],
    types: &["JWT", "JOSE"],
    type_may_be_absent: true,
    embedded_key: false,
};
const SCHEME: &str = "spiffe://";
const ID_BYTES_MAX: usize = 2_048;
const DOMAIN_BYTES_MAX: usize = 255;
/// A day; SPIRE issues five minutes.
const SVID_SECONDS_MAX: i64 = 86_400;

#[cfg(test)]
mod tests;
