//! Security event tokens (RFC 8417), as Shared Signals wants them (OpenID SSF 1.0 section 4): those the plane signs, and those of
//! issuers it trusts.

use crate::jws::JwsRules;
use crate::jwt::{SKEW_SECONDS_MAX, verified};
use crate::{Algorithm, Fault, KeyError, KeySet, SigningKey};
use provost_domain::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// `typ` of a security event token.
pub const SET_TYPE: &str = "secevent+jwt";

/// One event the plane tells. It has neither `sub` nor `exp` (OpenID SSF 1.0 section 4.1.7, 4.1.8).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecurityEvent {
    /// This plane.
    pub iss: String,
    /// The receiver.
    pub aud: String,
    /// When it happened, in seconds since 1970-01-01 UTC.
    pub iat: i64,
    /// Unique; the same each time it is sent.
    pub jti: String,
    /// Whom it is about (RFC 9493).
    pub sub_id: Value,
    /// The one event: its type, and what belongs to it.
    pub events: Map<String, Value>,
    /// What led to it; the same for all that one cause led to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn: Option<String>,
}

impl SecurityEvent {
    /// Signs it.
    ///
    /// # Errors
    /// [`KeyError`], when the key does not sign.
    pub fn issue(&self, key: &SigningKey) -> Result<String, KeyError> {
        key.sign(SET_TYPE, self)
    }
}

/// One event of somebody else, verified. Everything in it is that issuer's word.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedEvent {
    /// Who says so.
    pub issuer: String,
    /// Remember it before acting; the same again is the same event.
    pub jti: String,
    /// When it was made, in seconds.
    pub iat: i64,
    /// Whom it is about.
    pub subject: Value,
    /// The type of event.
    pub event: String,
    /// What belongs to it.
    pub payload: Map<String, Value>,
    /// What led to it, in the issuer's words.
    pub txn: Option<String>,
}

/// Judges an event by the keys of the issuer it must be from.
///
/// # Errors
/// [`Fault`]: for its form, algorithm, type, signature, issuer, audience or age; when it has `sub` or `exp`, which would make it a
/// token of another kind; when it does not hold exactly one event with a subject.
pub fn read_event(
    token: &str,
    keys: &KeySet,
    (issuer, audiences): (&str, &[&str]),
    now: Timestamp,
) -> Result<ReceivedEvent, Fault> {
    let claims = verified(token, &RULES, keys)?;
    if claims.text("iss")? != issuer {
        return Err(Fault::Claim("iss"));
    }
    claims.audience_is_only(audiences)?;
    for never in ["sub", "exp"] {
        if claims.get(never).is_some() {
            return Err(Fault::Claim(never));
        }
    }
    let iat = claims.seconds("iat")?;
    let age = now.as_seconds().saturating_sub(iat);
    if age < -SKEW_SECONDS_MAX {
        return Err(Fault::NotYet);
    }
    if age > AGE_SECONDS_MAX {
        return Err(Fault::Expired);
    }
    let events = claims.get("events").and_then(Value::as_object).ok_or(Fault::Missing("events"))?;
    let mut events = events.iter();
    let (Some((event, payload)), None) = (events.next(), events.next()) else {
        return Err(Fault::Claim("events"));
    };
    let payload = payload.as_object().cloned().ok_or(Fault::Claim("events"))?;
    // CAEP and RISC drafts had the subject inside the event; it still counts where the final one is not given.
    let subject = claims.get("sub_id").or_else(|| payload.get("subject"));
    let subject = subject.filter(|subject| subject.is_object()).cloned().ok_or(Fault::Missing("sub_id"))?;
    Ok(ReceivedEvent {
        issuer: issuer.to_owned(),
        jti: claims.jti()?.to_owned(),
        iat,
        subject,
        event: event.clone(),
        payload,
        txn: claims.optional_text("txn")?.map(str::to_owned),
    })
}

