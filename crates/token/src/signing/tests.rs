use super::*;
use crate::jws::{Jws, JwsRules};
use crate::testing::{NOW, rsa_pkcs8};
use crate::{Fault, KeyRing};
use provost_domain::DurationMs;
use serde_json::{Value, json};

fn all() -> Vec<SigningKey> {
    vec![
        SigningKey::from_seed(&[7; 32]).unwrap(),
        SigningKey::es256_from_seed(&[7; 32]).unwrap(),
        SigningKey::from_pkcs8(Algorithm::Rs256, rsa_pkcs8()).unwrap(),
    ]
}

#[test]
fn a_signing_key_never_shows_its_seed() {
    for key in all() {
        let shown = format!("{key:?} {:?}", key.verifying());
        // Its public name, and nothing else.
        let kid = key.verifying().kid();
        assert_eq!(shown, format!("SigningKey({kid}) VerifyingKey({kid})"));
    }
}

#[test]
fn what_a_key_signs_another_implementation_verifies() {
    for key in all() {
        let token = key.sign("JWT", &json!({"sub": "x", "exp": 1})).unwrap();
        let jwk: jsonwebtoken::jwk::Jwk =
            serde_json::from_value(serde_json::to_value(key.verifying().jwk()).unwrap()).unwrap();
        let alg: jsonwebtoken::Algorithm = key.algorithm().as_str().parse().unwrap();
        let mut validation = jsonwebtoken::Validation::new(alg);
        validation.validate_exp = false;
        let decoding = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let read = jsonwebtoken::decode::<Value>(&token, &decoding, &validation).unwrap();
        assert_eq!(read.claims["sub"], "x");
        assert_eq!(read.header.kid.as_deref(), Some(key.verifying().kid()));
    }
}

#[test]
fn a_seed_or_document_that_is_no_key_is_refused() {
    assert!(SigningKey::es256_from_seed(&[0; 32]).is_err());
    assert!(SigningKey::es256_from_seed(&[0xff; 32]).is_err(), "not below the order");
    for alg in Algorithm::ALL {
        assert!(SigningKey::from_pkcs8(*alg, b"nonsense").is_err());
        if *alg != Algorithm::Rs256 {
            assert!(SigningKey::from_pkcs8(*alg, rsa_pkcs8()).is_err(), "{alg}");
        }
    }
}

#[test]
fn a_stored_public_key_comes_back_and_a_renamed_one_does_not() {
    for key in all() {
        let mut jwk = serde_json::to_value(key.verifying().jwk()).unwrap();
        let again = VerifyingKey::from_jwk(&jwk.to_string()).unwrap();
        assert_eq!((again.kid(), again.algorithm()), (key.verifying().kid(), key.algorithm()));
        jwk["kid"] = json!("other");
        assert!(VerifyingKey::from_jwk(&jwk.to_string()).is_err());
    }
}

#[test]
fn a_ring_publishes_each_key_once_and_a_previous_one_until_its_end() {
    let [old, new, next] = [1, 2, 3].map(|seed| SigningKey::from_seed(&[seed; 32]).unwrap());
    let es = SigningKey::es256_from_seed(&[1; 32]).unwrap();
    let end = NOW.plus(DurationMs::from_secs(300));
    let names = [&new, &es, &old, &next].map(|key| key.verifying().kid().to_owned());
    let again = new.verifying().clone();
    let ring = KeyRing::new(new)
        .with_signing(es)
        .with_verifying(old.verifying().clone(), Some(end))
        .with_verifying(next.verifying().clone(), None)
        .with_verifying(again, Some(NOW));
    let at = |now| ring.jwks(now).keys.into_iter().map(|jwk| jwk.kid).collect::<Vec<_>>();
    assert_eq!(at(NOW), names);
    assert_eq!(at(end), [names[0].clone(), names[1].clone(), names[3].clone()]);
    assert_eq!(
        ring.signing(Algorithm::EdDsa).map(|key| key.verifying().kid().to_owned()),
        Some(names[0].clone())
    );
    assert!(ring.signing(Algorithm::Rs256).is_none());
    let text = serde_json::to_string(&ring.jwks(NOW)).unwrap();
    assert!(!text.contains("\"d\""), "{text}");
}

#[test]
fn a_key_of_the_ring_does_not_verify_under_another_algorithm() {
    let key = SigningKey::from_pkcs8(Algorithm::Rs256, rsa_pkcs8()).unwrap();
    let token = crate::testing::Signer::rsa("PS256").raw(&json!({"alg": "PS256"}), &json!({}));
    let rules = JwsRules {
        bytes_max: 4_096,
        algorithms: Algorithm::ALL,
        types: &[],
        type_may_be_absent: true,
        embedded_key: false,
    };
    let jws = Jws::read(&token, &rules).unwrap();
    assert_eq!(jws.verify(key.verifying().public()), Err(Fault::Signature));
}
