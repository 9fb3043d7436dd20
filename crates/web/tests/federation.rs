#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::type_complexity, reason = "tests")]

//! Workloads and people that others vouch for, over real sockets: a Kubernetes-shaped cluster, a SPIFFE trust domain, and an
//! identity provider, each serving its own keys.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/issuer.rs"]
mod issuer;

use common::{Served, files, put, serve};
use issuer::{Rsa, TestIssuer};
use provost_domain::{Issuer, Object, Person};
use serde_json::{Value, json};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

async fn trust(served: &Served, row: Value) {
    put(served, Object::Issuer(serde_json::from_value::<Issuer>(row).unwrap())).await;
}

/// The small organisation with a clerk that is in the sandbox, so that tokens need no proof, unless the test brings one.
async fn ready() -> Served {
    let served = serve().await;
    let mut files = files();
    for index in [1, 2] {
        let text = files[index]["text"].as_str().unwrap().replace("\"production\"", "\"sandbox\"");
        files[index]["text"] = json!(text);
    }
    served.post("/apply", json!({"files": files, "reason": "the test begins"})).await.ok();
    served
}

/// A cluster whose service account `payments/clerk` is the clerk.
async fn cluster(served: &Served) -> TestIssuer {
    let issuer = TestIssuer::start().await;
    let row = json!({
        "name": "cluster", "description": "the cluster", "issuer": issuer.url, "owner": "jonas",
        "keys": {"from": "discovery"},
        "workloads": {
            "audiences": [served.plane.issuer], "ahead_max": 7_200_000, "unmanaged_max": 2,
            "rules": [{"agent": "clerk", "claims": [
                {"claim": "/kubernetes.io/namespace", "equals": "payments"},
                {"claim": "/kubernetes.io/serviceaccount/name", "equals": "clerk"},
            ]}],
        },
    });
    trust(served, row).await;
    issuer
}

/// A projected service account token.
fn pod(served: &Served, issuer: &TestIssuer, account: &str) -> Value {
    let now = served.plane.now().as_seconds();
    json!({
        "iss": issuer.url, "aud": [served.plane.issuer], "sub": format!("system:serviceaccount:payments:{account}"),
        "iat": now - 5, "nbf": now - 5, "exp": now + 3_595, "jti": "0cb1",
        "kubernetes.io": {
            "namespace": "payments", "node": {"name": "n1", "uid": "1"},
            "pod": {"name": format!("{account}-0"), "uid": "2"},
            "serviceaccount": {"name": account, "uid": "3"},
        },
    })
}

