//! The keys of trusted issuers: fetched from where their rows say, kept for minutes, asked for again when a token names a
//! key that is not among them. Never from where a token says, and never those of two issuers in one set.

use crate::plane::Plane;
use provost_connect::{Ask, FetchError};
use provost_domain::{Issuer, Name, issuer::KeySource};
use provost_token::{Fault, KeyPurpose, KeySet, KeySetFault};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What was read of issuers, on this node.
#[derive(Default)]
pub struct Trusted {
    kept: Mutex<HashMap<Name, Arc<Place>>>,
}

/// What is kept of one issuer, as its row was. Its lock is held while it is read, so that it is read once.
struct Place {
    of: (String, KeySource),
    read: tokio::sync::Mutex<Read>,
}

#[derive(Default)]
struct Read {
    keys: Option<(Arc<KeySet>, Instant)>,
    metadata: Option<(Arc<ProviderMetadata>, Instant)>,
    /// When it was last tried, and how that failed.
    failed: Option<(Instant, TrustError)>,
}

/// What an issuer publishes of itself (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2), as far as it is used here.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ProviderMetadata {
    issuer: String,
    jwks_uri: Option<String>,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

/// Why there are no keys.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TrustError {
    /// Its server.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// Its server's answer.
    #[error("{url} answered {status}")]
    Status {
        /// Where.
        url: String,
        /// What.
        status: u16,
    },
    /// Its metadata.
    #[error("the metadata at {url} {why}")]
    Metadata {
        /// Where.
        url: String,
        /// Why not.
        why: &'static str,
    },
    /// Its key set.
    #[error("its key set cannot be used: {0}")]
    Keys(#[from] KeySetFault),
}

impl Trusted {
    /// Judges a token with the issuer's keys; once more, with keys read anew, when it names one that is not known.
    pub(crate) async fn judged<T>(
        &self,
        plane: &Plane,
        issuer: &Issuer,
        judge: impl Fn(&KeySet) -> Result<T, Fault>,
    ) -> Result<Result<T, Fault>, TrustError> {
        let keys = self.keys(plane, issuer, KEYS_FRESH_MAX).await?;
        match judge(&keys) {
            // A rotated key shows as an unknown one, or, where tokens name none, as a signature that does not fit.
            Err(Fault::UnknownKey | Fault::Signature) => {
                let newer = self.keys(plane, issuer, LOOKED_AGAIN_MIN).await?;
                Ok(judge(&newer))
            }
            judged => Ok(judged),
        }
    }

    /// The keys of an issuer, read not longer ago than `age_max`, if it can be helped.
    async fn keys(
        &self,
        plane: &Plane,
        issuer: &Issuer,
        age_max: Duration,
    ) -> Result<Arc<KeySet>, TrustError> {
        let purpose = match issuer.trust_domain() {
            Some(_spiffe) => KeyPurpose::JwtSvids,
            None => KeyPurpose::Signatures,
        };
        if let KeySource::Inline { jwks } = &issuer.keys {
            let text = serde_json::to_vec(jwks).unwrap_or_default();
            return Ok(Arc::new(KeySet::parse(&text, purpose)?));
        }
        let place = self.place(issuer);
        let mut read = place.read.lock().await;
        if let Some((keys, at)) = &read.keys
            && at.elapsed() < age_max
        {
            return Ok(Arc::clone(keys));
        }
        match fresh_keys(plane, issuer, purpose, &mut read).await {
            Ok(keys) => {
                read.keys = Some((Arc::clone(&keys), Instant::now()));
                read.failed = None;
                Ok(keys)
            }
            Err(error) => {
                tracing::warn!(issuer = %issuer.name, %error, "the keys of a trusted issuer could not be read");
                read.failed = Some((Instant::now(), error.clone()));
                match &read.keys {
                    // An issuer that does not answer for a while keeps the keys it had.
                    Some((keys, at)) if at.elapsed() < KEYS_KEPT_MAX => Ok(Arc::clone(keys)),
                    _ => Err(error),
                }
            }
        }
    }

    /// What an issuer publishes of itself.
    pub(crate) async fn metadata(
        &self,
        plane: &Plane,
        issuer: &Issuer,
    ) -> Result<Arc<ProviderMetadata>, TrustError> {
        let place = self.place(issuer);
        let mut read = place.read.lock().await;
        metadata(plane, issuer, &mut read).await
    }

    fn place(&self, issuer: &Issuer) -> Arc<Place> {
        let of = (issuer.issuer.clone(), issuer.keys.clone());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get(&issuer.name) {
            Some(place) if place.of == of => Arc::clone(place),
            _ => {
                // The row says something else now: nothing that was read before counts.
                let place = Arc::new(Place { of, read: tokio::sync::Mutex::default() });
                kept.insert(issuer.name.clone(), Arc::clone(&place));
                place
            }
        }
    }
}

