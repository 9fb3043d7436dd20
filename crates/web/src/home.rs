//! The page at `/`: plain words for whoever opens the address in a browser; who is signed in goes on to the console.

use crate::{app::App, pages};
use axum::{
    extract::State,
    http::{
        HeaderMap, HeaderName,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Redirect, Response},
};

/// A short page that names the command line and the API document.
#[utoipa::path(get, path = "/", tag = "machines", responses((status = 200, body = String, content_type = "text/html")))]
pub(crate) async fn home(State(app): State<App>, asked: HeaderMap) -> Response {
    if pages::is_signed_in(&app, &asked) {
        return Redirect::to("/console").into_response();
    }
    let headers: [(HeaderName, &str); 2] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ];
    (headers, PAGE).into_response()
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Provost</title></head>
<body>
<h1>Provost</h1>
<p>This plane decides, records and only then lets through what AI agents do. It is administered from the command line
(<code>provost --help</code>), over HTTP, and looked at in the console.</p>
<ul>
<li><a href="/console">The console</a>, for people who sign in</li>
<li><a href="/api/v1/openapi.json">The API document</a></li>
<li><a href="/readyz">Whether this node is ready</a></li>
<li><a href="/metrics">Its counters</a></li>
</ul>
</body>
</html>
"#;
