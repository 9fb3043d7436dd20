//! One search across everything.

use crate::{app::Answer, asked::Asked, input::Asking, problem::Problems};
use axum::Json;
use provost_api::search::{SearchQuery, SearchView};
use provost_control::search;

/// What has these letters in its name, its id, or what it is for.
#[utoipa::path(
    get,
    path = "/search",
    tag = "plane",
    security(("token" = [])),
    params(SearchQuery),
    responses((status = 200, body = SearchView), Problems)
)]
pub(crate) async fn search(Asked(op): Asked, Asking(query): Asking<SearchQuery>) -> Answer<SearchView> {
    Ok(Json(search::find(&op, &query).await?))
}
