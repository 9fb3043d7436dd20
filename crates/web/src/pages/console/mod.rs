//! The console: what a security engineer keeps open. Every page is whole without script; with it, times are in the reader's
//! zone and what moved is fetched again.
//!
//! | file | page |
//! |---|---|
//! | `look` | who looks, whether they may, and the frame around every page |
//! | `bits` | times, verdicts and links, each escaped by itself |
//! | `asked` | forms and pages of listings as addresses |
//! | `activity` | what agents do as they do it |
//! | `overview` | what runs, what was refused or held, what is wrong |
//! | `approvals` | what waits for a person, and the answer |
//! | `together` | several approvals that are alike, answered together |
//! | `quality` | how approvals are answered |
//! | `findings` | what a person should know, and the answer |
//! | `reviews` | what agents are granted beside what they did, and what their owners say |
//! | `proposals` | changes that wait for people, one with what it changes, and the answer |
//! | `containments` | what is stopped, and what is proven of it; to stop, and to start again |
//! | `drills` | how fast stopping was, each time it was tried |
//! | `agents`, `graph` | agents, and what one of them reaches |
//! | `tasks` | tasks, and one with its timeline |
//! | `decisions` | decisions, and why one was what it was |
//! | `systems` | systems with their tools, pins, effects and classes |
//! | `channels` | channels, and what is owed or was sent on them |
//! | `people` | people and workloads |
//! | `search` | one box for everything |
//! | `act`, `act/*` | what is asked before something is done: to agents, tasks, people, systems, credentials, the plane |
//! | `envelopes`, `credentials`, `plane` | what was agreed to in advance, what is sealed, how the node is |
//! | `trust` | issuers and policies |
//! | `ledger` | the signed head, proofs, how to check them offline |
//! | `you` | a person's own passkeys and sessions |
//! | `live` | `GET /events`: that something moved |

mod act;
mod activity;
mod agents;
mod approvals;
mod asked;
mod bits;
mod channels;
mod connectors;
mod containments;
mod credentials;
mod decisions;
mod drills;
mod envelopes;
mod findings;
mod graph;
mod ledger;
mod live;
mod look;
mod overview;
mod people;
mod plane;
mod proposals;
mod quality;
mod reviews;
mod search;
mod systems;
mod tasks;
mod together;
mod trust;
mod you;

pub(crate) use live::Live;
pub(super) use look::{Frame, failed};

use crate::app::App;
use axum::{
    Router,
    routing::{get, post},
};

/// The routes of the console.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/console", get(overview::show))
        .route("/approvals", get(approvals::list))
        .route("/approvals/quality", get(quality::show))
        .route("/approvals/together/{id}", get(together::show).post(together::answer))
        .route("/approvals/{id}", get(approvals::show))
        .route("/approvals/{id}/answer", post(approvals::answer))
        .route("/console/findings", get(findings::list))
        .route("/console/findings/{id}", get(findings::show))
        .route("/console/findings/{id}/answer", post(findings::answer))
        .route("/proposals", get(proposals::list))
        .route("/proposals/{id}", get(proposals::show))
        .route("/proposals/{id}/answer", post(proposals::answer))
        .route("/console/containments", get(containments::list))
        .route("/console/containments/{id}", get(containments::show).post(containments::answer))
        .route("/console/contain", get(containments::ask).post(containments::order))
        .route("/console/drills", get(drills::list).post(drills::run))
        .route("/console/reviews", get(reviews::list))
        .route("/console/reviews/{id}", get(reviews::show).post(reviews::answer))
        .route("/console/activity", get(activity::show))
        .route("/console/search", get(search::show))
        .route("/console/agents", get(agents::list))
        .route("/console/agents/{name}", get(agents::show))
        .route("/console/agents/{name}/{act}", get(act::agent::ask).post(act::agent::make))
        .route("/console/agents/{name}/baseline/{act}", get(act::baseline::ask).post(act::baseline::make))
        .route("/console/tasks", get(tasks::list))
        .route("/console/tasks/{id}", get(tasks::show))
        .route("/console/tasks/{id}/end", get(act::task::ask).post(act::task::make))
        .route("/console/decisions", get(decisions::list))
        .route("/console/decisions/{id}", get(decisions::show))
        .route("/console/systems", get(systems::list))
        .route("/console/systems/{name}", get(systems::show))
        .route("/console/systems/{name}/repin", post(act::system::look))
        .route("/console/systems/{name}/take", post(act::system::take))
        .route("/console/envelopes", get(envelopes::list))
        .route("/console/envelopes/{id}/revoke", get(act::plane::ask_revoke).post(act::plane::make_revoke))
        .route("/console/credentials", get(credentials::list))
        .route("/console/credentials/seal", get(act::credential::ask_new).post(act::credential::make_new))
        .route("/console/credentials/{name}/{act}", get(act::credential::ask).post(act::credential::make))
        .route("/console/plane", get(plane::show))
        .route("/console/plane/rotate", get(act::plane::ask_rotate).post(act::plane::make_rotate))
        .route("/console/plane/backup", get(act::plane::ask_backup).post(act::plane::make_backup))
        .route("/console/ledger", get(ledger::show))
        .route("/console/ledger/{kind}/{id}", get(ledger::prove))
        .route("/console/channels", get(channels::list))
        .route("/console/deliveries/{id}", get(channels::show))
        .route("/console/people", get(people::list))
        .route("/console/people/{name}", get(people::show))
        .route("/console/people/{name}/invite", post(people::invite))
        .route("/console/people/{name}/{act}", get(act::person::ask).post(act::person::make))
        .route("/console/connectors", get(connectors::list))
        .route("/console/connectors/{name}", get(connectors::show))
        .route("/console/connectors/{name}/{act}", get(act::connector::ask).post(act::connector::make))
        .route("/console/workloads", get(people::workloads))
        .route("/console/issuers", get(trust::issuers))
        .route("/console/issuers/{name}", get(trust::issuer))
        .route("/console/policies", get(trust::policies))
        .route("/you", get(you::show))
        .route("/you/passkeys/{id}/{deed}", post(you::passkey))
        .route("/you/sessions/{id}/end", post(you::session))
        .route("/events", get(live::events))
        .route("/assets/live.js", get(live::module))
        .route("/assets/keys.js", get(live::keys))
}
