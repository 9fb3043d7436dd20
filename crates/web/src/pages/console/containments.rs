//! Containment: what is stopped and what is proven of it; to stop something, after a look at what that would hit; and the two
//! persons' way to start again.

use super::{
    asked::{self, Choice, Faults},
    bits,
    look::{Frame, Looker, Shown},
};
use crate::pages::visitor::is_own_form;
use askama::Template;
use axum::{
    body::Bytes,
    extract::{Path, Query},
    http::HeaderMap,
    response::{IntoResponse as _, Redirect},
};
use provost_api::containment::{
    ContainmentAnswer, ContainmentHits, ContainmentOrder, ContainmentQuery, ContainmentSettle,
    ContainmentSummary, ContainmentView,
};
use provost_control::{Action, ControlError, containment};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "console/containments.html")]
struct All {
    frame: Frame,
    orders: Vec<ContainmentSummary>,
    more: bool,
    lifted: bool,
}

#[derive(Template)]
#[template(path = "console/containment.html")]
struct One {
    frame: Frame,
    order: ContainmentView,
    /// Calls nobody has looked into.
    open: usize,
    /// The digest of what a second person signs to lift it.
    signs: Option<String>,
}

#[derive(Template)]
#[template(path = "console/contain.html")]
struct Ask {
    frame: Frame,
    form: Form,
    levels: Vec<Choice>,
    environments: Vec<Choice>,
    faults: Vec<String>,
    /// What it would hit, once that was asked.
    hits: Option<ContainmentHits>,
}

/// What the form says, as text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Form {
    agent: String,
    owner: String,
    group: String,
    like: String,
    model: String,
    environment: String,
    system: String,
    tool: String,
    everything: String,
    level: String,
    effects: String,
    reason: String,
    act: String,
}

/// Which orders are to be listed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    state: Option<String>,
}

/// The orders in force; those that were lifted, if that is asked.
pub(super) async fn list(looker: Looker, Query(Which { state }): Query<Which>) -> Shown {
    looker.may(Action::ContainmentRead)?;
    let lifted = state.as_deref() == Some("lifted");
    let query = ContainmentQuery { limit: Some(asked::ROWS), state, ..ContainmentQuery::default() };
    let page = containment::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let frame = looker.frame("/console/containments");
    Ok(looker.page(&All { frame, orders: page.items, more: page.next.is_some(), lifted }))
}

/// One order.
pub(super) async fn show(looker: Looker, Path(id): Path<String>) -> Shown {
    looker.may(Action::ContainmentRead)?;
    let order = containment::show(&looker.op, &id).await.map_err(|error| looker.failed(&error))?;
    let open = order.unknown.iter().filter(|call| call.found.is_none()).count();
    let signs = order.lift.as_ref().and_then(|lift| lift.digest.clone());
    Ok(looker.page(&One { frame: looker.frame("/console/containments"), order, open, signs }))
}

/// The form, empty or filled from a link.
pub(super) async fn ask(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::ContainmentOrder)?;
    shown(&looker, form, Vec::new(), None)
}

/// A look at what it would hit, or the order.
pub(super) async fn order(looker: Looker, headers: HeaderMap, body: Bytes) -> Shown {
    check_own(&looker, &headers, &body)?;
    let form: Form = read(&body);
    let mut faults = Faults::default();
    let wanted = form.wanted(&mut faults);
    let faults = faults.into_lines();
    if !faults.is_empty() {
        return shown(&looker, form, faults, None);
    }
    if form.act != "order" {
        let hits = containment::dry_run(&looker.op, wanted).await.map_err(|error| looker.failed(&error))?;
        return shown(&looker, form, faults, Some(hits));
    }
    let order = containment::order(&looker.op, wanted).await.map_err(|error| looker.failed(&error))?;
    Ok(Redirect::to(&format!("/console/containments/{}", order.summary.id)).into_response())
}

/// To lift, to keep, or to say what became of a call.
pub(super) async fn answer(looker: Looker, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Shown {
    check_own(&looker, &headers, &body)?;
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Said {
        act: String,
        reason: String,
        call: String,
    }
    let said: Said = read(&body);
    let answer = || ContainmentAnswer { reason: said.reason.clone(), ..Default::default() };
    let done = match said.act.as_str() {
        "lift" => containment::lift(&looker.op, &id, answer()).await,
        "keep" => containment::keep(&looker.op, &id, answer()).await,
        "settle" => {
            let decision = said.call.parse().map_err(|_bad| looker.no_such("call", &said.call))?;
            let wanted = ContainmentSettle { person: None, decision, found: said.reason.clone() };
            containment::settle(&looker.op, &id, wanted).await
        }
        _ => Err(ControlError::caller("an answer is lift, keep or settle")),
    };
    let order = done.map_err(|error| looker.failed(&error))?;
    Ok(Redirect::to(&format!("/console/containments/{}", order.summary.id)).into_response())
}

fn shown(looker: &Looker, form: Form, faults: Vec<String>, hits: Option<ContainmentHits>) -> Shown {
    let levels = asked::choices(&form.level, LEVELS);
    let environments = asked::choices(&form.environment, ENVIRONMENTS);
    let frame = looker.frame("/console/containments");
    Ok(looker.page(&Ask { frame, form, levels, environments, faults, hits }))
}

fn check_own(looker: &Looker, headers: &HeaderMap, body: &Bytes) -> Result<(), super::look::Stopped> {
    if is_own_form(headers) && body.len() <= BODY_BYTES_MAX {
        return Ok(());
    }
    Err(looker.failed(&ControlError::refused("this was not said on a page of this plane")))
}

fn read<T: serde::de::DeserializeOwned + Default>(body: &[u8]) -> T {
    let pairs = url::form_urlencoded::parse(body);
    let members = pairs.map(|(name, value)| (name.into_owned(), value.trim().into()));
    let members: serde_json::Map<String, serde_json::Value> = members.collect();
    serde_json::from_value(members.into()).unwrap_or_default()
}

impl Form {
    fn wanted(&self, faults: &mut Faults) -> ContainmentOrder {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let effects = self.effects.split([',', ' ']).filter(|word| !word.is_empty());
        ContainmentOrder {
            agent: faults.read("agent", &self.agent),
            owner: faults.read("person", &self.owner),
            group: faults.read("group", &self.group),
            like: text(&self.like),
            model: text(&self.model),
            environment: faults.read("environment", &self.environment),
            system: faults.read("system", &self.system),
            tool: faults.read("tool", &self.tool),
            everything: self.everything == "yes",
            level: text(&self.level),
            effects: effects.filter_map(|word| faults.read("effect", word)).collect(),
            reason: self.reason.clone(),
            person: None,
        }
    }
}

const LEVELS: &[(&str, &str)] = &[
    ("off", "off: nothing"),
    ("read-only", "read-only"),
    ("approvals-only", "approvals-only: the owner agrees, call by call"),
    ("without", "without some effects"),
    ("observe", "observe: nothing is refused"),
];
const ENVIRONMENTS: &[(&str, &str)] =
    &[("", "any"), ("sandbox", "sandbox"), ("staging", "staging"), ("production", "production")];
const BODY_BYTES_MAX: usize = 16_384;
