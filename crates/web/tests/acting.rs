#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! What is done in the console: offered to who may, asked before, done with a reason, refused with what was typed still there.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/pages.rs"]
mod list;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/town.rs"]
mod town;

use console::{Browser, Seen};
use provost_domain::person::Role;
use town::Town;

async fn sent(browser: &Browser, path: &str, fields: &[(&str, &str)]) -> Seen {
    browser.post(path, "same-origin", fields).await
}

/// What each role is offered, as a table: `yes` where the page that asks is there, `-` where it says which role is wanted.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_may_not_do_is_neither_offered_nor_done_when_it_is_sent_anyway() {
    let town = Town::built().await;
    let mut table = String::new();
    let mut columns = vec![("nobody's", town.stage.signed_in("jonas", &[]).await)];
    town.without_roles("jonas").await;
    for role in Role::ALL {
        columns.push((role.as_str(), town.stage.signed_in("jonas", &[role]).await));
    }
    columns.push(("owner", town.stage.signed_in("maria", &[]).await));
    town.without_roles("maria").await;
    let before = town.stage.served.plane.store.head().await.unwrap();
    for (_, path) in list::asking(&town) {
        // Ids differ each time.
        let shown = path
            .split('?')
            .next()
            .unwrap()
            .replace(&town.tasks[1].1, "TASK")
            .replace(&town.envelope, "ENVELOPE");
        table.push_str(&format!("{shown:<48}"));
        for (_, browser) in &columns {
            let asked = browser.get(&path).await.status;
            table.push_str(&format!("{:<15}", if asked == 200 { "yes" } else { "-" }));
            if asked != 200 {
                let done = sent(
                    browser,
                    &path,
                    &[
                        ("reason", "anyway"),
                        ("level", "off"),
                        ("autonomy", "probation"),
                        ("secret", "x"),
                        ("name", "x"),
                        ("issuer", "okta"),
                        ("subject", "x"),
                        ("to", "olga"),
                        ("lasts", "1d"),
                    ],
                )
                .await;
                assert_eq!(done.status, 403, "{path}");
            }
        }
        table = table.trim_end().to_owned();
        table.push('\n');
    }
    assert_eq!(town.stage.served.plane.store.head().await.unwrap(), before, "nothing was changed");
    let head: String = columns.iter().map(|(title, _)| format!("{title:<15}")).collect();
    let table = format!("{:<48}{}\n{table}", "page", head.trim_end());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/acting.golden");
    if std::env::var_os("PROVOST_BLESS").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), table, "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_is_done_once_leads_back_and_says_so() {
    let town = Town::built().await;
    let olga = town.stage.signed_in("olga", &[]).await;
    let served = &town.stage.served;
    let ending = town.tasks[1].1.clone();
    type Row<'a> = (String, Vec<(&'a str, &'a str)>, &'a str, &'a str);
    let rows: Vec<Row<'_>> = vec![
        (
            "/console/agents/invoice-clerk/suspend".into(),
            vec![("reason", "odd payments")],
            "/console/agents/invoice-clerk",
            "moved",
        ),
        (
            "/console/agents/invoice-clerk/resume".into(),
            vec![("reason", "they were fine")],
            "/console/agents/invoice-clerk",
            "moved",
        ),
        (
            "/console/agents/invoice-clerk/restrict".into(),
            vec![("reason", "audit"), ("level", "read-only")],
            "/console/agents/invoice-clerk",
            "restricted",
        ),
        (
            "/console/agents/invoice-clerk/demote".into(),
            vec![("reason", "audit"), ("autonomy", "supervised")],
            "/console/agents/invoice-clerk",
            "demoted",
        ),
        (format!("/console/tasks/{ending}/end"), vec![("reason", "enough")], &ending, "ended"),
        (
            "/console/people/maria/link".into(),
            // She can sign in already: it waits for those who must agree.
            vec![("reason", "moved"), ("issuer", "okta"), ("subject", "00u2")],
            "/proposals/proposal_",
            "proposed",
        ),
        (
            "/console/people/maria/unlink".into(),
            vec![("reason", "moved"), ("issuer", "okta"), ("subject", "00u1")],
            "/console/people/maria",
            "unlinked",
        ),
        (
            "/console/people/olga/away".into(),
            vec![("reason", "holiday"), ("to", "jonas"), ("lasts", "5d")],
            "/you",
            "away",
        ),
        (
            "/console/credentials/seal".into(),
            vec![("reason", "new"), ("name", "deploy"), ("secret", "hunter2")],
            "/console/credentials",
            "sealed",
        ),
        (
            "/console/credentials/crm/set".into(),
            vec![("reason", "rotated"), ("secret", "hunter3")],
            "/console/credentials",
            "sealed",
        ),
        (
            "/console/credentials/bank/forget".into(),
            vec![("reason", "gone")],
            "/console/credentials",
            "forgotten",
        ),
        ("/console/plane/rotate".into(), vec![("reason", "yearly")], "/console/plane", "rotated"),
        ("/console/plane/backup".into(), vec![("name", "a.db")], "/console/plane", "backed-up"),
        (
            format!("/console/envelopes/{}/revoke", town.envelope),
            vec![("reason", "enough")],
            "/console/envelopes",
            "revoked",
        ),
    ];
    for (path, fields, back, word) in rows {
        let done = sent(&olga, &path, &fields).await;
        assert_eq!(done.status, 303, "{path}: {}", done.body);
        assert!(
            done.location.contains(back) && done.location.ends_with(&format!("done={word}")),
            "{path}: {}",
            done.location
        );
        let told = olga.get(&done.location).await;
        let tells = told.body.contains("class=\"told\" role=\"status\"");
        assert!(told.status == 200 && tells, "{path}");
        assert!(!told.body.contains("hunter"), "{path}: no secret comes back");
    }
    let agent = served.get("/agents/invoice-clerk").await.ok();
    assert_eq!((agent["status"].as_str(), agent["level"].as_str()), (Some("active"), Some("read-only")));
    assert_eq!((agent["autonomy"].as_str(), agent["revision"].as_u64()), (Some("supervised"), Some(2)));
    assert!(
        agent["history"].to_string().contains("person olga")
            && agent["history"].to_string().contains("audit")
    );
    assert_eq!(served.get(&format!("/tasks/{ending}")).await.ok()["status"], "ended");
    let person = served.get("/people/maria").await.ok();
    assert!(person["logins"].as_array().is_none_or(Vec::is_empty), "one went, the other waits: {person}");
    assert_eq!(served.get("/people/olga").await.ok()["away"]["to"], "jonas");
    assert!(served.plane.data.join("backups/a.db").exists());
    assert!(
        !olga.get("/console?done=%3Cb%3E").await.body.contains("class=\"told\""),
        "only words of ours are told"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_says_why_keeps_what_was_typed_and_never_a_secret() {
    let town = Town::built().await;
    let olga = town.stage.signed_in("olga", &[]).await;
    let before = town.stage.served.plane.store.head().await.unwrap();
    let kept = |seen: &Seen, path: &str, typed: &[&str]| {
        assert!((400..500).contains(&seen.status), "{path}: {}", seen.status);
        assert!(
            seen.body.contains("role=\"alert\"") && seen.body.contains("Not done."),
            "{path}: {}",
            seen.body
        );
        for text in typed {
            assert!(seen.body.contains(text), "{path}: {text}: {}", seen.body);
        }
    };
    let path = "/console/agents/invoice-clerk/restrict";
    let seen = sent(&olga, path, &[("level", "off"), ("reason", " ")]).await;
    kept(&seen, path, &["<option value=\"off\" selected>", "What to do:"]);
    let path = "/console/people/maria/link";
    let seen = sent(&olga, path, &[("issuer", "nowhere"), ("subject", "00u<9>"), ("reason", "a & b")]).await;
    kept(&seen, path, &["value=\"00u&#60;9&#62;\"", "value=\"a &#38; b\""]);
    let path = "/console/credentials/seal";
    let seen =
        sent(&olga, path, &[("name", "No Name"), ("secret", "s3cret-typed"), ("reason", "new one")]).await;
    kept(&seen, path, &["value=\"No Name\"", "value=\"new one\""]);
    assert!(!seen.body.contains("s3cret-typed"), "a secret is not shown again");
    let path = "/console/plane/backup";
    let seen = sent(&olga, path, &[("name", "../../etc/passwd")]).await;
    kept(&seen, path, &["value=\"../../etc/passwd\""]);
    let path = "/console/agents/web-scraper/suspend";
    let seen = sent(&olga, path, &[("reason", "again")]).await;
    kept(&seen, path, &["value=\"again\""]);
    for site in ["cross-site", "same-site", "none"] {
        let seen = olga.post("/console/agents/invoice-clerk/suspend", site, &[("reason", "forged")]).await;
        assert_eq!(seen.status, 403, "{site}");
    }
    assert_eq!(town.stage.served.plane.store.head().await.unwrap(), before, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_for_an_agent_stops_it_and_lets_it_go_no_further() {
    let town = Town::built().await;
    let aisha = town.stage.signed_in("aisha", &[]).await;
    let own = "/console/agents/dunning";
    let page = aisha.get(own).await.body;
    for (word, offered) in [("suspend", true), ("restrict", true), ("demote", true), ("decommission", false)]
    {
        assert_eq!(page.contains(&format!("{own}/{word}\"")), offered, "{word}");
    }
    let less = [("reason", "odd"), ("level", "read-only")];
    assert_eq!(sent(&aisha, &format!("{own}/restrict"), &less).await.status, 303);
    let more = [("reason", "fine"), ("level", "normal")];
    let refused = sent(&aisha, &format!("{own}/restrict"), &more).await;
    assert!(refused.status == 403 && refused.body.contains("operator or administrator"), "{}", refused.body);
    assert_eq!(sent(&aisha, &format!("{own}/suspend"), &[("reason", "odd")]).await.status, 303);
    assert_eq!(sent(&aisha, &format!("{own}/resume"), &[("reason", "fine")]).await.status, 403);
    assert_eq!(sent(&aisha, &format!("{own}/decommission"), &[("reason", "gone")]).await.status, 403);
    let foreign = "/console/agents/invoice-clerk/suspend";
    assert_eq!(sent(&aisha, foreign, &[("reason", "odd")]).await.status, 403);
    let view = town.stage.served.get("/agents/dunning").await.ok();
    assert_eq!((view["status"].as_str(), view["level"].as_str()), (Some("suspended"), Some("read-only")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_looked_at_again_says_so_in_place() {
    let town = Town::built().await;
    let olga = town.stage.signed_in("olga", &[]).await;
    for word in ["repin", "take"] {
        let seen =
            sent(&olga, &format!("/console/systems/bank/{word}"), &[("reason", "the new release")]).await;
        assert!(seen.status >= 400 && seen.body.contains("Not done."), "{}: {}", seen.status, seen.body);
        assert!(seen.body.contains("Look again"), "{}", seen.body);
    }
    let viewer = town.stage.signed_in("chen", &[]).await;
    let seen = sent(&viewer, "/console/systems/bank/repin", &[]).await;
    assert_eq!(seen.status, 403);
    assert!(!viewer.get("/console/systems/bank").await.body.contains("/repin"), "nor is it offered");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_box_finds_everything_and_an_id_leads_to_its_page() {
    let town = Town::built().await;
    let olga = town.stage.signed_in("olga", &[]).await;
    for (q, found) in [
        ("CLERK", "/console/agents/invoice-clerk"),
        ("reconciles", "/console/agents/bookkeeper"),
        ("lindt", "/console/people/maria"),
        ("transfer", "/console/systems/bank#tool-transfer"),
        ("warehouse", "/console/systems/warehouse"),
        ("asks%20who", "/console/workloads"),
    ] {
        let seen = olga.get(&format!("/console/search?q={q}")).await;
        assert!(seen.status == 200 && seen.body.contains(&format!("href=\"{found}\"")), "{q}: {}", seen.body);
    }
    for (id, page) in [
        (town.decided[0].clone(), format!("/console/decisions/{}", town.decided[0])),
        (town.tasks[0].1.clone(), format!("/console/tasks/{}", town.tasks[0].1)),
        (town.approval.clone(), format!("/approvals/{}", town.approval)),
    ] {
        let seen = olga.get(&format!("/console/search?q={id}")).await;
        assert_eq!((seen.status, seen.location), (303, page));
    }
    let api = town.stage.served.get("/search?q=clerk").await.ok();
    assert_eq!(api["found"][0]["kind"], "agent");
    assert_eq!(town.stage.served.get(&format!("/search?q={}", "x".repeat(201))).await.status, 422);
    let tally = town.stage.served.get("/decisions/tally").await.ok();
    assert_eq!(tally["steps"].as_array().unwrap().len(), 72);
    assert!(tally["total"]["deny"].as_u64().unwrap() > 0, "{tally}");
    assert_eq!(town.stage.served.get("/decisions/tally?hours=49").await.status, 422);
}
