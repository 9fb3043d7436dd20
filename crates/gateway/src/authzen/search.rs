//! Who, what or which would be allowed (AuthZEN 1.0, Search APIs). Searches read what is stored and change nothing, so
//! they leave no decision on record; whoever then acts asks again.

use super::{Answer, Asker, Authzen, read};
use http::HeaderMap;
use provost_domain::Digest;
use provost_policy::{App, Page};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Subject,
    Resource,
    Action,
}

impl Authzen {
    pub(super) async fn search(&self, headers: &HeaderMap, body: &[u8], wanted: Wanted) -> Answer {
        let (asker, value) = match self.open(headers, body).await {
            Ok(opened) => opened,
            Err(answer) => return answer,
        };
        let Value::Object(value) = value else {
            return Answer::bad_request("the body must be a JSON object".to_owned());
        };
        match self.find(&asker, &value, wanted) {
            Ok(found) => Answer::ok(found),
            Err(Fault::Asked(why)) => Answer::bad_request(why),
            Err(Fault::Refused(refusal)) => self.refused(&refusal),
        }
    }

    fn find(&self, asker: &Asker, value: &Map<String, Value>, wanted: Wanted) -> Result<Value, Fault> {
        let view = self
            .pipeline
            .replica
            .fresh(self.pipeline.limits.staleness_max)
            .map_err(|stale| Fault::Refused(stale.into()))?;
        let (page, bound) = self.page(value)?;
        let context = read::object(value, "context")?;
        let app = |kind: &str| self.application(asker, &view, kind);
        let (results, next) = match wanted {
            Wanted::Subject => {
                let (kind, action, resource) =
                    (read::kind(value, "subject")?, read::action(value)?, read::entity(value, "resource")?);
                let found =
                    app(&kind).map(|app| app.search_subject(&kind, &action, &resource, &context, page));
                found.map_or((Vec::new(), None), |found| {
                    (found.results.iter().map(named).collect(), found.next)
                })
            }
            Wanted::Resource => {
                let (subject, action, kind) =
                    (read::entity(value, "subject")?, read::action(value)?, read::kind(value, "resource")?);
                let found = app(&subject.kind)
                    .map(|app| app.search_resource(&subject, &action, &kind, &context, page));
                found.map_or((Vec::new(), None), |found| {
                    (found.results.iter().map(named).collect(), found.next)
                })
            }
            Wanted::Action => {
                let (subject, resource) = (read::entity(value, "subject")?, read::entity(value, "resource")?);
                let found =
                    app(&subject.kind).map(|app| app.search_action(&subject, &resource, &context, page));
                let named = |found: provost_policy::Found<provost_policy::AuthzenAction>| {
                    (found.results.iter().map(|action| json!({"name": action.name})).collect(), found.next)
                };
                found.map_or((Vec::new(), None), named)
            }
        };
        let token = next.map(|offset| format!("{offset}.{bound}")).unwrap_or_default();
        Ok(json!({"page": {"next_token": token, "count": results.len()}, "results": results}))
    }

    fn application(&self, asker: &Asker, view: &provost_replica::View, kind: &str) -> Option<Arc<App>> {
        let (row, app) = self.applications.of_type(view, kind)?;
        asker.may_ask_about(&row.name).then_some(app)
    }

    /// Where a page starts, and the digest that binds its token to everything else that was asked.
    fn page(&self, value: &Map<String, Value>) -> Result<(Page, String), String> {
        let mut rest = value.clone();
        rest.remove("page");
        let bound = Digest::of_json(&rest).map_err(|error| error.to_string())?.to_string();
        let page = read::object(value, "page")?;
        let most = self.pipeline.limits.page_size_max;
        let limit = match page.get("limit") {
            None => most,
            Some(limit) => {
                let limit = limit.as_u64().ok_or("`page.limit` must be a whole number from 0 on")?;
                usize::try_from(limit).unwrap_or(most).min(most)
            }
        };
        let offset = match page.get("token") {
            None => 0,
            Some(Value::String(token)) if token.is_empty() => 0,
            Some(Value::String(token)) => {
                let (offset, of) = token.split_once('.').ok_or("`page.token` is not one this plane gave")?;
                if of != bound {
                    return Err(
                        "`page.token` belongs to another search: repeat the same members with it".to_owned()
                    );
                }
                offset
                    .parse()
                    .map_err(|_not_a_number| "`page.token` is not one this plane gave".to_owned())?
            }
            Some(_) => return Err("`page.token` must be a string".to_owned()),
        };
        Ok((Page { offset, results_max: limit, candidates_max: CANDIDATES_PER_PAGE_MAX }, bound))
    }
}

/// What ends a search.
enum Fault {
    Asked(String),
    Refused(crate::refusal::Refusal),
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Asked(why)
    }
}

fn named(entity: &provost_policy::AuthzenEntity) -> Value {
    json!({"type": entity.kind, "id": entity.id})
}

/// Entities tried for one page; a page may come back short, with a token to go on.
const CANDIDATES_PER_PAGE_MAX: usize = 10_000;
