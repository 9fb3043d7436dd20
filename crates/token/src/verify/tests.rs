use super::*;
use crate::testing::{NOW, NOW_S, Signer, rsa_pkcs8, with};
use crate::{Actor, Confirmation, Details, MayAct, Presented, Proof, SigningKey, Thumbprint, issue, replay};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header};
use provost_domain::{TaskId, ids::TaskKind};
use serde_json::{Value, json};

const ISSUER: &str = "http://127.0.0.1:7070";
const AUDIENCE: &str = "http://127.0.0.1:7070/mcp";

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32]).unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(ISSUER, vec![key().verifying().clone()])
}

fn claims() -> TaskClaims {
    TaskClaims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: "invoice-clerk".parse().unwrap(),
        client_id: "invoice-clerk".parse().unwrap(),
        task: provost_domain::ids::Id::<TaskKind>::new(NOW, [3; 10]),
        iat: NOW_S,
        exp: NOW_S + 300,
        jti: "one".into(),
    }
}

fn body() -> Value {
    serde_json::to_value(claims()).unwrap()
}

/// Signs anything with our key, to see what a careless or hostile issuer could do.
fn signed(body: &Value) -> String {
    Signer::ed(1).token(TOKEN_TYPE, body)
}

fn access(body: &Value) -> Result<AccessClaims, TokenError> {
    verifier().access(&signed(body), &[AUDIENCE], NOW)
}

#[test]
fn a_token_says_what_was_signed() {
    let token = issue(&claims(), &key()).unwrap();
    assert_eq!(verifier().verify(&token, AUDIENCE, NOW), Ok(claims()));
    let id: TaskId = claims().task;
    assert!(token.len() < TOKEN_BYTES_MAX && !id.to_string().is_empty());
}

