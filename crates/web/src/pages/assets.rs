//! The style and the icon of every page, parts of the program.

use axum::{
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    response::IntoResponse,
};

pub(super) async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "no-cache")], STYLE)
}

pub(super) async fn icon() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "image/svg+xml"),
        (CACHE_CONTROL, "no-cache"),
        // Opened by itself it is a document, too.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    (headers, ICON)
}

pub(super) async fn passkey() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "no-cache")], PASSKEY)
}

const STYLE: &str = include_str!("../../assets/provost.css");
const PASSKEY: &str = include_str!("../../assets/passkey.js");
const ICON: &str = include_str!("../../assets/provost.svg");
