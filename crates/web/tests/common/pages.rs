//! Every page there is, once, with something on it. `pages.rs` compares the list with the routes: a page that has no line here
//! fails that test, and with its line it is looked at by all the others.

use crate::town::Town;

/// Pages that are looked at: the route, and an address of it.
pub fn looked_at(town: &Town) -> Vec<(&'static str, String)> {
    let (task, approval) = (&town.tasks[0].1, &town.approval);
    let [allowed, held, refused] = &town.decided;
    let plain = |route: &'static str| (route, route.to_owned());
    let of = |route: &'static str, path: &str| (route, path.to_owned());
    vec![
        plain("/console"),
        plain("/approvals"),
        of("/approvals/{id}", &format!("/approvals/{approval}")),
        plain("/approvals/quality"),
        plain("/proposals"),
        plain("/console/findings"),
        of("/console/findings/{id}", &format!("/console/findings/{}", town.finding)),
        plain("/console/containments"),
        plain("/console/contain"),
        plain("/console/drills"),
        plain("/console/activity"),
        of("/console/search", "/console/search?q=clerk"),
        of("/console/search", "/console/search?q=nothing-is-called-so"),
        plain("/console/agents"),
        of("/console/agents", "/console/agents?q=nothing"),
        of("/console/agents/{name}", "/console/agents/invoice-clerk"),
        of("/console/agents/{name}", "/console/agents/web-scraper"),
        plain("/console/tasks"),
        of("/console/tasks/{id}", &format!("/console/tasks/{task}")),
        of("/console/tasks/{id}", &format!("/console/tasks/{}", town.tasks[9].1)),
        plain("/console/decisions"),
        of("/console/decisions/{id}", &format!("/console/decisions/{allowed}")),
        of("/console/decisions/{id}", &format!("/console/decisions/{held}")),
        of("/console/decisions/{id}", &format!("/console/decisions/{refused}")),
        plain("/console/systems"),
        of("/console/systems/{name}", "/console/systems/bank"),
        plain("/console/channels"),
        plain("/console/envelopes"),
        plain("/console/credentials"),
        plain("/console/plane"),
        plain("/you"),
        plain("/console/ledger"),
        of("/console/ledger/{kind}/{id}", &format!("/console/ledger/decision/{allowed}")),
        plain("/console/people"),
        of("/console/people/{name}", "/console/people/maria"),
        plain("/console/workloads"),
        plain("/console/issuers"),
        of("/console/issuers/{name}", "/console/issuers/okta"),
        plain("/console/policies"),
        plain("/accounts"),
    ]
}

/// Pages that ask before something is done, for an administrator.
pub fn asking(town: &Town) -> Vec<(&'static str, String)> {
    let of = |route: &'static str, path: &str| (route, path.to_owned());
    let mut pages: Vec<(&'static str, String)> = ["suspend", "decommission", "restrict", "demote"]
        .iter()
        .map(|word| ("/console/agents/{name}/{act}", format!("/console/agents/invoice-clerk/{word}")))
        .collect();
    pages.extend([
        of("/console/agents/{name}/{act}", "/console/agents/web-scraper/resume"),
        of("/console/agents/{name}/baseline/{act}", "/console/agents/invoice-clerk/baseline/approve"),
        of("/console/agents/{name}/baseline/{act}", "/console/agents/invoice-clerk/baseline/keep"),
        of("/console/agents/{name}/baseline/{act}", "/console/agents/invoice-clerk/baseline/reset"),
        of("/console/tasks/{id}/end", &format!("/console/tasks/{}/end", town.tasks[1].1)),
        of("/console/people/{name}/{act}", "/console/people/maria/link"),
        of("/console/people/{name}/{act}", "/console/people/maria/unlink?issuer=okta&subject=00u1"),
        of("/console/people/{name}/{act}", "/console/people/olga/away"),
        of("/console/people/{name}/{act}", "/console/people/olga/back"),
        of("/console/credentials/seal", "/console/credentials/seal"),
        of("/console/credentials/{name}/{act}", "/console/credentials/bank/set"),
        of("/console/credentials/{name}/{act}", "/console/credentials/bank/forget"),
        of("/console/plane/rotate", "/console/plane/rotate"),
        of("/console/plane/backup", "/console/plane/backup"),
        of("/console/envelopes/{id}/revoke", &format!("/console/envelopes/{}/revoke", town.envelope)),
    ]);
    pages
}

/// Routes that show no page of their own, or one that others test; each has a reason.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("/signin", "without a session: browser.rs"),
    ("/signin/callback", "leads on: browser.rs"),
    ("/signin/{issuer}", "leads to a provider: browser.rs"),
    ("/signout", "a form: browser.rs"),
    ("/oauth/authorize", "without the frame: browser.rs"),
    ("/oauth/accounts/callback", "leads on: accounts.rs"),
    ("/accounts/{system}", "the same page as /accounts"),
    ("/accounts/{system}/connect", "leads to a system: accounts.rs"),
    ("/accounts/{system}/disconnect", "a form: accounts.rs"),
    ("/approvals/{id}/answer", "a form: approval_pages.rs"),
    ("/proposals/{id}", "wants a change that waits: proposals.rs"),
    ("/proposals/{id}/answer", "a form: proposals.rs"),
    ("/approvals/together/{id}", "wants several that are alike: quality tests"),
    ("/console/containments/{id}", "wants an order: containments.rs"),
    ("/signin/passkey/begin", "for passkey.js: passkeys.rs"),
    ("/signin/passkey/finish", "for passkey.js: passkeys.rs"),
    ("/here", "leads on: passkeys.rs"),
    ("/invite", "without the frame: passkeys.rs"),
    ("/invite/open", "for passkey.js: passkeys.rs"),
    ("/invite/begin", "for passkey.js: passkeys.rs"),
    ("/invite/finish", "for passkey.js: passkeys.rs"),
    ("/you/passkeys/{id}/{deed}", "a form: passkeys.rs"),
    ("/you/sessions/{id}/end", "a form: passkeys.rs"),
    ("/console/people/{name}/invite", "a form: passkeys.rs"),
    ("/assets/passkey.js", "no page"),
    ("/console/deliveries/{id}", "wants an outbox: channels.rs"),
    ("/console/findings/{id}/answer", "a form: findings.rs"),
    ("/console/systems/{name}/repin", "a form: acting.rs"),
    ("/console/systems/{name}/take", "a form: acting.rs"),
    ("/events", "a stream: console.rs"),
    ("/assets/provost.css", "no page"),
    ("/assets/provost.svg", "no page"),
    ("/assets/live.js", "no page"),
    ("/assets/keys.js", "no page"),
];
