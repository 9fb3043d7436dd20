//! Every page there is, once, with something on it. `pages.rs` compares the list with the routes: a page that has no line here
//! fails that test, and with its line it is looked at by all the others.

use crate::{
    console::{Browser, Seen},
    town::Town,
};
use serde_json::{Value, json};

/// A page as somebody meets it.
pub struct Met {
    pub path: String,
    /// By whom: olga administers, maria approves and owns, aisha has no role, nobody is not signed in.
    pub who: &'static str,
    pub status: u16,
    /// What is sent, if the page is the answer to a form.
    pub form: Option<Vec<(&'static str, String)>>,
}

/// Every page by everybody who meets it differently.
pub fn met(town: &Town) -> Vec<Met> {
    let framed = looked_at(town).into_iter().chain(asking(town));
    let framed = framed.map(|(_, path)| Met { path, who: "olga", status: 200, form: None });
    framed.chain(apart(town)).collect()
}

/// A page as somebody meets it, without a browser.
pub async fn opened(town: &Town, met: &Met) -> Seen {
    let browser = match met.who {
        "nobody" => Browser::new(&town.stage.served, ""),
        name => town.stage.signed_in(name, &[]).await,
    };
    match &met.form {
        None => browser.get(&met.path).await,
        Some(form) => {
            let fields: Vec<(&str, &str)> =
                form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            browser.post(&met.path, "same-origin", &fields).await
        }
    }
}

/// The same for a script that walks.
pub fn as_json(pages: &[Met]) -> Value {
    let line =
        |met: &Met| json!({ "path": met.path, "who": met.who, "status": met.status, "form": met.form });
    pages.iter().map(line).collect()
}

/// Pages without the frame, pages of other people, what went wrong, and what a form leads to.
fn apart(town: &Town) -> Vec<Met> {
    let met = |path: &str, who, status| Met { path: path.to_owned(), who, status, form: None };
    let sent = |path: &str, who, status, form: &[(&'static str, &str)]| {
        let form = form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Met { form: Some(form), ..met(path, who, status) }
    };
    vec![
        met("/", "nobody", 200),
        met("/signin", "nobody", 200),
        met("/signin/nobody", "nobody", 404),
        met("/invite", "nobody", 200),
        met(&town.consent, "maria", 200),
        met("/oauth/authorize?client_id=none", "maria", 400),
        met("/console", "aisha", 200),
        met("/console/agents/dunning", "aisha", 200),
        met("/console/people", "aisha", 403),
        met("/console/agents/nobody", "olga", 404),
        met("/console/agents?cursor=%25", "olga", 400),
        met("/no-such-page", "olga", 404),
        met("/no-such-page", "nobody", 404),
        met(&format!("/approvals/{}", town.approval), "maria", 200),
        met(&format!("/approvals/together/{}", town.approval), "maria", 200),
        met(&format!("/proposals/{}", town.proposal), "maria", 200),
        met("/you?done=renamed", "maria", 200),
        sent("/console/systems/bank/repin", "olga", 502, &[]),
        sent("/console/people/chen/invite", "olga", 200, &[("from", "here")]),
        sent("/console/agents/dunning/suspend", "olga", 400, &[("reason", " ")]),
        sent("/console/contain", "olga", 200, &[("act", "look"), ("agent", "forecast"), ("reason", "why")]),
        sent(
            &format!("/approvals/together/{}", town.approval),
            "maria",
            200,
            &[("answer", "no"), ("reason", "not these"), ("this", "approval_none sha256:0")],
        ),
    ]
}

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
        of("/proposals/{id}", &format!("/proposals/{}", town.proposal)),
        plain("/console/findings"),
        of("/console/findings/{id}", &format!("/console/findings/{}", town.finding)),
        plain("/console/containments"),
        of("/console/containments/{id}", &format!("/console/containments/{}", town.order)),
        plain("/console/contain"),
        plain("/console/drills"),
        plain("/console/reviews"),
        of("/console/reviews/{id}", &format!("/console/reviews/{}", town.review)),
        plain("/console/activity"),
        of("/console/activity", "/console/activity?agent=nobody"),
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
        of("/console/deliveries/{id}", &format!("/console/deliveries/{}", town.delivery)),
        plain("/console/envelopes"),
        plain("/console/credentials"),
        plain("/console/plane"),
        plain("/you"),
        plain("/console/ledger"),
        of("/console/ledger/{kind}/{id}", &format!("/console/ledger/decision/{allowed}")),
        plain("/console/people"),
        of("/console/people/{name}", "/console/people/maria"),
        plain("/console/connectors"),
        of("/console/connectors/{name}", "/console/connectors/entra"),
        plain("/console/workloads"),
        plain("/console/issuers"),
        of("/console/issuers/{name}", "/console/issuers/okta"),
        plain("/console/policies"),
        plain("/accounts"),
        of("/accounts/{system}", "/accounts/bank"),
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
        of("/console/connectors/{name}/{act}", "/console/connectors/entra/token"),
        of("/console/connectors/{name}/{act}", "/console/connectors/entra/revoke"),
        of("/console/plane/rotate", "/console/plane/rotate"),
        of("/console/plane/backup", "/console/plane/backup"),
        of("/console/envelopes/{id}/revoke", &format!("/console/envelopes/{}/revoke", town.envelope)),
    ]);
    pages
}

/// Routes that show no page with a form's fields or without, or one of those above; each has a reason. None of them answers a
/// browser that opens it with a page, which `pages.rs` tries.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("/signin/callback", "leads on: people.rs"),
    ("/signin/{issuer}", "leads to a provider: browser.rs; else, what went wrong"),
    ("/signout", "a form: people.rs"),
    ("/here", "leads on: passkeys.rs"),
    ("/oauth/accounts/callback", "leads on: accounts.rs"),
    ("/accounts/{system}/connect", "leads to a system: accounts.rs"),
    ("/accounts/{system}/disconnect", "a form: accounts.rs"),
    ("/approvals/{id}/answer", "a form: approval_pages.rs"),
    ("/proposals/{id}/answer", "a form: proposals.rs"),
    ("/console/findings/{id}/answer", "a form: findings.rs"),
    ("/console/people/{name}/invite", "a form; what it leads to is above"),
    ("/console/systems/{name}/repin", "a form; what it leads to is above, and acting.rs"),
    ("/console/systems/{name}/take", "a form: acting.rs"),
    ("/you/passkeys/{id}/{deed}", "a form: passkeys.rs"),
    ("/you/sessions/{id}/end", "a form: passkeys.rs"),
    ("/signin/passkey/begin", "for passkey.js: passkeys.rs"),
    ("/signin/passkey/finish", "for passkey.js: passkeys.rs"),
    ("/invite/open", "for passkey.js: passkeys.rs"),
    ("/invite/begin", "for passkey.js: passkeys.rs"),
    ("/invite/finish", "for passkey.js: passkeys.rs"),
    ("/events", "a stream: console.rs"),
    ("/assets/passkey.js", "no page"),
    ("/assets/provost.css", "no page"),
    ("/assets/provost.svg", "no page"),
    ("/assets/live.js", "no page"),
    ("/assets/keys.js", "no page"),
];

/// Routes outside the frame that `met` opens.
pub const APART: &[&str] = &["/signin", "/invite", "/oauth/authorize", "/approvals/together/{id}"];
