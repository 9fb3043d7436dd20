//! Containment: what is stopped and what is proven of it; to stop something, after a look at what that would hit; and the two
//! persons' way to start again.

use super::{
    act::Sent,
    asked::{self, Choice, Faults},
    bits,
    look::{Frame, Looker, Shown, done},
};
use askama::Template;
use axum::extract::{Path, Query};
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
pub(super) async fn order(sent: Sent) -> Shown {
    let looker = &sent.looker;
    let form = Form::of(&sent);
    let mut faults = Faults::default();
    let wanted = form.wanted(&mut faults);
    let faults = faults.into_lines();
    if !faults.is_empty() {
        return shown(looker, form, faults, None);
    }
    if form.act != "order" {
        let hits = containment::dry_run(&looker.op, wanted).await.map_err(|error| looker.failed(&error))?;
        return shown(looker, form, faults, Some(hits));
    }
    let order = containment::order(&looker.op, wanted).await.map_err(|error| looker.failed(&error))?;
    Ok(done(&format!("/console/containments/{}", order.summary.id), "ordered"))
}

/// To lift, to keep, or to say what became of a call.
pub(super) async fn answer(Path(id): Path<String>, sent: Sent) -> Shown {
    let looker = &sent.looker;
    let reason = sent.text("reason").to_owned();
    let answer = ContainmentAnswer { reason: reason.clone(), ..Default::default() };
    let (outcome, word) = match sent.text("act") {
        "lift" => (containment::lift(&looker.op, &id, answer).await, "lifted"),
        "keep" => (containment::keep(&looker.op, &id, answer).await, "kept"),
        "settle" => {
            let call = sent.text("call");
            let decision = call.parse().map_err(|_bad| looker.no_such("call", call))?;
            let wanted = ContainmentSettle { person: None, decision, found: reason };
            (containment::settle(&looker.op, &id, wanted).await, "settled")
        }
        _ => (Err(ControlError::caller("an answer is lift, keep or settle")), ""),
    };
    let order = outcome.map_err(|error| looker.failed(&error))?;
    Ok(done(&format!("/console/containments/{}", order.summary.id), word))
}

fn shown(looker: &Looker, form: Form, faults: Vec<String>, hits: Option<ContainmentHits>) -> Shown {
    let levels = asked::choices(&form.level, LEVELS);
    let environments = asked::choices(&form.environment, ENVIRONMENTS);
    let frame = looker.frame("/console/containments");
    Ok(looker.page(&Ask { frame, form, levels, environments, faults, hits }))
}

impl Form {
    fn of(sent: &Sent) -> Self {
        let text = |name: &str| sent.text(name).to_owned();
        Self {
            agent: text("agent"),
            owner: text("owner"),
            group: text("group"),
            like: text("like"),
            model: text("model"),
            environment: text("environment"),
            system: text("system"),
            tool: text("tool"),
            everything: text("everything"),
            level: text("level"),
            effects: text("effects"),
            reason: text("reason"),
            act: text("act"),
        }
    }

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
