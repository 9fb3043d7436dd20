//! An authorization server and a token service that write down what they get, and answer what they are told to.

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub authorization: Option<String>,
    pub form: BTreeMap<String, String>,
}

type Look = Box<dyn Fn(&Asked) + Send + Sync>;

#[derive(Default)]
struct Book {
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<VecDeque<(u16, String)>>,
    look: Mutex<Option<Look>>,
    given: AtomicUsize,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    book: Arc<Book>,
}

impl Server {
    pub async fn start() -> Self {
        let book = Arc::<Book>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&book));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, book }
    }

    /// What it was asked, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.book.asked.lock().unwrap().clone()
    }

    pub fn last(&self) -> Asked {
        self.asked().pop().unwrap()
    }

    /// What it answers next, instead of a token for ten minutes.
    pub fn will_answer(&self, status: u16, body: &Value) {
        self.will_say(status, &body.to_string());
    }

    pub fn will_say(&self, status: u16, body: &str) {
        self.book.answers.lock().unwrap().push_back((status, body.to_owned()));
    }

    /// Called with every request before it is answered.
    pub fn look(&self, look: impl Fn(&Asked) + Send + Sync + 'static) {
        *self.book.look.lock().unwrap() = Some(Box::new(look));
    }

    /// The row of a system's authorization server that this is.
    pub fn row(&self, authentication: &str, revocation: bool) -> Value {
        let mut row = json!({
            "issuer": self.url, "token_endpoint": format!("{}/token", self.url), "client_id": "provost",
            "authorization_endpoint": format!("{}/authorize", self.url), "authentication": authentication,
        });
        if revocation {
            row["revocation_endpoint"] = json!(format!("{}/revoke", self.url));
        }
        row
    }
}

async fn answer(State(book): State<Arc<Book>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 100_000).await.unwrap();
    let authorization =
        parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let form = url::form_urlencoded::parse(&body);
    let form = form.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let asked = Asked { path: parts.uri.path().to_owned(), authorization, form };
    if let Some(look) = book.look.lock().unwrap().as_ref() {
        look(&asked);
    }
    book.asked.lock().unwrap().push(asked.clone());
    if let Some((status, body)) = book.answers.lock().unwrap().pop_front() {
        return (StatusCode::from_u16(status).unwrap(), body).into_response();
    }
    if asked.path == "/revoke" {
        return StatusCode::OK.into_response();
    }
    let number = book.given.fetch_add(1, Ordering::Relaxed);
    let token =
        json!({"access_token": format!("hunter2-token-{number}"), "token_type": "Bearer", "expires_in": 600});
    token.to_string().into_response()
}
