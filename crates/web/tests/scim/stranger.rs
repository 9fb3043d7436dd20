//! Who may not, and what is no request.

use crate::{Stage, apply, refused, token};
use provost_domain::DurationMs;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_token_of_a_connector_and_a_connector_gets_nowhere_else() {
    let stage = Stage::built().await;
    let served = &stage.served;
    let workload = served.post("/workloads/checkout/token", json!({"reason": "test"})).await.ok();
    let workload = workload["token"].as_str().unwrap();
    let forged = format!("{}x", stage.entra);
    let of_another = stage.entra.replace("connector_entra", "connector_okta");
    for token in [None, Some("x"), Some(&*served.token), Some(workload), Some(&*forged), Some(&*of_another)] {
        for path in ["/Users", "/Users/ada", "/Groups", "/Groups/g"] {
            let answer = served.send("GET", &format!("/scim/v2{path}"), token, None).await;
            refused(&answer, 401, None);
            assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
        }
    }
    for path in ["/api/v1/people", "/api/v1/status", "/access/v1/evaluation", "/ssf/stream"] {
        let answer = served.send("GET", path, Some(&stage.entra), None).await;
        assert!([401, 403, 404, 405].contains(&answer.status), "{path}: {}", answer.status);
    }
    assert!(!format!("{:?}", served.get("/connectors/entra").await.ok()).contains(&stage.entra));
    let records = served.plane.store.tail(provost_domain::Seq(0), 1_000).await.unwrap();
    assert!(!serde_json::to_string(&records).unwrap().contains(&stage.entra), "a token is kept nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_the_next_one_with_its_time_with_a_word_and_with_its_connector() {
    let stage = Stage::built().await;
    let served = &stage.served;
    let works = async |token: &str| {
        served.send("GET", "/scim/v2/Users?count=0", Some(token), None).await.status == 200
    };
    assert!(works(&stage.entra).await);
    let overlap = json!({"reason": "rotate", "overlap": "1h", "lasts": "2h"});
    let second =
        served.post("/connectors/entra/token", overlap).await.ok()["token"].as_str().unwrap().to_owned();
    assert!(works(&stage.entra).await && works(&second).await, "both, while one takes the other's place");
    let later = crate::common::later(served, DurationMs::from_mins(61)).await;
    let known =
        async |token: &str| provost_control::session::connector_of(&later, token).await.unwrap().is_some();
    assert!(!known(&stage.entra).await && known(&second).await, "the overlap is over");
    let end = crate::common::later(served, DurationMs::from_mins(121)).await;
    assert!(
        provost_control::session::connector_of(&end, &second).await.unwrap().is_none(),
        "its time is over"
    );
    let third = token(served, "entra").await;
    assert!(!works(&second).await && works(&third).await, "the one before is void at once");
    assert!(!works(&stage.entra).await);
    served.delete("/connectors/entra/token?reason=lost").await.ok();
    assert!(!works(&third).await);
    let fourth = token(served, "entra").await;
    assert!(works(&fourth).await);
    apply(
        served,
        &crate::CONNECTORS.replace(
            "owner = \"maria\"\n\n[connector.entra.groups]",
            "owner = \"maria\"\nactive = false\n\n[connector.entra.groups]",
        ),
    )
    .await;
    assert!(!works(&fourth).await, "its connector is not heard any more");
    let refused = served.post("/connectors/entra/token", json!({"reason": "again"})).await;
    assert_eq!(refused.status, 403, "{:#}", refused.body);
    for wanted in [json!({"reason": "r", "lasts": "400d"}), json!({"reason": "r", "overlap": "8d"})] {
        assert_eq!(served.post("/connectors/okta/token", wanted).await.status, 422);
    }
    assert!(works(&stage.okta).await, "another connector's goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_are_refused_by_name_and_nothing_is_kept_of_them() {
    let stage = Stage::built().await;
    stage.user("ada@test.example").await;
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let head = stage.served.plane.store.head().await.unwrap();
    let filters = [
        "(".repeat(3_000),
        format!("{}active eq true{}", "not (".repeat(500), ")".repeat(500)),
        vec!["userName eq \"x\""; 200].join(" or "),
        format!("userName eq \"{}\"", "x".repeat(5_000)),
        "userName eq \"\u{0}\" or".to_owned(),
        "emails[emails[value eq \"x\"]]".to_owned(),
        "userName eq".to_owned(),
        "' or 1=1 --".to_owned(),
        "password pr".to_owned(),
    ];
    for filter in &filters {
        refused(&stage.get(&format!("/Users?filter={}", encoded(filter))).await, 400, Some("invalidFilter"));
    }
    assert!(stage.found("/Users", "userName eq \"\\u0000\"").await.is_empty());
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let raw = async |text: String, media: &str| {
        let url = format!("http://{}/scim/v2/Users", stage.served.address);
        let sent =
            stage.served.client.post(url).bearer_auth(&stage.entra).header("content-type", media).body(text);
        let answer = sent.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["scimType"].as_str().unwrap_or_default().to_owned())
    };
    let scim = "application/scim+json; charset=utf-8";
    let syntax = (400, "invalidSyntax".to_owned());
    for text in ["", "{", "[]", "null", "\"x\"", &deep, "{\"userName\":\"a\",\"userName\":\"b\"}"] {
        assert_eq!(raw(text.to_owned(), scim).await, syntax, "{text:.40}");
    }
    let value = (400, "invalidValue".to_owned());
    for body in [
        json!({}),
        json!({"userName": ""}),
        json!({"userName": "a\u{0}b"}),
        json!({"userName": "x".repeat(300)}),
        json!({"userName": ["a"]}),
        json!({"userName": "a", "externalId": "a\nb"}),
        json!({"userName": "a", "displayName": "x".repeat(3_000)}),
        json!({"userName": "a", "emails": vec![json!({"value": "x"}); 200]}),
    ] {
        assert_eq!(raw(body.to_string(), scim).await, value, "{body:.60}");
    }
    assert_eq!(raw("{}".to_owned(), "text/plain").await.0, 415);
    let huge = json!({"userName": "a", "title": "x".repeat(9 << 20)}).to_string();
    assert_eq!(raw(huge, scim).await.0, 413);
    for path in ["/Users/%00", "/Users/..%2f..", "/Users/' or 1=1", "/Users/maria", "/Groups/group-none"] {
        refused(&stage.get(&path.replace(' ', "%20")).await, 404, None);
    }
    let operations = Value::Array(vec![json!({"op": "add", "path": "title", "value": "x"}); 2_000]);
    refused(&stage.patch("/Users/ada", operations).await, 400, Some("invalidSyntax"));
    assert_eq!(stage.served.plane.store.head().await.unwrap(), head, "nothing was changed");
    let shown = stage.served.get("/connectors/entra").await.ok();
    assert_eq!(
        shown["troubles"].as_array().unwrap().len(),
        20,
        "the last of them are shown to people who look"
    );
    let markup = json!({"userName": "<img src=x>@x", "displayName": "\u{202e}<script>alert(1)</script>"});
    let made = stage.send("POST", "/Users", Some(markup)).await;
    assert_eq!((made.status, &made.body["id"]), (201, &json!("img-src-x")));
    assert!(!stage.person("img-src-x").await["display"].as_str().unwrap().contains('\u{202e}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_make_the_same_person_at_once_one_does() {
    let stage = Stage::built().await;
    let body = json!({"userName": "ada@test.example", "externalId": "1"});
    let all = (0..8).map(|_| stage.send("POST", "/Users", Some(body.clone())));
    let mut statuses: Vec<u16> =
        futures::future::join_all(all).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    let group = json!({"displayName": "Team"});
    let all = (0..8).map(|_| stage.send("POST", "/Groups", Some(group.clone())));
    let made = futures::future::join_all(all).await.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    // Two people whose names would be the same are two people.
    let other = stage.send("POST", "/Users", Some(json!({"userName": "ada@elsewhere.example"}))).await;
    assert_eq!((other.status, &other.body["id"]), (201, &json!("ada-2")));
}