#[test]
fn every_claim_that_does_not_fit_has_its_own_refusal() {
    type Row = (&'static str, fn(&mut TaskClaims), TokenError);
    let table: &[Row] = &[
        ("expired", |c| c.exp = NOW_S, TokenError::Expired),
        ("not yet", |c| c.iat = NOW_S + 6, TokenError::NotYet),
        ("foreign audience", |c| c.aud = "http://elsewhere/mcp".into(), TokenError::Audience),
        ("audience is a prefix only", |c| c.aud = format!("{AUDIENCE}/x"), TokenError::Audience),
        ("foreign issuer", |c| c.iss = "http://elsewhere".into(), TokenError::Issuer),
    ];
    for (name, spoil, wanted) in table {
        let mut claims = claims();
        spoil(&mut claims);
        let token = issue(&claims, &key()).unwrap();
        assert_eq!(verifier().verify(&token, AUDIENCE, NOW).as_ref(), Err(wanted), "{name}");
    }
}

#[test]
fn the_edges_of_a_tokens_life_are_to_the_second() {
    for (iat, exp, good) in [
        (NOW_S, NOW_S + 1, true),
        (NOW_S, NOW_S, false),
        (NOW_S + 5, NOW_S + 60, true),
        (NOW_S + 6, NOW_S + 60, false),
    ] {
        assert_eq!(access(&with(&body(), json!({"iat": iat, "exp": exp}))).is_ok(), good, "{iat} {exp}");
    }
}

#[test]
fn an_unsigned_token_is_refused_whatever_it_claims() {
    let payload = URL_SAFE_NO_PAD.encode(body().to_string());
    for alg in ["none", "None", "NONE", "nOnE", "HS256", "invented"] {
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": "at+jwt"}).to_string());
        for signature in ["", "AAAA"] {
            let token = format!("{head}.{payload}.{signature}");
            assert_eq!(verifier().verify(&token, AUDIENCE, NOW), Err(TokenError::Algorithm), "{alg}");
        }
    }
}

#[test]
fn the_public_key_used_as_a_shared_secret_signs_nothing() {
    let jwk = key().verifying().jwk();
    let x = jwk.x.unwrap();
    for secret in [URL_SAFE_NO_PAD.decode(&x).unwrap(), x.into_bytes()] {
        let mut head = Header::new(jsonwebtoken::Algorithm::HS256);
        head.typ = Some(TOKEN_TYPE.into());
        head.kid = Some(jwk.kid.clone());
        let token = jsonwebtoken::encode(&head, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        assert_eq!(verifier().verify(&token, AUDIENCE, NOW), Err(TokenError::Algorithm));
    }
}

#[test]
fn another_key_another_type_and_a_touched_byte_are_refused() {
    let other = SigningKey::from_seed(&[2; 32]).unwrap();
    let foreign = issue(&claims(), &other).unwrap();
    assert_eq!(verifier().verify(&foreign, AUDIENCE, NOW), Err(TokenError::UnknownKey));

    // Another key that calls itself ours.
    let forged = Signer::ed(2).raw(&Signer::ed(1).header(TOKEN_TYPE), &body());
    assert_eq!(verifier().verify(&forged, AUDIENCE, NOW), Err(TokenError::Signature));

    // A key that comes along, and a token that names none.
    let mut header = Signer::ed(2).header(TOKEN_TYPE);
    header["jwk"] = Signer::ed(2).bare_jwk();
    let forged = Signer::ed(2).raw(&header, &body());
    assert_eq!(verifier().verify(&forged, AUDIENCE, NOW), Err(TokenError::Malformed));
    let unnamed = Signer::ed(1).raw(&json!({"alg": "EdDSA", "typ": TOKEN_TYPE}), &body());
    assert_eq!(verifier().verify(&unnamed, AUDIENCE, NOW), Err(TokenError::UnknownKey));

    for typ in ["JWT", "id+jwt", crate::ID_JAG_TYPE, crate::dpop::DPOP_TYPE, "client-authentication+jwt"] {
        let token = Signer::ed(1).token(typ, &body());
        assert_eq!(verifier().verify(&token, AUDIENCE, NOW), Err(TokenError::Type), "{typ}");
    }

    let token = issue(&claims(), &key()).unwrap();
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let touched = String::from_utf8(bytes).unwrap();
        assert!(verifier().verify(&touched, AUDIENCE, NOW).is_err(), "byte {at}");
    }
}

#[test]
fn a_token_without_a_required_claim_is_refused() {
    for missing in ["iss", "aud", "sub", "client_id", "task", "iat", "exp", "jti"] {
        assert_eq!(access(&with(&body(), json!({ missing: null }))), Err(TokenError::Claims), "{missing}");
    }
    let two = with(&body(), json!({"aud": [AUDIENCE, "http://elsewhere"]}));
    assert_eq!(access(&two), Err(TokenError::Claims), "one audience only");
    let twice = Signer::ed(1).text(
        &Signer::ed(1).header(TOKEN_TYPE).to_string(),
        &body().to_string().replacen('{', "{\"sub\":\"somebody-else\",", 1),
    );
    assert_eq!(verifier().access(&twice, &[AUDIENCE], NOW), Err(TokenError::Malformed), "a claim twice");
}

#[test]
fn what_is_no_token_is_refused_unread() {
    for text in ["", ".", "..", "a.b.c", "Bearer x", &"a".repeat(TOKEN_BYTES_MAX + 1)] {
        assert!(verifier().verify(text, AUDIENCE, NOW).is_err(), "{text}");
    }
}

#[test]
fn every_key_of_the_ring_verifies_with_its_own_algorithm_and_until_its_end() {
    let (old, new) = (SigningKey::from_seed(&[8; 32]).unwrap(), SigningKey::from_seed(&[9; 32]).unwrap());
    let es = SigningKey::es256_from_seed(&[9; 32]).unwrap();
    let rs = SigningKey::from_pkcs8(Algorithm::Rs256, rsa_pkcs8()).unwrap();
    let tokens = [&old, &new, &es, &rs].map(|key| issue(&claims(), key).unwrap());
    let end = Timestamp::from_millis(NOW.as_millis() + 1_000);
    let ring = KeyRing::new(new)
        .with_signing(es)
        .with_signing(rs)
        .with_verifying(old.verifying().clone(), Some(end));
    let verifier = Verifier::with_ring(ISSUER, &ring);
    for token in &tokens {
        assert_eq!(verifier.verify(token, AUDIENCE, NOW), Ok(claims()));
    }
    assert_eq!(verifier.verify(&tokens[0], AUDIENCE, end), Err(TokenError::UnknownKey), "forgotten");
    assert_eq!(verifier.verify(&tokens[1], AUDIENCE, end), Ok(claims()));

    // PS256 by the RSA key of the ring, which is for RS256.
    let mut header = Signer::rsa("PS256").header(TOKEN_TYPE);
    assert_eq!(
        verifier.verify(&Signer::rsa("PS256").raw(&header, &body()), AUDIENCE, NOW),
        Err(TokenError::Algorithm)
    );
    // The name of one key with the algorithm of another.
    header["alg"] = json!("ES256");
    let mixed = Signer::es(9).raw(&header, &body());
    assert_eq!(verifier.verify(&mixed, AUDIENCE, NOW), Err(TokenError::UnknownKey));
}

#[test]
fn a_delegated_token_names_actor_principal_and_chain() {
    let on_its_own = access(&body()).unwrap();
    let names = |claims: &AccessClaims| claims.chain().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (on_its_own.actor().as_str(), names(&on_its_own)),
        ("invoice-clerk", vec!["invoice-clerk".into()])
    );

    let delegated = access(&with(
        &body(),
        json!({"sub": "maria", "client_id": "helper", "act": {"sub": "helper", "act": {"sub": "invoice-clerk"}}}),
    ))
    .unwrap();
    assert_eq!(delegated.actor().as_str(), "helper");
    assert_eq!(delegated.principal().as_str(), "maria");
    assert_eq!(names(&delegated), ["helper", "invoice-clerk", "maria"]);
}