/// Who an event says it is from. Nothing is proved by that: it is for choosing whose keys to judge it by.
#[must_use]
pub fn claimed_issuer(token: &str) -> Option<String> {
    let claims = crate::jws::Jws::read(token, &RULES).ok()?.dangerous_unverified_claims().ok()?;
    claims.text("iss").ok().map(str::to_owned)
}

const RULES: JwsRules<'static> = JwsRules {
    bytes_max: 16 * 1_024,
    algorithms: &[Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256],
    types: &[SET_TYPE],
    type_may_be_absent: false,
    embedded_key: false,
};
/// An event that old is news to nobody: as long as a receiver may have been away.
pub const AGE_SECONDS_MAX: i64 = 7 * 24 * 3_600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyPurpose, VerifyingKey};
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn key() -> SigningKey {
        SigningKey::es256_from_seed(&[7; 32]).unwrap()
    }

    fn keys(key: &VerifyingKey) -> KeySet {
        let jwks = json!({ "keys": [serde_json::to_value(key.jwk()).unwrap()] });
        KeySet::parse(jwks.to_string().as_bytes(), KeyPurpose::Signatures).unwrap()
    }

    fn event(changes: Value) -> String {
        let mut claims = json!({
            "iss": "https://idp.example", "aud": "https://plane.example", "iat": NOW.as_seconds(), "jti": "1",
            "sub_id": {"format": "email", "email": "maria@acme.example"},
            "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}},
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        key().sign(SET_TYPE, &claims).unwrap()
    }

    fn read(token: &str) -> Result<ReceivedEvent, Fault> {
        read_event(token, &keys(key().verifying()), ("https://idp.example", &["https://plane.example"]), NOW)
    }

    #[test]
    fn only_a_whole_and_fresh_event_of_that_issuer_for_us_counts() {
        assert_eq!(read(&event(json!({}))).unwrap().jti, "1");
        let two = json!({"a": {}, "b": {}});
        let table = [
            json!({"iss": "https://other.example"}),
            json!({"aud": "https://other.example"}),
            json!({"aud": ["https://plane.example", "https://other.example"]}),
            json!({"aud": null}),
            json!({"iat": NOW.as_seconds() + 60}),
            json!({"iat": NOW.as_seconds() - AGE_SECONDS_MAX - 1}),
            json!({"iat": null}),
            json!({"jti": null}),
            json!({"sub": "maria"}),
            json!({"exp": NOW.as_seconds() + 60}),
            json!({"sub_id": null}),
            json!({"sub_id": "maria"}),
            json!({"events": null}),
            json!({"events": {}}),
            json!({"events": two}),
            json!({"events": {"a": "text"}}),
        ];
        for changes in table {
            assert!(read(&event(changes.clone())).is_err(), "{changes}");
        }
    }

    #[test]
    fn a_token_of_another_kind_or_key_is_no_event() {
        let claims = json!({"iss": "https://idp.example"});
        for typ in ["JWT", "at+jwt", "logout+jwt"] {
            assert!(read(&key().sign(typ, &claims).unwrap()).is_err(), "{typ}");
        }
        let other = SigningKey::es256_from_seed(&[8; 32]).unwrap();
        let stranger = keys(other.verifying());
        let judged = read_event(
            &event(json!({})),
            &stranger,
            ("https://idp.example", &["https://plane.example"]),
            NOW,
        );
        assert!(judged.is_err());
    }

    #[test]
    fn what_the_plane_signs_reads_as_an_event() {
        let made = SecurityEvent {
            iss: "https://idp.example".to_owned(),
            aud: "https://plane.example".to_owned(),
            iat: NOW.as_seconds(),
            jti: "delivery_1".to_owned(),
            sub_id: json!({"format": "opaque", "id": "x"}),
            events: json!({"e": {"claims": {"level": "off"}}}).as_object().unwrap().clone(),
            txn: Some("change 7".to_owned()),
        };
        let token = made.issue(&key()).unwrap();
        assert_eq!(claimed_issuer(&token).as_deref(), Some("https://idp.example"));
        let event = read(&token).unwrap();
        assert_eq!((event.event.as_str(), event.txn.as_deref()), ("e", Some("change 7")));
    }
}
