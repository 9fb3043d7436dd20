//! ID tokens of an identity provider: who signed in there (OpenID Connect Core 1.0 sections 2 and 3.1.3.7), as this plane
//! gets them from the provider's token endpoint.

use crate::jws::JwsRules;
use crate::jwt::{Claims, Lifetime, SKEW_SECONDS_MAX, verified};
use crate::{Algorithm, Fault, KeySet};
use provost_domain::Timestamp;
use serde_json::Value;

/// What an ID token must be.
#[derive(Debug, Clone, Copy)]
pub struct IdTokenRules<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// This plane as the provider's client: the one audience.
    pub client_id: &'a str,
    /// What was sent with the request.
    pub nonce: &'a str,
    /// The person must have signed in at the provider at most so many seconds ago.
    pub max_age_seconds: Option<i64>,
}

/// A person, as the provider says.
#[derive(Debug, Clone, PartialEq)]
pub struct IdToken {
    /// `sub`: for ever this person's, at this provider.
    pub subject: String,
    /// The mail address, only if the provider says that it verified it.
    pub verified_email: Option<String>,
    /// When the person signed in there, in seconds.
    pub auth_time: Option<i64>,
    /// How.
    pub acr: Option<String>,
    claims: Claims,
}

impl IdToken {
    /// The texts of a claim that is a list, such as `groups`; none, if it is absent or is something else.
    #[must_use]
    pub fn list(&self, claim: &str) -> Vec<&str> {
        match self.claims.get(claim) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).take(LIST_MAX).collect(),
            Some(Value::String(one)) => vec![one],
            _ => Vec::new(),
        }
    }
}

/// Judges an ID token with the provider's keys.
///
/// # Errors
/// [`Fault`].
pub fn verify_id_token(
    token: &str,
    keys: &KeySet,
    rules: &IdTokenRules<'_>,
    now: Timestamp,
) -> Result<IdToken, Fault> {
    let claims = verified(token, &RULES, keys)?;
    if claims.text("iss")? != rules.issuer {
        return Err(Fault::Issuer);
    }
    // Section 3.1.3.7, 3 to 5: other audiences are nobody this plane trusts, and `azp`, if it is there, is this plane.
    claims.audience_is_one_of(&[rules.client_id])?;
    if claims.optional_text("azp")?.is_some_and(|azp| azp != rules.client_id) {
        return Err(Fault::Client);
    }
    let lifetime = Lifetime {
        ahead_seconds_max: AHEAD_SECONDS_MAX,
        skew_seconds_max: SKEW_SECONDS_MAX,
        iat_required: true,
    };
    claims.lifetime(now, &lifetime)?;
    if claims.text("nonce")? != rules.nonce {
        return Err(Fault::Nonce);
    }
    let auth_time = claims.optional_seconds("auth_time")?;
    if let Some(max_age) = rules.max_age_seconds {
        let signed_in = auth_time.ok_or(Fault::Missing("auth_time"))?;
        if signed_in.saturating_add(max_age).saturating_add(SKEW_SECONDS_MAX) < now.as_seconds() {
            return Err(Fault::Expired);
        }
    }
    let verified = claims.get("email_verified").and_then(Value::as_bool) == Some(true);
    let email = claims.optional_text("email")?.filter(|_email| verified).map(str::to_owned);
    Ok(IdToken {
        subject: claims.text("sub")?.to_owned(),
        verified_email: email,
        auth_time,
        acr: claims.optional_text("acr")?.map(str::to_owned),
        claims,
    })
}

const RULES: JwsRules<'static> = JwsRules {
    bytes_max: 16_384,
    algorithms: Algorithm::ALL,
    // Tokens of other kinds from the same keys name their own type.
    types: &["JWT"],
    type_may_be_absent: true,
    embedded_key: false,
};
const AHEAD_SECONDS_MAX: i64 = 86_400;
const LIST_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, NOW_S, Signer, keys, with};
    use serde_json::json;

    const RULES: IdTokenRules<'static> = IdTokenRules {
        issuer: "https://okta.example",
        client_id: "provost",
        nonce: "n-0S6",
        max_age_seconds: Some(300),
    };

    fn good() -> Value {
        json!({
            "iss": RULES.issuer, "aud": "provost", "sub": "00u1", "nonce": RULES.nonce, "iat": NOW_S, "exp": NOW_S + 3_600,
            "auth_time": NOW_S - 10, "email": "maria@acme.example", "email_verified": true, "groups": ["a", 1, "b"],
        })
    }

    #[test]
    fn an_id_token_says_who_signed_in_and_what_is_not_verified_is_left_out() {
        let provider = Signer::rsa("RS256");
        let judged = |claims: &Value| {
            verify_id_token(&provider.token("JWT", claims), &keys(&[&provider]), &RULES, NOW).unwrap()
        };
        let token = judged(&good());
        assert_eq!(
            (token.subject.as_str(), token.verified_email.as_deref()),
            ("00u1", Some("maria@acme.example"))
        );
        assert_eq!(token.list("groups"), ["a", "b"]);
        assert!(token.list("roles").is_empty());
        for unverified in [json!(false), json!("true"), Value::Null] {
            assert_eq!(judged(&with(&good(), json!({"email_verified": unverified}))).verified_email, None);
        }
    }

    #[test]
    fn every_token_that_is_not_this_sign_in_is_refused() {
        let (provider, stranger) = (Signer::rsa("RS256"), Signer::es(9));
        let table = [
            (json!({"iss": "https://evil.example"}), Fault::Issuer),
            (json!({"aud": "another"}), Fault::Audience),
            (json!({"aud": ["provost", "another"]}), Fault::Audience),
            (json!({"azp": "another"}), Fault::Client),
            (json!({"nonce": "of another sign-in"}), Fault::Nonce),
            (json!({"nonce": null}), Fault::Missing("nonce")),
            (json!({"exp": NOW_S}), Fault::Expired),
            (json!({"iat": NOW_S + 600}), Fault::NotYet),
            (json!({"iat": null}), Fault::Missing("iat")),
            (json!({"auth_time": NOW_S - 3_600}), Fault::Expired),
            (json!({"auth_time": null}), Fault::Missing("auth_time")),
            (json!({"sub": null}), Fault::Missing("sub")),
        ];
        for (change, fault) in table {
            let token = provider.token("JWT", &with(&good(), change.clone()));
            assert_eq!(verify_id_token(&token, &keys(&[&provider]), &RULES, NOW), Err(fault), "{change}");
        }
        let forged = stranger.token("JWT", &good());
        assert!(verify_id_token(&forged, &keys(&[&provider]), &RULES, NOW).is_err());
        // Signed by the provider, for something else.
        for typ in ["oauth-id-jag+jwt", "at+jwt", "logout+jwt"] {
            assert!(
                verify_id_token(&provider.token(typ, &good()), &keys(&[&provider]), &RULES, NOW).is_err(),
                "{typ}"
            );
        }
    }
}