#[test]
fn a_chain_that_does_not_add_up_is_refused() {
    let deep =
        |n: usize| (1..n).fold(json!({"sub": "a0"}), |act, n| json!({"sub": format!("a{n}"), "act": act}));
    let chain = |n: usize| json!({"sub": "maria", "client_id": format!("a{}", n - 1), "act": deep(n)});
    for (name, changes, good) in [
        ("presenter is the actor", json!({"sub": "maria", "act": {"sub": "invoice-clerk"}}), true),
        ("presenter is not the actor", json!({"sub": "maria", "act": {"sub": "other"}}), false),
        (
            "presenter is an inner actor",
            json!({"sub": "maria", "act": {"sub": "b", "act": {"sub": "invoice-clerk"}}}),
            false,
        ),
        ("presenter is not the subject", json!({"sub": "maria"}), false),
        ("actor is the subject", json!({"act": {"sub": "invoice-clerk"}}), false),
        (
            "twice in the chain",
            json!({"sub": "maria", "act": {"sub": "invoice-clerk", "act": {"sub": "b", "act": {"sub": "b"}}}}),
            false,
        ),
        ("our own issuer", json!({"sub": "maria", "act": {"sub": "invoice-clerk", "iss": ISSUER}}), true),
        (
            "another's actor",
            json!({"sub": "maria", "act": {"sub": "invoice-clerk", "iss": "https://evil"}}),
            false,
        ),
        (
            "another's inner actor",
            json!({"sub": "maria", "act": {"sub": "invoice-clerk", "act": {"sub": "b", "iss": "https://evil"}}}),
            false,
        ),
        ("another's may_act", json!({"may_act": {"sub": "b", "iss": "https://evil"}}), false),
        ("act without sub", json!({"sub": "maria", "act": {"iss": ISSUER}}), false),
        ("act is a text", json!({"sub": "maria", "act": "invoice-clerk"}), false),
        ("as deep as can be", chain(16), true),
        ("deeper", chain(17), false),
        ("absurdly deep", chain(200), false),
    ] {
        assert_eq!(access(&with(&body(), changes)).is_ok(), good, "{name}");
    }
    // And nobody can make us sign one.
    let mut claims = AccessClaims::from(claims());
    claims.act = Some(Actor::new("other".parse().unwrap()));
    assert_eq!(claims.issue(&key()), Err(TokenError::Claims));
}

#[test]
fn a_token_that_says_more_is_refused_where_only_the_plain_part_is_read() {
    let thumbprint = Thumbprint::of(b"key").to_string();
    for extra in [
        json!({"cnf": {"jkt": thumbprint}}),
        json!({"authorization_details": [{"type": "provost_task", "system": "bank"}]}),
        json!({"sub": "maria", "act": {"sub": "invoice-clerk"}}),
        json!({"scope": "read"}),
        json!({"may_act": {"sub": "b"}}),
    ] {
        let token = signed(&with(&body(), extra.clone()));
        assert!(verifier().access(&token, &[AUDIENCE], NOW).is_ok(), "{extra}");
        assert_eq!(verifier().verify(&token, AUDIENCE, NOW), Err(TokenError::Claims), "{extra}");
    }
}

