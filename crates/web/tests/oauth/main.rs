#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! The authorization server over a real socket: who gets a token, and every way not to get one.

#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../common/mod.rs"]
mod common;

mod handed_on;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{Served, files, serve};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use provost_domain::Digest;
use provost_token::SigningKey;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// An agent's runtime: its name and its key.
struct Runtime {
    name: &'static str,
    seed: [u8; 32],
}

const CLERK: Runtime = Runtime { name: "clerk", seed: [11; 32] };
const HELPER: Runtime = Runtime { name: "helper", seed: [12; 32] };
const STRANGER: Runtime = Runtime { name: "clerk", seed: [13; 32] };

impl Runtime {
    fn public(&self) -> Value {
        json!(SigningKey::from_seed(&self.seed).unwrap().verifying().jwk())
    }

    fn signed(&self, header: &Header, claims: &Value) -> String {
        // PKCS#8 v1 of an Ed25519 key (RFC 8410 section 7).
        let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        der.extend_from_slice(&self.seed);
        jsonwebtoken::encode(header, claims, &EncodingKey::from_ed_der(&der)).unwrap()
    }

    /// `private_key_jwt`, as it should be, but for what the test spoils.
    fn assertion(&self, served: &Served, spoil: impl FnOnce(&mut Value)) -> String {
        let now = served.plane.now().as_seconds();
        let mut claims = json!({
            "iss": self.name, "sub": self.name, "aud": served.plane.issuer,
            "iat": now, "exp": now + 60, "jti": fresh(),
        });
        spoil(&mut claims);
        self.signed(&Header::new(Algorithm::EdDSA), &claims)
    }

    /// A DPoP proof for a request, with the token it goes with, if any.
    fn proof(&self, served: &Served, method: &str, path: &str, token: Option<&str>) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("dpop+jwt".to_owned());
        header.jwk = Some(serde_json::from_value::<Jwk>(self.public()).unwrap());
        let mut claims = json!({
            "htm": method, "htu": format!("{}{path}", served.plane.issuer),
            "iat": served.plane.now().as_seconds(), "jti": fresh(),
        });
        if let Some(token) = token {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(Digest::of(token.as_bytes()).as_bytes()));
        }
        self.signed(&header, &claims)
    }

    fn form(&self, served: &Served, more: &[(&str, &str)]) -> Vec<(String, String)> {
        self.form_with(&self.assertion(served, |_| {}), more)
    }

    fn form_with(&self, assertion: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let fixed = [
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
        ];
        fixed.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// A token with a proof of this runtime's key.
    async fn bound(&self, served: &Served, more: &[(&str, &str)]) -> (u16, Value) {
        let proof = self.proof(served, "POST", "/oauth/token", None);
        send(served, "token", &self.form(served, more), Some(&proof)).await
    }

    async fn own(&self, served: &Served) -> Value {
        let (status, granted) = self.bound(served, &[("grant_type", "client_credentials")]).await;
        assert_eq!(status, 200, "{granted}");
        granted
    }
}