async fn fresh_keys(
    plane: &Plane,
    issuer: &Issuer,
    purpose: KeyPurpose,
    read: &mut Read,
) -> Result<Arc<KeySet>, TrustError> {
    if let Some((at, error)) = &read.failed
        && at.elapsed() < TRIED_AGAIN_MIN
    {
        return Err(error.clone());
    }
    let url = match &issuer.keys {
        KeySource::Url { url } => url.clone(),
        KeySource::Discovery | KeySource::Inline { .. } => {
            let metadata = metadata(plane, issuer, read).await?;
            let why = "names no jwks_uri";
            metadata.jwks_uri.clone().ok_or(TrustError::Metadata { url: issuer.issuer.clone(), why })?
        }
    };
    let body = document(plane, &url).await?;
    Ok(Arc::new(KeySet::parse(&body, purpose)?))
}

async fn metadata(
    plane: &Plane,
    issuer: &Issuer,
    read: &mut Read,
) -> Result<Arc<ProviderMetadata>, TrustError> {
    if let Some((metadata, at)) = &read.metadata
        && at.elapsed() < METADATA_FRESH_MAX
    {
        return Ok(Arc::clone(metadata));
    }
    let url = format!("{}/.well-known/openid-configuration", issuer.issuer.trim_end_matches('/'));
    let body = document(plane, &url).await?;
    let wrong = |why| TrustError::Metadata { url: url.clone(), why };
    let metadata: ProviderMetadata =
        serde_json::from_slice(&body).map_err(|_error| wrong("is not that of an issuer"))?;
    // OpenID Connect Discovery 1.0 section 4.3: whoever answers for another's name is not believed.
    if metadata.issuer != issuer.issuer {
        return Err(wrong("is of another issuer"));
    }
    let metadata = Arc::new(metadata);
    read.metadata = Some((Arc::clone(&metadata), Instant::now()));
    Ok(metadata)
}

async fn document(plane: &Plane, url: &str) -> Result<bytes::Bytes, TrustError> {
    let answer = plane.upstreams.fetch(url, Ask::default(), DOCUMENT_BYTES_MAX).await?;
    if answer.status.as_u16() != 200 {
        return Err(TrustError::Status { url: url.to_owned(), status: answer.status.as_u16() });
    }
    Ok(answer.body)
}

impl std::fmt::Debug for Trusted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trusted").finish_non_exhaustive()
    }
}

/// How long keys count without another look: so long a key that an issuer withdrew may go on counting.
const KEYS_FRESH_MAX: Duration = Duration::from_secs(300);
/// Tokens with unknown keys make the plane look again, but not more often than this.
const LOOKED_AGAIN_MIN: Duration = Duration::from_secs(10);
/// An issuer that failed is not asked again sooner.
const TRIED_AGAIN_MIN: Duration = Duration::from_secs(3);
/// How long keys count while their issuer does not answer.
const KEYS_KEPT_MAX: Duration = Duration::from_secs(3_600);
const METADATA_FRESH_MAX: Duration = Duration::from_secs(300);
const DOCUMENT_BYTES_MAX: usize = 262_144;

/// Whether an authorization server announces that its answers say who gives them (RFC 9207 section 3). One that publishes nothing
/// announces nothing.
pub(crate) async fn announces_iss(plane: &Plane, issuer: &str) -> bool {
    #[derive(Deserialize)]
    struct Announced {
        issuer: String,
        #[serde(default)]
        authorization_response_iss_parameter_supported: bool,
    }
    for name in ["oauth-authorization-server", "openid-configuration"] {
        let url = well_known(issuer, name);
        let Ok(body) = document(plane, &url).await else { continue };
        if let Ok(found) = serde_json::from_slice::<Announced>(&body)
            && found.issuer == issuer
        {
            return found.authorization_response_iss_parameter_supported;
        }
    }
    false
}

/// RFC 8414 section 3.1: before the issuer's path; OpenID Connect Discovery 1.0 section 4: after it.
fn well_known(issuer: &str, name: &str) -> String {
    let issuer = issuer.trim_end_matches('/');
    match url::Url::parse(issuer) {
        Ok(url) if name == "oauth-authorization-server" && url.path() != "/" => {
            let origin = url.origin().ascii_serialization();
            format!("{origin}/.well-known/{name}{}", url.path())
        }
        _ => format!("{issuer}/.well-known/{name}"),
    }
}