async fn ask(served: &Served, form: &[(&str, &str)]) -> (u16, Value) {
    let mut body = reqwest::Url::parse("form:").unwrap();
    body.query_pairs_mut().extend_pairs(form);
    let request = served
        .client
        .post(format!("{}/oauth/token", served.plane.issuer))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.query().unwrap().to_owned());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn bear(served: &Served, assertion: &str) -> (u16, Value) {
    ask(served, &[("grant_type", JWT_BEARER), ("assertion", assertion)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_gets_a_token_with_the_token_its_cluster_gave_it_and_nothing_else() {
    let served = ready().await;
    let issuer = cluster(&served).await;
    let token = issuer.key.sign("JWT", &pod(&served, &issuer, "clerk"));
    let (status, granted) = bear(&served, &token).await;
    assert_eq!(status, 200, "{granted}");
    let claims = served
        .plane
        .token_keys
        .verifier()
        .issued(granted["access_token"].as_str().unwrap(), served.plane.now());
    let claims = claims.unwrap();
    assert_eq!((claims.sub.as_str(), claims.client_id.as_str()), ("clerk", "clerk"));
    let task = served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!((task["agent"].as_str(), task["requester"].as_str()), (Some("clerk"), Some("maria")));
    // Platforms hand out one token for many uses.
    assert_eq!(bear(&served, &token).await.0, 200);
    assert_eq!(issuer.asked(), 1, "its keys are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_platform_token_is_refused_with_its_reason() {
    let served = ready().await;
    let issuer = cluster(&served).await;
    let good = pod(&served, &issuer, "clerk");
    let now = served.plane.now().as_seconds();
    let with = |changes: Value| {
        let mut claims = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let stranger = Rsa::new("first");
    let key = &issuer.key;
    let table: Vec<(&str, String, &str)> = vec![
        ("another's key under the same kid", stranger.sign("JWT", &good), "signature"),
        (
            "for another audience",
            key.sign("JWT", &with(json!({"aud": ["https://kubernetes.default.svc"]}))),
            "aud",
        ),
        (
            "for us and somebody else",
            key.sign("JWT", &with(json!({"aud": [served.plane.issuer, "https://other"]}))),
            "aud",
        ),
        ("expired", key.sign("JWT", &with(json!({"exp": now - 61}))), "expired"),
        ("good for a year", key.sign("JWT", &with(json!({"exp": now + 31_536_000}))), ""),
        ("of tomorrow", key.sign("JWT", &with(json!({"nbf": now + 3_600}))), "not valid yet"),
        (
            "of an issuer nobody trusts",
            key.sign("JWT", &with(json!({"iss": "https://evil.example"}))),
            "issuer",
        ),
        ("an access token", key.sign("at+jwt", &good), "typ"),
        (
            "with a key of its own",
            key.sign_with(&json!({"alg": "RS256", "kid": "first", "jwk": stranger.jwk}), &good),
            "key",
        ),
        (
            "with the address of a key set",
            key.sign_with(
                &json!({"alg": "RS256", "kid": "first", "jku": "https://evil.example/jwks"}),
                &good,
            ),
            "key",
        ),
        (
            "unsigned",
            {
                let unsigned = key.sign_with(&json!({"alg": "none"}), &good);
                format!("{}.", unsigned.rsplit_once('.').unwrap().0)
            },
            "",
        ),
        ("symmetric", key.sign_with(&json!({"alg": "HS256", "kid": "first"}), &good), "alg"),
        ("garbage", "a.b.c".to_owned(), ""),
    ];
    for (what, token, reason) in table {
        let (status, refusal) = bear(&served, &token).await;
        assert_eq!((status, refusal["error"].as_str()), (400, Some("invalid_grant")), "{what}: {refusal}");
        let text = refusal["error_description"].as_str().unwrap();
        assert!(text.contains(reason), "{what}: {text}");
    }
    let agents = served.get("/agents").await.ok();
    assert_eq!(agents["items"].as_array().unwrap().len(), 1, "none of these put anybody on record");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_is_nobodys_is_put_on_record_within_a_bound_and_gets_nothing() {
    let served = ready().await;
    let issuer = cluster(&served).await;
    for account in ["miner", "miner", "scraper", "third", "fourth"] {
        let token = issuer.key.sign("JWT", &pod(&served, &issuer, account));
        let (status, refusal) = bear(&served, &token).await;
        assert_eq!((status, refusal["error"].as_str()), (400, Some("invalid_grant")), "{refusal}");
    }
    let agents = served.get("/agents?status=unmanaged").await.ok();
    let agents = agents["items"].as_array().unwrap();
    assert_eq!(agents.len(), 2, "each once, and no more than the bound: {agents:?}");
    assert!(agents.iter().all(|agent| agent["owner"] == "jonas" && agent["systems"] == json!([])));
    let name = agents.iter().find(|agent| agent["purpose"].as_str().unwrap().contains("miner")).unwrap();
    let name = name["name"].as_str().unwrap();
    let shown = served.get(&format!("/agents/{name}")).await.ok();
    assert_eq!(shown["source"], "issuer cluster");
    assert_eq!(shown["proofs"][0]["id"], "cluster#system:serviceaccount:payments:miner");

    // Adopted and given a charter, it is an agent like any other.
    for word in ["adopt", "activate"] {
        served.post(&format!("/agents/{name}/{word}"), json!({"reason": "it is ours"})).await.ok();
    }
    let token = issuer.key.sign("JWT", &pod(&served, &issuer, "miner"));
    let (status, granted) = bear(&served, &token).await;
    assert_eq!(status, 200, "{granted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_platform_rotates_in_is_found_and_one_it_withdraws_ends() {
    let served = ready().await;
    let issuer = cluster(&served).await;
    let claims = pod(&served, &issuer, "clerk");
    assert_eq!(bear(&served, &issuer.key.sign("JWT", &claims)).await.0, 200);
    let second = Rsa::new("second");
    issuer.publish(&[&second.jwk]);
    // Not asked again for every token with a key nobody knows.
    let before = issuer.asked();
    for _again in 0..5 {
        bear(&served, &second.sign("JWT", &claims)).await;
    }
    assert!(issuer.asked() <= before + 1, "{} times", issuer.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_lies_about_its_name_or_publishes_secrets_is_not_believed() {
    let served = ready().await;
    let honest = cluster(&served).await;
    let mut row = json!({
        "name": "liar", "description": "claims another's name", "issuer": "http://localhost:1", "owner": "jonas",
        "keys": {"from": "url", "url": format!("{}/jwks", honest.url)},
        "workloads": {"audiences": [served.plane.issuer], "ahead_max": 7_200_000, "unmanaged_max": 0},
    });
    // The keys of one issuer do not verify tokens of another.
    row["keys"] = json!({"from": "inline", "jwks": {"keys": [Rsa::new("other").jwk]}});
    trust(&served, row).await;
    let mut claims = pod(&served, &honest, "clerk");
    claims["iss"] = json!("http://localhost:1");
    let (status, refusal) = bear(&served, &honest.key.sign("JWT", &claims)).await;
    assert_eq!((status, refusal["error"].as_str()), (400, Some("invalid_grant")), "{refusal}");

    let mut secret = honest.key.jwk.clone();
    secret["d"] = json!("AQAB");
    honest.publish(&[&secret]);
    let (status, refusal) = bear(&served, &honest.key.sign("JWT", &pod(&served, &honest, "clerk"))).await;
    assert_eq!((status, refusal["error"].as_str()), (503, Some("temporarily_unavailable")), "{refusal}");
    assert!(refusal["error_description"].as_str().unwrap().contains("secret"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_of_a_trust_domain_authenticates_with_its_svid() {
    let served = ready().await;
    let bundle = TestIssuer::start().await;
    let mut jwk = bundle.key.jwk.clone();
    jwk["use"] = json!("jwt-svid");
    bundle.publish(&[&jwk]);
    let row = json!({
        "name": "mesh", "description": "the mesh", "issuer": "spiffe://acme.example", "owner": "jonas",
        "keys": {"from": "url", "url": format!("{}/jwks", bundle.url)},
        "workloads": {
            "audiences": [served.plane.issuer], "ahead_max": 7_200_000, "unmanaged_max": 5,
            "rules": [{"agent": "clerk", "claims": [{"claim": "/sub", "equals": "spiffe://acme.example/ns/payments/sa/clerk"}]}],
        },
    });
    trust(&served, row).await;
    let now = served.plane.now().as_seconds();
    let svid = |sub: &str, aud: Value| {
        bundle.key.sign("JWT", &json!({"sub": sub, "aud": aud, "exp": now + 300, "iat": now}))
    };
    let present = async |assertion: &str| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", kind),
            ("client_assertion", assertion),
        ];
        ask(&served, &form).await
    };
    let clerk = "spiffe://acme.example/ns/payments/sa/clerk";
    let good = svid(clerk, json!([served.plane.issuer]));
    let (status, granted) = present(&good).await;
    assert_eq!(status, 200, "{granted}");
    assert_eq!(present(&good).await.0, 200, "SVIDs are used again until they expire");
    for (what, svid) in [
        (
            "of another trust domain",
            svid("spiffe://evil.example/ns/payments/sa/clerk", json!([served.plane.issuer])),
        ),
        ("for somebody else", svid(clerk, json!(["https://other.example"]))),
        ("for two", svid(clerk, json!([served.plane.issuer, "https://other.example"]))),
        (
            "of nobody we know",
            svid("spiffe://acme.example/ns/payments/sa/cron", json!([served.plane.issuer])),
        ),
        ("with a port in its name", svid("spiffe://acme.example:1/x", json!([served.plane.issuer]))),
    ] {
        let (status, refusal) = present(&svid).await;
        assert_eq!((status, refusal["error"].as_str()), (401, Some("invalid_client")), "{what}: {refusal}");
    }
    let unmanaged = served.get("/agents?status=unmanaged").await.ok();
    assert_eq!(unmanaged["items"].as_array().unwrap().len(), 1);
}

/// The clerk as a client that signs, for ID-JAGs.
fn clerk_assertion(served: &Served, jti: &str) -> String {
    let seed = [11; 32];
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend_from_slice(&seed);
    let now = served.plane.now().as_seconds();
    let claims = json!({"iss": "clerk", "sub": "clerk", "aud": served.plane.issuer, "iat": now, "exp": now + 60, "jti": jti});
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
    jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_ed_der(&der)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_acts_for_the_person_their_identity_provider_names_and_the_token_says_both() {
    let served = ready().await;
    let key = provost_token::SigningKey::from_seed(&[11; 32]).unwrap();
    let jwk = serde_json::to_value(key.verifying().jwk()).unwrap();
    served
        .post(
            "/agents/clerk/keys",
            json!({"jwk": jwk, "reason": "its runtime", "person": "maria", "break_glass": true}),
        )
        .await
        .ok();
    let okta = TestIssuer::start().await;
    let row = json!({
        "name": "okta", "description": "our identity provider", "issuer": okta.url, "owner": "maria",
        "keys": {"from": "discovery"},
        "people": {"client_id": "provost", "sign_in": false, "assertions": true},
    });
    trust(&served, row).await;
    let mut jonas: Person = serde_json::from_value(
        json!({"name": "jonas", "display": "Jonas", "active": true, "logins": [{"issuer": "okta", "subject": "00u1", "added": 0}]}),
    )
    .unwrap();
    put(&served, Object::Person(jonas.clone())).await;
    let now = served.plane.now().as_seconds();
    let bank = format!("{}/mcp/bank", served.plane.issuer);
    let good = json!({
        "iss": okta.url, "sub": "00u1", "aud": served.plane.issuer, "client_id": "clerk", "jti": "g0", "iat": now,
        "exp": now + 300, "resource": bank, "scope": "bank", "auth_time": now - 60,
    });
    let count = std::cell::Cell::new(0);
    let redeem = async |grant: &str, more: &[(&str, &str)]| {
        count.set(count.get() + 1);
        let assertion = clerk_assertion(&served, &format!("c{}", count.get()));
        let mut form = vec![
            ("grant_type", JWT_BEARER),
            ("assertion", grant),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        form.extend_from_slice(more);
        ask(&served, &form).await
    };
    let with = |jti: &str, changes: Value| {
        let mut claims = good.clone();
        claims["jti"] = json!(jti);
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        okta.key.sign("oauth-id-jag+jwt", &claims)
    };
    let grant = with("g1", json!({}));
    let (status, granted) = redeem(&grant, &[("purpose", "the invoices of May")]).await;
    assert_eq!(status, 200, "{granted}");
    let token = granted["access_token"].as_str().unwrap();
    let claims = served.plane.token_keys.verifier().issued(token, served.plane.now()).unwrap();
    assert_eq!((claims.sub.as_str(), claims.act.as_ref().unwrap().sub.as_str()), ("jonas", "clerk"));
    assert_eq!((claims.aud.as_str(), claims.auth_time), (bank.as_str(), Some(now - 60)));
    let task = served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(
        (task["requester"].as_str(), task["purpose"].as_str()),
        (Some("jonas"), Some("the invoices of May"))
    );
    assert_eq!(task["scope"][0]["system"], "bank");

    let table: Vec<(&str, String, Vec<(&str, &str)>, &str)> = vec![
        ("again", grant.clone(), vec![], "invalid_grant"),
        ("for another client", with("b1", json!({"client_id": "helper"})), vec![], "invalid_grant"),
        ("for another server", with("b2", json!({"aud": "https://other.example"})), vec![], "invalid_grant"),
        (
            "for us and another",
            with("b3", json!({"aud": [served.plane.issuer, "https://other.example"]})),
            vec![],
            "invalid_grant",
        ),
        ("of a person nobody knows", with("b4", json!({"sub": "00u2"})), vec![], "invalid_grant"),
        ("expired", with("b5", json!({"exp": now - 61})), vec![], "invalid_grant"),
        ("of another provider", with("b6", json!({"iss": "https://evil.example"})), vec![], "invalid_grant"),
        ("as a plain token", okta.key.sign("JWT", &good), vec![], "invalid_grant"),
        (
            "for another resource",
            with("b7", json!({})),
            vec![("resource", "https://other.example/")],
            "invalid_target",
        ),
        ("for more than it says", with("b8", json!({})), vec![("scope", "bank vault")], "invalid_scope"),
        (
            "bound to a key nobody proved",
            with("b9", json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}})),
            vec![],
            "invalid_dpop_proof",
        ),
    ];
    for (what, grant, more, code) in table {
        let (status, refusal) = redeem(&grant, &more).await;
        assert_eq!((status, refusal["error"].as_str()), (400, Some(code)), "{what}: {refusal}");
    }
    // Without proving itself, nobody redeems anything.
    let (status, refusal) = bear(&served, &with("b10", json!({}))).await;
    assert_eq!((status, refusal["error"].as_str()), (400, Some("invalid_grant")), "{refusal}");
    jonas.active = false;
    put(&served, Object::Person(jonas)).await;
    let (status, refusal) = redeem(&with("b11", json!({})), &[]).await;
    assert_eq!(status, 400);
    assert!(refusal["error_description"].as_str().unwrap().contains("left"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_says_what_the_organisation_trusts_and_no_more() {
    let served = ready().await;
    let metadata = async || {
        let url = format!("{}/.well-known/oauth-authorization-server", served.plane.issuer);
        served.client.get(url).send().await.unwrap().json::<Value>().await.unwrap()
    };
    let before = metadata().await;
    assert!(before["grant_types_supported"].to_string().contains(JWT_BEARER));
    assert!(before.get("authorization_grant_profiles_supported").is_none());
    let row = json!({
        "name": "okta", "description": "our identity provider", "issuer": "https://okta.example", "owner": "maria",
        "keys": {"from": "discovery"}, "people": {"client_id": "provost", "sign_in": false, "assertions": true},
    });
    trust(&served, row).await;
    let after = metadata().await;
    assert_eq!(
        after["authorization_grant_profiles_supported"],
        json!(["urn:ietf:params:oauth:grant-profile:id-jag"])
    );
}