fn fresh() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("jti-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn send(
    served: &Served,
    endpoint: &str,
    form: &[(String, String)],
    proof: Option<&str>,
) -> (u16, Value) {
    let mut body = reqwest::Url::parse("form:").unwrap();
    body.query_pairs_mut().extend_pairs(form);
    let mut request = served
        .client
        .post(format!("http://{}/oauth/{endpoint}", served.address))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.query().unwrap().to_owned());
    if let Some(proof) = proof {
        request = request.header("dpop", proof);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The small organisation, with a helper that the clerk may hand work to, and a key for each.
async fn ready() -> Served {
    let served = serve().await;
    let mut files = files();
    let clerk = format!("{}\n[delegation]\ndepth_max = 1\nchildren_max = 2\n", common::CLERK);
    let helper =
        common::CLERK.replace("tools = [\"list_accounts\", \"transfer\"]", "tools = [\"list_accounts\"]");
    let helper = helper.split("[[budget]]").next().unwrap().to_owned();
    files[2]["text"] = json!(clerk);
    files.as_array_mut().unwrap().push(json!({"path": "agents/helper.toml", "text": helper}));
    served.post("/apply", json!({"files": files, "reason": "the test begins"})).await.ok();
    for runtime in [CLERK, HELPER] {
        let path = format!("/agents/{}/keys", runtime.name);
        served.post(&path, registered(runtime.public())).await.ok();
    }
    served
}

/// What registers a key at once. That others are asked has a test of its own (`ways_in.rs`).
fn registered(jwk: Value) -> Value {
    json!({"jwk": jwk, "reason": "its runtime", "person": "maria", "break_glass": true})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_signs_gets_a_bound_token_for_one_task_and_no_secret_is_shared() {
    let served = ready().await;
    let more = [
        ("grant_type", "client_credentials"),
        ("purpose", "the invoices of May"),
        ("resource", &format!("{}/mcp/bank", served.plane.issuer)),
        (
            "authorization_details",
            r#"[{"type":"provost_task","system":"bank","tools":["transfer"],"args":{"amount":{"max":"100"}}}]"#,
        ),
    ];
    let (status, granted) = CLERK.bound(&served, &more).await;
    assert_eq!(status, 200, "{granted}");
    assert_eq!(granted["token_type"], "DPoP");
    assert!(granted["expires_in"].as_i64().unwrap() <= 15 * 60);
    let token = granted["access_token"].as_str().unwrap();
    let claims = served.plane.token_keys.verifier().issued(token, served.plane.now()).unwrap();
    assert_eq!(claims.aud, format!("{}/mcp/bank", served.plane.issuer));
    assert_eq!((claims.sub.as_str(), claims.act), ("clerk", None));
    let task = served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(
        (task["purpose"].as_str(), task["requester"].as_str()),
        (Some("the invoices of May"), Some("maria"))
    );
    assert_eq!(task["scope"][0]["args"]["amount"]["max"], "100.0");
    assert!(task["history"][0]["actor"].as_str().unwrap().contains("agent clerk"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_assertion_is_refused_with_its_reason() {
    let served = ready().await;
    let token_endpoint = format!("{}/oauth/token", served.plane.issuer);
    let issuer = served.plane.issuer.clone();
    let now = served.plane.now().as_seconds();
    let table: Vec<(&str, String, &str)> = vec![
        ("another's key", STRANGER.assertion(&served, |_| {}), "no agent of this name"),
        (
            "the token endpoint as audience",
            CLERK.assertion(&served, |c| c["aud"] = json!(token_endpoint)),
            "audience",
        ),
        (
            "two audiences",
            CLERK.assertion(&served, |c| c["aud"] = json!([issuer, "https://other"])),
            "audience",
        ),
        ("expired", CLERK.assertion(&served, |c| c["exp"] = json!(now - 1)), "expired"),
        ("good for a day", CLERK.assertion(&served, |c| c["exp"] = json!(now + 86_400)), ""),
        ("from the future", CLERK.assertion(&served, |c| c["iat"] = json!(now + 600)), "not valid yet"),
        (
            "without jti",
            CLERK.assertion(&served, |c| {
                c.as_object_mut().unwrap().remove("jti");
            }),
            "jti",
        ),
        ("about another subject", CLERK.assertion(&served, |c| c["sub"] = json!("helper")), ""),
        (
            "an agent nobody has",
            CLERK.assertion(&served, |c| {
                c["iss"] = json!("ghost");
                c["sub"] = json!("ghost");
            }),
            "no agent of this name",
        ),
    ];
    for (what, assertion, says) in table {
        let form = CLERK.form_with(&assertion, &[("grant_type", "client_credentials")]);
        let (status, body) =
            send(&served, "token", &form, Some(&CLERK.proof(&served, "POST", "/oauth/token", None))).await;
        assert_eq!((status, body["error"].as_str()), (401, Some("invalid_client")), "{what}: {body}");
        assert!(body["error_description"].as_str().unwrap().contains(says), "{what}: {body}");
        assert!(!body.to_string().contains(&assertion), "{what}");
    }
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(r#"{"iss":"clerk","sub":"clerk"}"#)
    );
    let (status, _) =
        send(&served, "token", &CLERK.form_with(&unsigned, &[("grant_type", "client_credentials")]), None)
            .await;
    assert_eq!(status, 401);
    let (status, body) = send(
        &served,
        "token",
        &[
            ("grant_type".into(), "client_credentials".into()),
            ("client_id".into(), "clerk".into()),
            ("client_secret".into(), "x".into()),
        ],
        None,
    )
    .await;
    assert!(status >= 400 && body["access_token"].is_null(), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_and_a_proof_count_once() {
    let served = ready().await;
    let (assertion, proof) =
        (CLERK.assertion(&served, |_| {}), CLERK.proof(&served, "POST", "/oauth/token", None));
    let form = CLERK.form_with(&assertion, &[("grant_type", "client_credentials")]);
    assert_eq!(send(&served, "token", &form, Some(&proof)).await.0, 200);
    let (status, body) =
        send(&served, "token", &form, Some(&CLERK.proof(&served, "POST", "/oauth/token", None))).await;
    assert_eq!((status, body["error"].as_str()), (401, Some("invalid_client")), "{body}");
    let fresh = CLERK.form(&served, &[("grant_type", "client_credentials")]);
    let (status, body) = send(&served, "token", &fresh, Some(&proof)).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_dpop_proof")), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_production_a_token_without_a_bound_key_is_not_issued() {
    let served = ready().await;
    let form = CLERK.form(&served, &[("grant_type", "client_credentials")]);
    let (status, body) = send(&served, "token", &form, None).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_dpop_proof")), "{body}");
    let elsewhere = CLERK.proof(&served, "POST", "/oauth/revoke", None);
    let form = CLERK.form(&served, &[("grant_type", "client_credentials")]);
    assert_eq!(send(&served, "token", &form, Some(&elsewhere)).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_may_not_act_gets_no_token() {
    let served = ready().await;
    served.post("/agents/clerk/suspend", json!({"reason": "the test"})).await.ok();
    let (status, body) = CLERK.bound(&served, &[("grant_type", "client_credentials")]).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("unauthorized_client")), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_agent_for_ever() {
    let served = ready().await;
    let twice = served.post("/agents/helper/keys", registered(CLERK.public())).await;
    assert_eq!(twice.status, 409, "{}", twice.body);
    let id = served.get("/agents/clerk").await.ok()["proofs"][0]["id"].as_str().unwrap().to_owned();
    served.delete(&format!("/agents/clerk/keys/{id}?reason=rotated")).await.ok();
    assert_eq!(CLERK.bound(&served, &[("grant_type", "client_credentials")]).await.0, 401);
    let later = served.post("/agents/helper/keys", registered(CLERK.public())).await;
    assert_eq!(later.status, 409, "a key that was another's stays the other's: {}", later.body);
    let mut same_name = STRANGER.public();
    same_name["kid"] = HELPER.public()["kid"].clone();
    let twin = served.post("/agents/helper/keys", registered(same_name)).await;
    assert_eq!(twin.status, 422, "one name for two keys would be no key at all: {}", twin.body);
    let mut private = CLERK.public();
    private["d"] = json!(URL_SAFE_NO_PAD.encode(CLERK.seed));
    let refused = served.post("/agents/helper/keys", json!({"jwk": private, "reason": "oops"})).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(!refused.body.to_string().contains(&URL_SAFE_NO_PAD.encode(CLERK.seed)));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_without_a_restart_and_old_tokens_live_out_their_minutes() {
    let served = ready().await;
    let before = CLERK.own(&served).await;
    let rotated = served.post("/keys/rotate", json!({"reason": "yearly"})).await.ok();
    // The new ones and the ones before, of either algorithm.
    assert_eq!(rotated["keys"].as_array().unwrap().len(), 4);
    let after = CLERK.own(&served).await;
    let verifier = served.plane.token_keys.verifier();
    let journal = served.plane.store.unsequenced(1_000).await.unwrap();
    let noted = journal.iter().filter(|row| row.record.contains("the key that signs tokens is to be"));
    assert_eq!(noted.filter(|row| row.record.contains("yearly")).count(), 1);
    let kid = |token: &Value| {
        let header = token.as_str().unwrap().split('.').next().unwrap().to_owned();
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
        header["kid"].as_str().unwrap().to_owned()
    };
    for token in [&before["access_token"], &after["access_token"]] {
        verifier.issued(token.as_str().unwrap(), served.plane.now()).unwrap();
    }
    assert_ne!(kid(&before["access_token"]), kid(&after["access_token"]));
    let published = served.send("GET", "/oauth/jwks", None, None).await.ok();
    let kids: Vec<&str> =
        published["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    for token in [&before, &after] {
        assert!(kids.contains(&kid(&token["access_token"]).as_str()), "{kids:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_announces_what_is_there_and_nothing_else() {
    let served = serve().await;
    let metadata = served.send("GET", "/.well-known/oauth-authorization-server", None, None).await.ok();
    assert_eq!(metadata["issuer"], served.plane.issuer);
    assert_eq!(
        metadata["grant_types_supported"],
        json!([
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:token-exchange"
        ])
    );
    // `none` is of platforms' tokens, which prove the client by themselves.
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["private_key_jwt", "none"]));
    assert!(metadata.get("authorization_endpoint").is_none(), "nobody can sign in, so nobody can agree");
    let openid = served.send("GET", "/.well-known/openid-configuration", None, None).await.ok();
    assert_eq!((&openid["issuer"], &openid["jwks_uri"]), (&metadata["issuer"], &metadata["jwks_uri"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_that_signs_with_es256_is_verified_with_the_same_key_set() {
    let served = ready().await;
    let store = std::sync::Arc::clone(&served.plane.store);
    let mut plane = std::sync::Arc::into_inner(
        common::plane_over(store, served.data.path(), served.plane.issuer.clone()).await,
    )
    .unwrap();
    let keys = std::sync::Arc::into_inner(plane.token_keys).unwrap();
    plane.token_keys = std::sync::Arc::new(keys.signing_with(provost_token::Algorithm::Es256));
    let plane = std::sync::Arc::new(plane);
    let mut body = reqwest::Url::parse("form:").unwrap();
    body.query_pairs_mut().extend_pairs(CLERK.form(&served, &[("grant_type", "client_credentials")]));
    let proof = CLERK.proof(&served, "POST", "/oauth/token", None);
    let granted =
        provost_control::oauth::token(&plane, "test", body.query().unwrap().as_bytes(), Some(&proof)).await;
    let granted = serde_json::to_value(granted.unwrap()).unwrap();
    let token = granted["access_token"].as_str().unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(header.alg, Algorithm::ES256);
    // The other node, which signs with EdDSA, knows the key too.
    assert!(served.plane.token_keys.verifier().issued(token, served.plane.now()).is_ok());
    let kid = header.kid.unwrap();
    let set = served.client.get(format!("{}/oauth/jwks", served.plane.issuer)).send().await.unwrap();
    let set: Value = set.json().await.unwrap();
    assert!(
        set["keys"].as_array().unwrap().iter().any(|key| key["kid"] == kid.as_str() && key["alg"] == "ES256")
    );
}
