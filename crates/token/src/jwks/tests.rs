use super::*;
use crate::testing::Signer;
use serde_json::json;

fn parse(keys: &[Value]) -> Result<KeySet, KeySetFault> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), KeyPurpose::Signatures)
}

fn named(mut jwk: Value, kid: &str) -> Value {
    jwk["kid"] = json!(kid);
    jwk
}

#[test]
fn unusable_keys_are_passed_over_and_leaked_ones_spoil_the_set() {
    let good = Signer::es(1).jwk;
    let for_encryption = json!({"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"});
    let unknown = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"});
    let weak = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
    let set = parse(&[for_encryption.clone(), unknown, weak, good.clone()]).unwrap();
    assert_eq!(set.keys().len(), 1);
    assert_eq!(parse(&[for_encryption]).unwrap_err(), KeySetFault::Empty);
    let mut private = good.clone();
    private["d"] = json!("AAAA");
    assert_eq!(parse(&[good.clone(), private]).unwrap_err(), KeySetFault::Key(JwkFault::Private));
    let shared = json!({"kty": "oct", "k": "c2VjcmV0"});
    assert_eq!(parse(&[good, shared]).unwrap_err(), KeySetFault::Key(JwkFault::Symmetric));
}

#[test]
fn one_name_for_two_keys_of_a_kind_is_refused_and_for_two_kinds_is_not() {
    let (a, b, c) = (Signer::es(1).jwk, Signer::es(2).jwk, Signer::ed(1).jwk);
    assert_eq!(parse(&[named(a.clone(), "x"), named(b, "x")]).unwrap_err(), KeySetFault::DuplicateKid);
    assert_eq!(parse(&[named(a.clone(), "x"), named(c, "x")]).unwrap().keys().len(), 2);
    assert_eq!(parse(&[named(a.clone(), "x"), named(a, "x")]).unwrap().keys().len(), 1);
}

#[test]
fn a_set_is_bounded_and_reads_strictly() {
    let key = Signer::es(1).jwk;
    let many: Vec<Value> = (0..=KEYS_MAX).map(|n| named(key.clone(), &n.to_string())).collect();
    assert_eq!(parse(&many).unwrap_err(), KeySetFault::TooMany);
    assert!(parse(&many[1..]).is_ok());
    let long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "a".repeat(KEY_SET_BYTES_MAX));
    for (text, fault) in [
        (long.as_str(), KeySetFault::TooLong),
        ("", KeySetFault::Malformed),
        ("[]", KeySetFault::Malformed),
        ("{}", KeySetFault::Malformed),
        (r#"{"keys":[1]}"#, KeySetFault::Malformed),
        (r#"{"keys":[],"keys":[]}"#, KeySetFault::Malformed),
        (r#"{"keys":[]}"#, KeySetFault::Empty),
    ] {
        assert_eq!(KeySet::parse(text.as_bytes(), KeyPurpose::Signatures).unwrap_err(), fault, "{text:.40}");
    }
}

#[test]
fn a_token_without_kid_finds_the_only_key_that_fits_and_never_one_of_two() {
    let (ed, es1, es2) = (Signer::ed(1), Signer::es(1), Signer::es(2));
    let set = parse(&[ed.jwk.clone(), es1.jwk.clone(), es2.jwk.clone()]).unwrap();
    let found = |kid: Option<&str>, alg| set.select(kid, alg).map(|key| key.jwk().kid);
    assert_eq!(found(None, Algorithm::EdDsa), Ok(ed.kid().to_owned()));
    assert_eq!(found(None, Algorithm::Es256), Err(Fault::AmbiguousKey));
    assert_eq!(found(None, Algorithm::Rs256), Err(Fault::UnknownKey));
    assert_eq!(found(Some(es2.kid()), Algorithm::Es256), Ok(es2.kid().to_owned()));
    assert_eq!(
        found(Some(ed.kid()), Algorithm::Es256),
        Err(Fault::UnknownKey),
        "the key's own algorithm only"
    );
    assert_eq!(found(Some("../../dev/null"), Algorithm::EdDsa), Err(Fault::UnknownKey));
    assert_eq!(found(Some(""), Algorithm::EdDsa), Err(Fault::UnknownKey));
}

#[test]
fn svid_keys_are_those_that_say_so() {
    let (mut svid, mut x509, plain) = (Signer::es(1).jwk, Signer::es(2).jwk, Signer::es(3).jwk);
    svid["use"] = json!("jwt-svid");
    x509["use"] = json!("x509-svid");
    let text = json!({ "keys": [svid, x509, plain], "spiffe_sequence": 1 }).to_string();
    let count = |purpose| KeySet::parse(text.as_bytes(), purpose).unwrap().keys().len();
    assert_eq!((count(KeyPurpose::JwtSvids), count(KeyPurpose::Signatures)), (1, 2));
}
