use super::*;
use crate::outward::OutwardGrant;
use crate::testing::{NOW, NOW_S, Signer, keys, with};
use crate::{SigningKey, Thumbprint};
use serde_json::json;

const PROVIDER: &str = "https://idp.example";
const ISSUER: &str = "https://plane.example";
const RULES_HERE: IdJagRules<'static> =
    IdJagRules { provider: PROVIDER, issuer: ISSUER, client_id: "clerk", ahead_seconds_max: 600 };

fn claims() -> Value {
    json!({
        "iss": PROVIDER, "sub": "u-17", "aud": ISSUER, "client_id": "clerk", "jti": "one",
        "iat": NOW_S, "exp": NOW_S + 300, "scope": "read write", "resource": "https://plane.example/mcp",
        "auth_time": NOW_S - 50, "acr": "phr", "email": "maria@example.org",
    })
}

fn judged(claims: &Value) -> Result<IdJag, Fault> {
    let signer = Signer::es(1);
    verify_id_jag(&signer.token(ID_JAG_TYPE, claims), &keys(&[&signer]), &RULES_HERE, NOW)
}

#[test]
fn a_good_grant_says_who_for_what_and_what_to_remember() {
    let grant = judged(&claims()).unwrap();
    assert_eq!((grant.provider.as_str(), grant.subject.as_str()), (PROVIDER, "u-17"));
    assert_eq!(grant.resources, ["https://plane.example/mcp"]);
    assert_eq!(grant.scope.unwrap().to_string(), "read write");
    assert_eq!((grant.replay.issuer.as_str(), grant.replay.jti.as_str()), (PROVIDER, "one"));
    assert_eq!(grant.replay.until.as_seconds(), NOW_S + 300);
    let jkt = Thumbprint::of(b"key");
    let bound =
        with(&claims(), json!({"cnf": {"jkt": jkt}, "act": {"sub": "x", "act": {"sub": "y", "iss": "z"}}}));
    let bound = judged(&bound).unwrap();
    assert_eq!(bound.cnf, Some(Confirmation::Jkt(jkt)));
    assert_eq!(bound.act.unwrap().depth(), 2);
    let token = Signer::es(1).token(ID_JAG_TYPE, &claims());
    assert_eq!(claimed_provider(&token).as_deref(), Some(PROVIDER));
    assert_eq!(claimed_provider(&Signer::es(1).token("JWT", &claims())), None);
}

#[test]
fn whatever_does_not_fit_is_refused() {
    let deep = (0..17).fold(json!({"sub": "a"}), |act, _n| json!({"sub": "a", "act": act}));
    for (changes, fault) in [
        (json!({"iss": "https://evil"}), Fault::Issuer),
        (json!({"iss": null}), Fault::Missing("iss")),
        (json!({"aud": "https://other-as"}), Fault::Audience),
        (json!({"aud": [ISSUER, "https://other-as"]}), Fault::Audience),
        (json!({"aud": format!("{ISSUER}/oauth/token")}), Fault::Audience),
        (json!({"client_id": "other"}), Fault::Client),
        (json!({"client_id": null}), Fault::Missing("client_id")),
        (json!({"sub": null}), Fault::Missing("sub")),
        (json!({"jti": null}), Fault::Missing("jti")),
        (json!({"exp": null}), Fault::Missing("exp")),
        (json!({"exp": NOW_S}), Fault::Expired),
        (json!({"exp": NOW_S + 601}), Fault::LongLived { seconds_max: 600 }),
        (json!({"iat": null}), Fault::Missing("iat")),
        (json!({"iat": NOW_S + 31}), Fault::NotYet),
        (json!({"scope": ["read"]}), Fault::Claim("scope")),
        (json!({"scope": "a  b"}), Fault::Claim("scope")),
        (json!({"resource": 7}), Fault::Claim("resource")),
        (json!({"act": "x"}), Fault::Claim("act")),
        (json!({"act": deep}), Fault::Claim("act")),
        (json!({"cnf": {"jwk": {}}}), Fault::Claim("cnf")),
        (json!({"cnf": {}}), Fault::Claim("cnf")),
    ] {
        assert_eq!(judged(&with(&claims(), changes.clone())).unwrap_err(), fault, "{changes}");
    }
    let signer = Signer::es(1);
    for typ in ["JWT", "at+jwt", "id+jwt"] {
        let token = signer.token(typ, &claims());
        let refused = verify_id_jag(&token, &keys(&[&signer]), &RULES_HERE, NOW);
        assert_eq!(refused.unwrap_err(), Fault::Type, "{typ}");
    }
    let forged = Signer::es(2).raw(&signer.header(ID_JAG_TYPE), &claims());
    assert_eq!(verify_id_jag(&forged, &keys(&[&signer]), &RULES_HERE, NOW).unwrap_err(), Fault::Signature);
}

#[test]
fn the_plane_does_not_redeem_its_own_grants() {
    let signer = Signer::es(1);
    let claims = with(&claims(), json!({"iss": ISSUER}));
    let rules = IdJagRules { provider: ISSUER, ..RULES_HERE };
    let token = signer.token(ID_JAG_TYPE, &claims);
    assert_eq!(verify_id_jag(&token, &keys(&[&signer]), &rules, NOW).unwrap_err(), Fault::Issuer);
}

#[test]
fn a_grant_we_issue_for_an_upstream_is_one_it_accepts_and_no_access_token_here() {
    let key = SigningKey::es256_from_seed(&[5; 32]).unwrap();
    let upstream = "https://bank.example";
    let mut grant = OutwardGrant {
        iss: ISSUER.into(),
        aud: upstream.into(),
        sub: "maria".into(),
        client_id: Some("provost".into()),
        iat: NOW_S,
        exp: NOW_S + 60,
        jti: "one".into(),
        act: Some(Actor { sub: "clerk".into(), iss: Some(ISSUER.into()), act: None }),
        resource: Some("https://bank.example/api".into()),
        email: None,
        task: None,
        scope: Some("pay".into()),
        authorization_details: None,
        cnf: None,
    };
    let set = KeySet::of([crate::PublicKey::from_jwk(
        serde_json::to_value(key.verifying().jwk()).unwrap().as_object().unwrap(),
    )
    .unwrap()])
    .unwrap();
    let rules =
        IdJagRules { provider: ISSUER, issuer: upstream, client_id: "provost", ahead_seconds_max: 300 };
    let read = verify_id_jag(&grant.issue_id_jag(&key).unwrap(), &set, &rules, NOW).unwrap();
    assert_eq!((read.subject.as_str(), read.act.unwrap().sub.as_str()), ("maria", "clerk"));

    let verifier = crate::Verifier::new(ISSUER, vec![key.verifying().clone()]);
    for token in [grant.issue(&key).unwrap(), grant.issue_id_jag(&key).unwrap()] {
        assert_eq!(verifier.issued(&token, NOW), Err(crate::TokenError::Type));
    }
    grant.client_id = None;
    assert!(grant.issue_id_jag(&key).is_err());
}
