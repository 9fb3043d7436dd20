//! Somebody else's issuer, served over HTTP: a platform that vouches for workloads, a SPIFFE bundle, an identity provider.

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use axum::{Json, Router, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_token::{Algorithm, SigningKey};
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
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
    pub key: Rsa,
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
        let metadata = json!({ "issuer": url, "jwks_uri": format!("{url}/jwks") });
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
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, key, served, asked, serving }
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
