//! A signed request (Standard Webhooks 1.0, <https://www.standardwebhooks.com>): `webhook-id` is the delivery's own id, the same
//! each time it is sent; `webhook-signature` holds one `v1` for each secret, so that a receiver can be moved from one to the next.

use crate::Notice;
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use provost_connect::Secret;
use provost_domain::Timestamp;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

/// What is sent: `type`, `timestamp` and `data`, as that specification advises.
pub(crate) fn body(notice: &Notice) -> Value {
    let facts: Map<String, Value> =
        notice.facts.iter().map(|fact| (fact.label.clone(), Value::from(fact.text.clone()))).collect();
    json!({
        "type": format!("provost.{}", notice.event.as_str()),
        "timestamp": moment(notice.at),
        "data": {
            "title": notice.title,
            "text": notice.text,
            "about": notice.about,
            "status": notice.status,
            "link": notice.link,
            "facts": facts,
        },
    })
}

/// The signatures of one request, each `v1,` and a base64.
///
/// # Errors
/// When one of the secrets is none.
pub(crate) fn signatures(
    secrets: &[Secret],
    id: &str,
    at: Timestamp,
    body: &[u8],
) -> Result<String, &'static str> {
    let mut signed = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key(secret)?);
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{id}.{}.", at.as_seconds()).as_bytes());
        context.update(body);
        signed.push(format!("v1,{}", STANDARD.encode(context.sign())));
    }
    if signed.is_empty() { Err("it has no signing secret") } else { Ok(signed.join(" ")) }
}

/// `whsec_` and the base64 of 24 to 64 bytes.
fn key(secret: &Secret) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let text = std::str::from_utf8(secret.dangerous_expose()).map_err(|_binary| NOT_A_SECRET)?;
    let encoded = text.trim().strip_prefix(PREFIX).ok_or(NOT_A_SECRET)?;
    let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_other| NOT_A_SECRET)?);
    if (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) { Ok(key) } else { Err(NOT_A_SECRET) }
}

fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis()).map(|at| format!("{at:.3}")).unwrap_or_default()
}

const PREFIX: &str = "whsec_";
const KEY_BYTES_MIN: usize = 24;
const KEY_BYTES_MAX: usize = 64;
const NOT_A_SECRET: &str =
    "its signing secret is not `whsec_` and the base64 of 24 to 64 random bytes; set another";

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let secret = Secret::new(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_vec());
        let at = Timestamp::from_millis(1_614_265_330_000);
        let body = br#"{"test": 2432232314}"#;
        let signed = signatures(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs_and_what_is_no_secret_signs_nothing() {
        let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
        let good = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let other = secret("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        let at = Timestamp::from_millis(0);
        let both = signatures(&[good.clone(), other], "id", at, b"{}").unwrap();
        assert_eq!(both.split(' ').filter(|part| part.starts_with("v1,")).count(), 2);
        for bad in ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!"] {
            assert!(signatures(&[good.clone(), secret(bad)], "id", at, b"{}").is_err(), "{bad}");
        }
        assert!(signatures(&[], "id", at, b"{}").is_err());
    }
}
