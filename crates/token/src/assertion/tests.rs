use super::*;
use crate::testing::{NOW, NOW_S, Signer, keys, with};
use serde_json::{Value, json};

const ISSUER: &str = "https://plane.example";
const ENDPOINT: &str = "https://plane.example/oauth/token";

fn claims() -> Value {
    json!({"iss": "clerk", "sub": "clerk", "aud": ISSUER, "exp": NOW_S + 60, "iat": NOW_S, "jti": "one"})
}

fn judged(token: &str, signer: &Signer) -> Result<AuthenticatedClient, Fault> {
    verify_client(token, "clerk", &keys(&[signer]), &ClientAssertionRules::strict(ISSUER), NOW)
}

fn of(changes: Value) -> Result<AuthenticatedClient, Fault> {
    let signer = Signer::ed(1);
    judged(&signer.token("JWT", &with(&claims(), changes)), &signer)
}

#[test]
fn a_good_assertion_says_who_it_is_and_what_to_remember() {
    for signer in [Signer::ed(1), Signer::es(1), Signer::rsa("RS256"), Signer::rsa("PS256")] {
        for typ in ["JWT", "client-authentication+jwt", "application/client-authentication+jwt"] {
            let token = signer.token(typ, &claims());
            let rules = ClientAssertionRules::strict(ISSUER);
            assert_eq!(claimed_client(&token, &rules), Ok("clerk".into()));
            let client = judged(&token, &signer).unwrap();
            assert_eq!(client.client_id, "clerk");
            assert_eq!(client.replay.issuer, "clerk");
            assert_eq!(client.replay.jti, "one");
            assert_eq!(client.replay.until.as_seconds(), NOW_S + 60, "as long as it would be accepted");
        }
    }
    let signer = Signer::ed(1);
    let mut header = signer.header("JWT");
    header.as_object_mut().unwrap().remove("typ");
    header.as_object_mut().unwrap().remove("kid");
    assert!(judged(&signer.raw(&header, &claims()), &signer).is_ok(), "no typ, no kid, one key");
}

#[test]
fn the_audience_is_the_issuer_and_nobody_else() {
    for (aud, good) in [
        (json!(ISSUER), true),
        (json!([ISSUER]), true),
        (json!(ENDPOINT), false),
        (json!([ISSUER, ENDPOINT]), false),
        (json!([ISSUER, "https://evil"]), false),
        (json!([ISSUER, ISSUER]), false),
        (json!("https://plane.example/"), false),
        (json!("https://PLANE.example"), false),
        (json!("https://evil"), false),
        (json!([]), false),
        (json!(null), false),
        (json!({"x": ISSUER}), false),
        (json!([[ISSUER]]), false),
    ] {
        assert_eq!(of(json!({ "aud": aud })).is_ok(), good, "{aud}");
    }
    let signer = Signer::ed(1);
    let rules =
        ClientAssertionRules { token_endpoint: Some(ENDPOINT), ..ClientAssertionRules::strict(ISSUER) };
    for (aud, good) in [(json!(ENDPOINT), true), (json!(ISSUER), true), (json!([ISSUER, ENDPOINT]), false)] {
        let token = signer.token("JWT", &with(&claims(), json!({ "aud": aud })));
        assert_eq!(verify_client(&token, "clerk", &keys(&[&signer]), &rules, NOW).is_ok(), good, "{aud}");
    }
}

#[test]
fn every_other_claim_has_to_fit_too() {
    for (changes, fault) in [
        (json!({"iss": "other"}), Fault::Subject),
        (json!({"sub": "other"}), Fault::Subject),
        (json!({"iss": "other", "sub": "other"}), Fault::Subject),
        (json!({"iss": null}), Fault::Missing("iss")),
        (json!({"sub": ["clerk"]}), Fault::Claim("sub")),
        (json!({"exp": null}), Fault::Missing("exp")),
        (json!({"exp": "soon"}), Fault::Claim("exp")),
        (json!({"exp": -1}), Fault::Claim("exp")),
        (json!({"exp": 1e300}), Fault::Claim("exp")),
        (json!({"exp": NOW_S}), Fault::Expired),
        (json!({"exp": NOW_S as f64 + 0.9}), Fault::Expired),
        (json!({"exp": NOW_S + 331}), Fault::LongLived { seconds_max: 330 }),
        (json!({"iat": NOW_S + 31}), Fault::NotYet),
        (json!({"nbf": NOW_S + 31, "exp": NOW_S + 60}), Fault::NotYet),
        (json!({"iat": NOW_S + 20, "exp": NOW_S + 20}), Fault::Claim("exp")),
        (json!({"jti": null}), Fault::Missing("jti")),
        (json!({"jti": ""}), Fault::Claim("jti")),
        (json!({"jti": 7}), Fault::Claim("jti")),
        (json!({"jti": "a".repeat(257)}), Fault::Claim("jti")),
        (json!({"jti": "a\u{0}"}), Fault::Claim("jti")),
    ] {
        assert_eq!(of(changes.clone()).unwrap_err(), fault, "{changes}");
    }
    for good in [
        json!({"exp": NOW_S + 1}),
        json!({"exp": NOW_S + 300}),
        json!({"iat": NOW_S + 30, "exp": NOW_S + 330}),
        json!({"exp": NOW_S as f64 + 1.5}),
        json!({"iat": NOW_S + 30}),
        json!({"iat": null}),
        json!({"iat": NOW_S - 100_000}),
    ] {
        assert!(of(good.clone()).is_ok(), "{good}");
    }
}

