//! Somebody who is told things over a real socket.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::post,
};
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A receiver that answers as it is told, and keeps what it got.
#[derive(Clone, Default)]
pub struct Receiver {
    /// What it answers next; 200 once that is used up.
    script: Arc<Mutex<VecDeque<Does>>>,
    got: Arc<Mutex<Vec<Got>>>,
}

#[derive(Clone, Copy)]
pub enum Does {
    Answers(u16),
    /// With so many seconds of `Retry-After`.
    AsksForPatience(u16, u64),
    /// Takes it, and never says so.
    StaysSilent,
}

#[derive(Clone)]
pub struct Got {
    pub id: String,
    pub signature: String,
    pub body: Value,
}

impl Receiver {
    pub async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/hook", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        format!("http://{address}/hook")
    }

    pub fn does(&self, script: &[Does]) {
        self.script.lock().unwrap().extend(script);
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// The kinds of what it got, in order.
    pub fn kinds(&self) -> Vec<String> {
        self.got().iter().map(|got| got.body["type"].as_str().unwrap_or("other").to_owned()).collect()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> impl IntoResponse {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    let body = serde_json::from_str(&body).unwrap();
    receiver.got.lock().unwrap().push(Got {
        id: text("webhook-id"),
        signature: text("webhook-signature"),
        body,
    });
    let does = receiver.script.lock().unwrap().pop_front().unwrap_or(Does::Answers(200));
    match does {
        Does::Answers(status) => (StatusCode::from_u16(status).unwrap(), HeaderMap::new()),
        Does::AsksForPatience(status, seconds) => {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", seconds.to_string().parse().unwrap());
            (StatusCode::from_u16(status).unwrap(), headers)
        }
        Does::StaysSilent => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            (StatusCode::OK, HeaderMap::new())
        }
    }
}
