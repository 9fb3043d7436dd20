//! Somebody else's issuer, served over HTTP: a platform that vouches for workloads, a SPIFFE bundle, an identity provider.

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use axum::{
    Json, Router,
    extract::Query,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_token::{Algorithm, SigningKey};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// An RSA key as platforms have them.
pub struct Rsa {
    pair: RsaKeyPair,
    pub jwk: Value,
}

impl Rsa {
    pub fn new(kid: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let key = SigningKey::from_pkcs8(Algorithm::Rs256, der.as_ref()).unwrap();
        let mut jwk = serde_json::to_value(key.verifying().jwk()).unwrap();
        jwk["kid"] = json!(kid);
        Self { pair, jwk }
    }

    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        self.sign_with(&json!({ "alg": "RS256", "typ": typ, "kid": self.jwk["kid"] }), claims)
    }

    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// An issuer on a socket.
pub struct TestIssuer {
    pub url: String,
    pub key: Arc<Rsa>,
    /// What the next ID token says besides the usual.
    pub says: Arc<Mutex<Value>>,
    /// What was sent to the token endpoint last.
    pub redeemed: Arc<Mutex<HashMap<String, String>>>,
    /// What was sent to the revocation endpoint.
    pub revoked: Arc<Mutex<Vec<String>>>,
    served: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl TestIssuer {
    pub async fn start() -> Self {
        let key = Rsa::new("first");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::new(Mutex::new(json!({ "keys": [key.jwk] })));
        let asked = Arc::new(AtomicUsize::new(0));
        let metadata = json!({
            "issuer": url, "jwks_uri": format!("{url}/jwks"), "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"), "authorization_response_iss_parameter_supported": true,
        });
        let says = Arc::new(Mutex::new(json!({ "sub": "00u1" })));
        let redeemed = Arc::new(Mutex::new(HashMap::new()));
        let revoked = Arc::new(Mutex::new(Vec::new()));
        let nonces: Arc<Mutex<HashMap<String, HashMap<String, String>>>> = Arc::default();
        let key = Arc::new(key);
        let (keys, count) = (Arc::clone(&served), Arc::clone(&asked));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(metadata)))
            .route(
                "/jwks",
                get(async move || {
                    count.fetch_add(1, Ordering::SeqCst);
                    Json(keys.lock().unwrap().clone())
                }),
            );
        let (asked_for, name) = (Arc::clone(&nonces), url.clone());
        let authorize = async move |Query(query): Query<HashMap<String, String>>| {
            let mut back = reqwest::Url::parse(&query["redirect_uri"]).unwrap();
            let code = format!("code-{}", query.get("nonce").unwrap_or(&query["state"]));
            back.query_pairs_mut()
                .append_pair("code", &code)
                .append_pair("state", &query["state"])
                .append_pair("iss", &name);
            asked_for.lock().unwrap().insert(code, query);
            Redirect::to(back.as_str())
        };
        let (signs, says_now, last, name) =
            (Arc::clone(&key), Arc::clone(&says), Arc::clone(&redeemed), url.clone());
        let token = async move |body: String| -> Response {
            let read = reqwest::Url::parse(&format!("form:?{body}")).unwrap();
            let form: HashMap<String, String> = read.query_pairs().into_owned().collect();
            let query = nonces.lock().unwrap().remove(&form["code"]);
            let Some(query) = query else {
                return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
            };
            let challenge = provost_token::Challenge::of(&form["code_verifier"]).to_stored().to_string();
            assert_eq!(challenge, query["code_challenge"]);
            assert_eq!(form["redirect_uri"], query["redirect_uri"]);
            let now = provost_domain::Clock::now(&provost_store::SystemClock).as_seconds();
            let mut claims = json!({
                "iss": name, "aud": query["client_id"], "nonce": query.get("nonce"), "iat": now, "exp": now + 300,
            });
            for (member, value) in says_now.lock().unwrap().as_object().unwrap() {
                claims[member] = value.clone();
            }
            *last.lock().unwrap() = form;
            let id_token = signs.sign("JWT", &claims);
            let answer = json!({
                "access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": id_token,
                "refresh_token": "refresh-of-maria",
            });
            Json(answer).into_response()
        };
        let taken_back = Arc::clone(&revoked);
        let revoke = async move |body: String| {
            taken_back.lock().unwrap().push(body);
        };
        let router = router.route("/authorize", get(authorize)).route("/token", post(token));
        let router = router.route("/revoke", post(revoke));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, key, says, redeemed, revoked, served, asked, serving }
    }

    /// How often its keys were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Publishes these keys from now on.
    pub fn publish(&self, keys: &[&Value]) {
        *self.served.lock().unwrap() = json!({ "keys": keys });
    }
}
