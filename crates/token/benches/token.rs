//! What a token request costs: one signature in, one out, and the proof that comes along.
#![expect(clippy::unwrap_used, reason = "benchmark")]

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use criterion::{Criterion, criterion_group, criterion_main};
use provost_domain::{Timestamp, ids::Id};
use provost_token::{
    AccessClaims, ClientAssertionRules, KeyPurpose, KeySet, ProofRules, SigningKey, TaskClaims, Verifier,
    verify_client, verify_proof,
};
use serde_json::{Value, json};
use std::hint::black_box;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const ISSUER: &str = "https://plane.example";
const AUDIENCE: &str = "https://plane.example/mcp";

/// A client's own hand, so that what is measured is only our side.
fn signed(es256: bool, header: &Value, claims: &Value) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = if es256 {
        // RFC 5915: a P-256 key from its scalar.
        let head = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
        let tail = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        let der = [&head[..], &[7; 32], &tail[..]].concat();
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).unwrap();
        pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec()
    } else {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap().sign(message.as_bytes()).as_ref().to_vec()
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn token(c: &mut Criterion) {
    let keys = [SigningKey::from_seed(&[7; 32]).unwrap(), SigningKey::es256_from_seed(&[7; 32]).unwrap()];
    let claims = AccessClaims::from(TaskClaims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: "invoice-clerk".parse().unwrap(),
        client_id: "invoice-clerk".parse().unwrap(),
        task: Id::new(NOW, [3; 10]),
        iat: NOW.as_seconds(),
        exp: NOW.as_seconds() + 300,
        jti: "0123456789abcdef0123456789abcdef".into(),
    });
    let rules = ClientAssertionRules::strict(ISSUER);
    for key in &keys {
        let alg = key.algorithm();
        let es256 = alg.as_str() == "ES256";
        let jwk = serde_json::to_value(key.verifying().jwk()).unwrap();
        let set =
            KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes(), KeyPurpose::Signatures).unwrap();

        let assertion = signed(
            es256,
            &json!({"alg": alg.as_str(), "typ": "client-authentication+jwt", "kid": key.verifying().kid()}),
            &json!({"iss": "clerk", "sub": "clerk", "aud": ISSUER, "exp": NOW.as_seconds() + 60, "jti": "one"}),
        );
        c.bench_function(&format!("verify private_key_jwt {alg}"), |b| {
            b.iter(|| verify_client(black_box(&assertion), "clerk", &set, &rules, NOW).unwrap());
        });

        c.bench_function(&format!("issue {alg}"), |b| b.iter(|| black_box(&claims).issue(key).unwrap()));

        let access = claims.issue(key).unwrap();
        let verifier = Verifier::new(ISSUER, vec![key.verifying().clone()]);
        c.bench_function(&format!("verify access token {alg}"), |b| {
            b.iter(|| verifier.access(black_box(&access), &[AUDIENCE], NOW).unwrap());
        });

        let mut bare = jwk.clone();
        ["kid", "use", "alg"].iter().for_each(|name| drop(bare.as_object_mut().unwrap().remove(*name)));
        let proof = signed(
            es256,
            &json!({"alg": alg.as_str(), "typ": "dpop+jwt", "jwk": bare}),
            &json!({"jti": "one", "htm": "POST", "htu": "https://plane.example/oauth/token", "iat": NOW.as_seconds()}),
        );
        let request = ProofRules::new("POST", "https://plane.example/oauth/token");
        c.bench_function(&format!("verify DPoP {alg}"), |b| {
            b.iter(|| verify_proof(black_box(&proof), &request, NOW).unwrap());
        });
    }
}

criterion_group!(benches, token);
criterion_main!(benches);