#[test]
fn everything_a_token_can_say_survives_the_way() {
    let claims = AccessClaims {
        scope: Some("a b".parse().unwrap()),
        act: Some(Actor::new("invoice-clerk".parse().unwrap())),
        sub: "maria".parse().unwrap(),
        may_act: Some(MayAct { sub: "helper".parse().unwrap(), iss: None }),
        cnf: Some(Confirmation::X5t(Thumbprint::of(b"certificate"))),
        authorization_details: Some(
            Details::parse_text(
                r#"[{"type":"provost_task","system":"bank","args":{"amount":{"max":"100"}}}]"#,
            )
            .unwrap(),
        ),
        auth_time: Some(NOW_S - 60),
        acr: Some("phr".into()),
        ..claims().into()
    };
    for key in [key(), SigningKey::es256_from_seed(&[1; 32]).unwrap()] {
        let verifier = Verifier::new(ISSUER, vec![key.verifying().clone()]);
        let token = claims.issue(&key).unwrap();
        assert_eq!(verifier.access(&token, &["x", AUDIENCE], NOW).as_ref(), Ok(&claims));
        assert_eq!(verifier.issued(&token, NOW).as_ref(), Ok(&claims));
        assert_eq!(verifier.access(&token, &[], NOW), Err(TokenError::Audience));
    }
    let text = serde_json::to_value(&claims).unwrap();
    assert_eq!(text["cnf"]["x5t#S256"], Thumbprint::of(b"certificate").to_string());
    assert_eq!(text["authorization_details"][0]["type"], "provost_task");
}

#[test]
fn a_binding_we_cannot_check_makes_a_token_unusable() {
    let thumbprint = Thumbprint::of(b"key").to_string();
    for cnf in [
        json!({}),
        json!({"jwk": {}}),
        json!({"kid": "x"}),
        json!({"jkt": "short"}),
        json!({"jkt": thumbprint, "x5t#S256": thumbprint}),
        json!({"jkt": thumbprint, "kid": "x"}),
        json!("jkt"),
    ] {
        assert_eq!(access(&with(&body(), json!({ "cnf": cnf }))), Err(TokenError::Claims), "{cnf}");
    }
}

#[test]
fn a_bound_token_is_good_with_its_key_only_and_an_unbound_one_without() {
    let (mine, theirs) = (Thumbprint::of(b"mine"), Thumbprint::of(b"theirs"));
    let proof = |jkt, covers_token| Proof {
        jkt,
        covers_token,
        replay: replay::Replay {
            kind: replay::ReplayKind::Dpop,
            issuer: String::new(),
            jti: String::new(),
            until: NOW,
        },
    };
    let (by_me, by_them, without_token) = (proof(mine, true), proof(theirs, true), proof(mine, false));
    let bound = |cnf| AccessClaims { cnf, ..claims().into() };
    let (plain, dpop, mtls) =
        (bound(None), bound(Some(Confirmation::Jkt(mine))), bound(Some(Confirmation::X5t(mine))));
    for (name, claims, presented, good) in [
        ("plain", &plain, Presented::Bearer(None), true),
        ("plain with a certificate", &plain, Presented::Bearer(Some(mine)), true),
        ("plain sent as bound", &plain, Presented::Dpop(&by_me), false),
        ("bound with its key", &dpop, Presented::Dpop(&by_me), true),
        ("stolen, with the thief's key", &dpop, Presented::Dpop(&by_them), false),
        ("stolen, as bearer", &dpop, Presented::Bearer(None), false),
        ("stolen, as bearer with a certificate", &dpop, Presented::Bearer(Some(mine)), false),
        ("a proof that was not made for a token", &dpop, Presented::Dpop(&without_token), false),
        ("certificate", &mtls, Presented::Bearer(Some(mine)), true),
        ("another certificate", &mtls, Presented::Bearer(Some(theirs)), false),
        ("no certificate", &mtls, Presented::Bearer(None), false),
        ("a proof instead of the certificate", &mtls, Presented::Dpop(&by_me), false),
    ] {
        assert_eq!(claims.check_binding(presented).is_ok(), good, "{name}");
    }
}

#[test]
fn introspection_says_all_of_a_good_token_and_nothing_of_a_bad_one() {
    let claims = AccessClaims { cnf: Some(Confirmation::Jkt(Thumbprint::of(b"k"))), ..claims().into() };
    let answer = serde_json::to_value(crate::Introspection::active(claims)).unwrap();
    assert_eq!(
        (&answer["active"], &answer["token_type"], &answer["sub"]),
        (&json!(true), &json!("DPoP"), &json!("invoice-clerk"))
    );
    assert!(answer["cnf"]["jkt"].is_string());
    let answer = serde_json::to_value(crate::Introspection::inactive()).unwrap();
    assert_eq!(answer, json!({"active": false}));
}
