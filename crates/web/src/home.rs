//! The page at `/`: plain words for whoever opens the address in a browser; who is signed in goes on to the console.

use crate::{app::App, pages};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Redirect, Response},
};

/// A short page that names the command line and the API document.
#[utoipa::path(get, path = "/", tag = "machines", responses((status = 200, body = String, content_type = "text/html")))]
pub(crate) async fn home(State(app): State<App>, asked: HeaderMap) -> Response {
    if pages::is_signed_in(&app, &asked) {
        return Redirect::to("/console").into_response();
    }
    pages::home()
}