#[test]
fn another_clients_key_or_type_does_not_pass() {
    let (mine, theirs) = (Signer::es(1), Signer::es(2));
    let token = theirs.raw(&mine.header("JWT"), &claims());
    assert_eq!(judged(&token, &mine).unwrap_err(), Fault::Signature);
    assert_eq!(judged(&theirs.token("JWT", &claims()), &mine).unwrap_err(), Fault::UnknownKey);
    for typ in ["at+jwt", "dpop+jwt", "oauth-id-jag+jwt", "secevent+jwt"] {
        assert_eq!(judged(&mine.token(typ, &claims()), &mine).unwrap_err(), Fault::Type, "{typ}");
    }
    // The key's registered algorithm is not what the header says.
    let rsa = Signer::rsa("PS256");
    let mut pinned = rsa.jwk.clone();
    pinned["alg"] = json!("RS256");
    let set = KeySet::of([crate::PublicKey::from_jwk(pinned.as_object().unwrap()).unwrap()]).unwrap();
    let token = rsa.token("JWT", &claims());
    let rules = ClientAssertionRules::strict(ISSUER);
    assert_eq!(verify_client(&token, "clerk", &set, &rules, NOW).unwrap_err(), Fault::UnknownKey);
    let eddsa_only = ClientAssertionRules { algorithms: &[Algorithm::EdDsa], ..rules };
    assert_eq!(
        verify_client(&token, "clerk", &keys(&[&rsa]), &eddsa_only, NOW).unwrap_err(),
        Fault::Algorithm
    );
}

#[test]
fn an_assertion_that_names_no_key_is_by_any_of_the_clients_few_keys_and_by_nobody_elses() {
    let (old, new, thief) = (Signer::es(1), Signer::es(2), Signer::es(3));
    let nameless = |signer: &Signer| {
        let mut header = signer.header("JWT");
        header.as_object_mut().unwrap().remove("kid");
        signer.raw(&header, &claims())
    };
    let both = keys(&[&old, &new]);
    let by = |token: &str, keys: &KeySet| {
        verify_client(token, "clerk", keys, &ClientAssertionRules::strict(ISSUER), NOW).map(drop)
    };
    assert_eq!((by(&nameless(&old), &both), by(&nameless(&new), &both)), (Ok(()), Ok(())));
    assert_eq!(by(&nameless(&thief), &both), Err(Fault::Signature));
    assert_eq!(by(&nameless(&Signer::ed(1)), &both), Err(Fault::UnknownKey));
    // One that names a key is by that key.
    let misnamed = old.raw(&new.header("JWT"), &claims());
    assert_eq!(by(&misnamed, &both), Err(Fault::Signature));
    let many: Vec<Signer> = (1..=5).map(Signer::es).collect();
    let many = keys(&many.iter().collect::<Vec<_>>());
    assert_eq!(by(&nameless(&old), &many), Err(Fault::AmbiguousKey), "work for strangers is bounded");
}

#[test]
fn an_error_never_contains_the_assertion() {
    let signer = Signer::ed(1);
    let token = signer.token("JWT", &with(&claims(), json!({"jti": "", "secret": "hunter2"})));
    let error = judged(&token, &signer).unwrap_err().as_client_error();
    let text = serde_json::to_string(&error).unwrap();
    assert_eq!(error.status(), 401);
    assert!(token.split('.').all(|part| !text.contains(part)) && !text.contains("hunter2"), "{text}");
}
