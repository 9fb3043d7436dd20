use super::*;
use crate::testing::Signer;
use serde_json::json;

fn read(jwk: Value) -> Result<PublicKey, JwkFault> {
    PublicKey::from_jwk(jwk.as_object().unwrap())
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    // RFC 8037 appendix A.3, RFC 7638 section 3.1; the P-256 key of RFC 7517 appendix A.1 with its thumbprint from RFC 9278's
    // rule, computed with another implementation (jsonwebtoken).
    let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    assert_eq!(read(okp).unwrap().thumbprint().to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let rsa = json!({"kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29", "n":
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"});
    assert_eq!(read(rsa).unwrap().thumbprint().to_string(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let ec = json!({"kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"});
    let other: jsonwebtoken::jwk::Jwk = serde_json::from_value(ec.clone()).unwrap();
    let wanted = other.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
    assert_eq!(read(ec).unwrap().thumbprint().to_string(), wanted.to_string());
}

#[test]
fn private_and_shared_keys_are_refused_whatever_else_they_say() {
    let good = Signer::es(1).jwk;
    for (name, value, fault) in [
        ("d", json!("AAAA"), JwkFault::Private),
        ("p", json!(null), JwkFault::Private),
        ("oth", json!([]), JwkFault::Private),
        ("k", json!("AAAA"), JwkFault::Symmetric),
        ("kty", json!("oct"), JwkFault::Symmetric),
    ] {
        let mut jwk = good.clone();
        jwk[name] = value;
        assert_eq!(read(jwk.clone()).unwrap_err(), fault, "{name}");
        jwk["use"] = json!("enc");
        assert_eq!(read(jwk).unwrap_err(), fault, "{name} in a key for encryption");
    }
}

#[test]
fn keys_that_are_weak_damaged_or_for_something_else_are_refused() {
    let (ed, ec, rsa) = (Signer::ed(1).jwk, Signer::es(1).jwk, Signer::rsa("RS256").jwk);
    let b64 = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
    let short_n = b64(&[0xff; 255]);
    let n = rsa["n"].as_str().unwrap();
    let padded = b64(&[&[0_u8], URL_SAFE_NO_PAD.decode(n).unwrap().as_slice()].concat());
    for (key, name, value, fault) in [
        (&ed, "use", json!("enc"), JwkFault::Unsupported),
        (&ed, "key_ops", json!(["sign"]), JwkFault::Unsupported),
        (&ed, "key_ops", json!("verify"), JwkFault::Damaged),
        (&ed, "alg", json!("ES256"), JwkFault::Unsupported),
        (&ed, "alg", json!("HS256"), JwkFault::Unsupported),
        (&ed, "alg", json!("none"), JwkFault::Unsupported),
        (&ed, "crv", json!("X25519"), JwkFault::Unsupported),
        (&ed, "crv", json!("Ed448"), JwkFault::Unsupported),
        (&ed, "x", b64(&[1; 31]), JwkFault::Damaged),
        (&ed, "x", json!(7), JwkFault::Damaged),
        (&ed, "kid", json!(7), JwkFault::Damaged),
        (&ed, "kid", json!("a".repeat(257)), JwkFault::Damaged),
        (&ec, "crv", json!("secp256k1"), JwkFault::Unsupported),
        (&ec, "crv", json!("P-384"), JwkFault::Damaged),
        (&ec, "y", b64(&[1; 32]), JwkFault::Damaged),
        (&ec, "x", b64(&[0; 32]), JwkFault::Damaged),
        (&ec, "alg", json!("ES384"), JwkFault::Unsupported),
        (&rsa, "n", short_n, JwkFault::Weak),
        (&rsa, "n", padded, JwkFault::Damaged),
        (&rsa, "n", b64(&[0xff; 1025]), JwkFault::Weak),
        (&rsa, "e", json!("AQ"), JwkFault::Weak),
        (&rsa, "e", json!("Ag"), JwkFault::Weak),
        (&rsa, "e", json!(""), JwkFault::Damaged),
        (&rsa, "kty", json!(null), JwkFault::Damaged),
    ] {
        let mut jwk = key.clone();
        jwk[name] = value.clone();
        assert_eq!(read(jwk).unwrap_err(), fault, "{name} {value}");
    }
}

#[test]
fn a_key_verifies_with_its_own_kind_of_algorithm_only() {
    let message = b"message";
    for signer in [Signer::ed(1), Signer::es(1), Signer::rsa("RS256"), Signer::rsa("PS256")] {
        let key = signer.public();
        let token = signer.raw(&json!({}), &json!({}));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        for alg in Algorithm::ALL {
            let right = alg.as_str() == signer.alg;
            assert_eq!(key.verifies(*alg, signed.as_bytes(), &signature), right, "{} {alg}", signer.alg);
            assert!(!key.verifies(*alg, message, &signature), "another message");
            assert!(!key.verifies(*alg, signed.as_bytes(), &[]), "no signature");
            assert!(!key.verifies(*alg, signed.as_bytes(), &vec![0; signature.len()]), "zeros");
        }
    }
}

#[test]
fn a_jwk_reads_back_as_the_same_key() {
    for signer in [Signer::ed(1), Signer::es(1), Signer::rsa("RS256")] {
        let key = signer.public();
        let again = read(serde_json::to_value(key.jwk()).unwrap()).unwrap();
        assert_eq!(again.jwk(), key.jwk());
        assert_eq!(again.thumbprint(), key.thumbprint());
    }
}
