//! The page at `/`: plain words for whoever opens the address in a browser.

use axum::{
    http::{
        HeaderName,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::IntoResponse,
};

/// A short page that names the command line and the API document.
#[utoipa::path(get, path = "/", tag = "machines", responses((status = 200, body = String, content_type = "text/html")))]
pub(crate) async fn home() -> impl IntoResponse {
    let headers: [(HeaderName, &str); 2] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ];
    (headers, PAGE)
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Provost</title></head>
<body>
<h1>Provost</h1>
<p>This plane decides, records and only then lets through what AI agents do. It is administered from the command line
(<code>provost --help</code>) and over HTTP.</p>
<ul>
<li><a href="/api/v1/openapi.json">The API document</a></li>
<li><a href="/readyz">Whether this node is ready</a></li>
<li><a href="/metrics">Its counters</a></li>
</ul>
</body>
</html>
"#;
