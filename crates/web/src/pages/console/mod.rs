//! The console: what a security engineer keeps open. Every page is whole without script; with it, times are in the reader's
//! zone and what moved is fetched again.
//!
//! | file | page |
//! |---|---|
//! | `look` | who looks, whether they may, and the frame around every page |
//! | `bits` | times, verdicts and links, each escaped by itself |
//! | `asked` | forms and pages of listings as addresses |
//! | `overview` | what runs, what was refused or held, what is wrong |
//! | `approvals` | what waits for a person, and the answer |
//! | `together` | several approvals that are alike, answered together |
//! | `quality` | how approvals are answered |
//! | `findings` | what a person should know, and the answer |
//! | `proposals` | changes that wait for people, one with what it changes, and the answer |
//! | `containments` | what is stopped, and what is proven of it; to stop, and to start again |
//! | `drills` | how fast stopping was, each time it was tried |
//! | `agents`, `graph` | agents, and what one of them reaches |
//! | `tasks` | tasks, and one with its timeline |
//! | `decisions` | decisions, and why one was what it was |
//! | `systems` | systems with their tools, pins, effects and classes |
//! | `channels` | channels, and what is owed or was sent on them |
//! | `people` | people and workloads |
//! | `trust` | issuers and policies |
//! | `ledger` | the signed head, proofs, how to check them offline |
//! | `live` | `GET /events`: that something moved |

mod agents;
mod approvals;
mod asked;
mod bits;
mod channels;
mod containments;
mod decisions;
mod drills;
mod findings;
mod graph;
mod ledger;
mod live;
mod look;
mod overview;
mod people;
mod proposals;
mod quality;
mod systems;
mod tasks;
mod together;
mod trust;

pub(crate) use live::Live;
pub(super) use look::Frame;

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
        .route("/console/agents", get(agents::list))
        .route("/console/agents/{name}", get(agents::show))
        .route("/console/tasks", get(tasks::list))
        .route("/console/tasks/{id}", get(tasks::show))
        .route("/console/decisions", get(decisions::list))
        .route("/console/decisions/{id}", get(decisions::show))
        .route("/console/systems", get(systems::list))
        .route("/console/systems/{name}", get(systems::show))
        .route("/console/ledger", get(ledger::show))
        .route("/console/ledger/{kind}/{id}", get(ledger::prove))
        .route("/console/channels", get(channels::list))
        .route("/console/deliveries/{id}", get(channels::show))
        .route("/console/people", get(people::list))
        .route("/console/people/{name}", get(people::show))
        .route("/console/people/{name}/invite", post(people::invite))
        .route("/console/workloads", get(people::workloads))
        .route("/console/issuers", get(trust::issuers))
        .route("/console/issuers/{name}", get(trust::issuer))
        .route("/console/policies", get(trust::policies))
        .route("/events", get(live::events))
        .route("/assets/live.js", get(live::module))
}
