//! Streams that are fetched and pushed.

use super::*;

async fn fetch(served: &Served, token: &str, id: &str, body: Value) -> Value {
    let mut body = body;
    body["returnImmediately"] = json!(true);
    served.send("POST", &format!("/ssf/poll/{id}"), Some(token), Some(&body)).await.ok()
}

fn kinds(fetched: &Value) -> Vec<String> {
    let sets = fetched["sets"].as_object().unwrap();
    let mut kinds: Vec<String> = sets.values().map(|set| events_of(set.as_str().unwrap())).collect();
    kinds.sort();
    kinds
}

/// The last word of the type of the one event in a token.
fn events_of(set: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = URL_SAFE_NO_PAD.decode(set.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert!(claims.get("sub").is_none() && claims.get("exp").is_none(), "{claims}");
    let events = claims["events"].as_object().unwrap();
    assert_eq!(events.len(), 1);
    events.keys().next().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_manages_its_own_stream_and_nobody_elses() {
    let (served, [siem, other, plain]) = plane().await;
    let metadata = served.send("GET", "/.well-known/ssf-configuration", None, None).await.ok();
    assert_eq!(
        (&metadata["issuer"], &metadata["spec_version"]),
        (&json!(served.plane.issuer), &json!("1_0"))
    );
    let made = stream(&served, &siem, json!({ "description": "ours" })).await;
    let id = made["stream_id"].as_str().unwrap().to_owned();
    assert_eq!((&made["aud"], &made["iss"]), (&json!(AUDIENCE), &json!(served.plane.issuer)));
    let at = format!("/ssf/stream?stream_id={id}");
    let status_at = format!("/ssf/status?stream_id={id}");
    let patch = |more: Value| {
        let mut body = json!({ "stream_id": id });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Some(body)
    };
    let pausing = json!({ "stream_id": id, "status": "paused", "reason": "moving" });
    type Row<'a> = (&'a str, &'a str, Option<&'a str>, Option<Value>, u16);
    let table: Vec<Row<'_>> = vec![
        ("POST", "/ssf/stream", Some(&siem), Some(json!({})), 409),
        ("POST", "/ssf/stream", None, Some(json!({})), 401),
        ("POST", "/ssf/stream", Some(&plain), Some(json!({})), 403),
        ("POST", "/ssf/stream", Some(&served.token), Some(json!({})), 403),
        (
            "POST",
            "/ssf/stream",
            Some(&other),
            Some(json!({"events_requested": ["https://unknown.example"]})),
            400,
        ),
        (
            "POST",
            "/ssf/stream",
            Some(&other),
            Some(json!({"delivery": {"method": "urn:ietf:rfc:8935", "endpoint_url": "http://siem.example"}})),
            400,
        ),
        ("POST", "/ssf/stream", Some(&other), Some(json!({"delivery": {"method": "fax"}})), 400),
        ("GET", &at, Some(&siem), None, 200),
        ("GET", &at, Some(&other), None, 404),
        ("GET", "/ssf/stream", Some(&other), None, 200),
        ("PATCH", "/ssf/stream", Some(&siem), patch(json!({"events_requested": [SESSION_REVOKED]})), 200),
        ("PATCH", "/ssf/stream", Some(&siem), patch(json!({"aud": "https://evil.example"})), 400),
        ("PATCH", "/ssf/stream", Some(&other), patch(json!({"description": "mine"})), 404),
        ("PUT", "/ssf/stream", Some(&siem), patch(json!({"aud": AUDIENCE})), 200),
        ("GET", &status_at, Some(&siem), None, 200),
        ("POST", "/ssf/status", Some(&siem), Some(pausing.clone()), 200),
        ("POST", "/ssf/status", Some(&other), Some(pausing), 404),
        ("POST", "/ssf/status", Some(&siem), patch(json!({"status": "asleep"})), 400),
        (
            "POST",
            "/ssf/subjects/add",
            Some(&siem),
            patch(json!({"subject": {"format": "email", "email": "a@b.example"}})),
            200,
        ),
        (
            "POST",
            "/ssf/subjects/remove",
            Some(&siem),
            patch(json!({"subject": {"format": "email", "email": "a@b.example"}})),
            204,
        ),
        ("POST", "/ssf/subjects/remove", Some(&siem), patch(json!({"subject": "a@b.example"})), 400),
        ("POST", "/ssf/verify", Some(&other), patch(json!({})), 404),
        ("POST", "/ssf/verify", Some(&siem), patch(json!({"state": "s"})), 204),
        ("POST", "/ssf/verify", Some(&siem), patch(json!({"state": "s"})), 429),
        ("DELETE", &at, Some(&other), None, 404),
        ("DELETE", &at, Some(&siem), None, 204),
        ("GET", &at, Some(&siem), None, 404),
    ];
    for (method, path, token, body, status) in table {
        let answer = served.send(method, path, token, body.as_ref()).await;
        assert_eq!(answer.status, status, "{method} {path} {body:?}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_agent_is_told_of_until_the_receiver_acknowledges_it() {
    let (served, [siem, other, _plain]) = plane().await;
    let id = stream(&served, &siem, json!({})).await["stream_id"].as_str().unwrap().to_owned();
    assert_eq!(fetch(&served, &siem, &id, json!({})).await["sets"], json!({}));
    suspend(&served).await;
    let first = fetch(&served, &siem, &id, json!({})).await;
    assert_eq!(kinds(&first), ["account-disabled", "session-revoked"]);
    let sets = first["sets"].as_object().unwrap();
    let keys = keys(&served).await;
    for (jti, set) in sets {
        let now = served.plane.now();
        let event =
            read_event(set.as_str().unwrap(), &keys, (&served.plane.issuer, &[AUDIENCE]), now).unwrap();
        assert_eq!(event.jti, *jti);
        assert_eq!(event.subject, json!({"format": "iss_sub", "iss": served.plane.issuer, "sub": "clerk"}));
        let said = event.payload["reason_admin"]["en"].as_str().unwrap();
        assert!(said.contains("it went wild"), "{said}");
    }
    let again = fetch(&served, &siem, &id, json!({})).await;
    let ids = |fetched: &Value| fetched["sets"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&first), "the same until they are acknowledged");
    let stranger = served.send("POST", &format!("/ssf/poll/{id}"), Some(&other), Some(&json!({}))).await;
    assert_eq!(stranger.status, 404);
    let (one, rest) = (ids(&first)[0].clone(), ids(&first)[1].clone());
    let after = fetch(&served, &siem, &id, json!({ "ack": [one, "delivery_unknown"] })).await;
    assert_eq!(ids(&after), [rest.as_str()]);
    let refused = json!({ "setErrs": { rest: { "err": "invalid_key", "description": "no" } } });
    assert_eq!(fetch(&served, &siem, &id, refused).await["sets"], json!({}));
    let rows = served.get(&format!("/deliveries?lane=stream/{id}")).await.ok();
    let mut states: Vec<&str> =
        rows["items"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, Vec::<&str>::new(), "no pump ran, so nothing over is remembered here");

    served.post("/agents/clerk/resume", json!({ "reason": "it is mended" })).await.ok();
    outbox::once(&served.plane).await.unwrap();
    assert_eq!(kinds(&fetch(&served, &siem, &id, json!({})).await), ["account-enabled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_hears_what_it_asked_for_and_keeps_it_while_it_is_paused() {
    let (served, [siem, _other, _plain]) = plane().await;
    let asked = json!({ "events_requested": [ACCOUNT_DISABLED, "https://unknown.example"] });
    let made = stream(&served, &siem, asked).await;
    assert_eq!(made["events_delivered"], json!([ACCOUNT_DISABLED]));
    let id = made["stream_id"].as_str().unwrap().to_owned();
    // Each change of it is told, also by a stream that tells nothing else.
    let set = async |status: &str| {
        let wanted = json!({ "stream_id": id, "status": status, "reason": "moving" });
        served.send("POST", "/ssf/status", Some(&siem), Some(&wanted)).await.ok();
        let keys = keys(&served).await;
        let got = fetch(&served, &siem, &id, json!({})).await;
        for (jti, set) in got["sets"].as_object().unwrap() {
            let set = set.as_str().unwrap();
            if events_of(set) == "stream-updated" {
                let now = served.plane.now();
                let event = read_event(set, &keys, (&served.plane.issuer, &[AUDIENCE]), now).unwrap();
                assert_eq!(
                    event.payload,
                    json!({ "status": status, "reason": "moving" }).as_object().unwrap().clone()
                );
                assert_eq!(event.subject, json!({ "format": "opaque", "id": id }));
                fetch(&served, &siem, &id, json!({ "ack": [jti] })).await;
                return;
            }
        }
        panic!("nobody was told that it is {status}: {got}");
    };
    set("paused").await;
    suspend(&served).await;
    assert_eq!(fetch(&served, &siem, &id, json!({})).await["sets"], json!({}));
    set("enabled").await;
    let got = fetch(&served, &siem, &id, json!({})).await;
    assert_eq!(kinds(&got), ["account-disabled"]);
    let acks: Vec<&String> = got["sets"].as_object().unwrap().keys().collect();
    fetch(&served, &siem, &id, json!({ "ack": acks })).await;
    // A disabled stream keeps nothing, and a subject that was removed is not told of.
    set("disabled").await;
    served.post("/agents/clerk/resume", json!({ "reason": "r" })).await.ok();
    suspend(&served).await;
    set("enabled").await;
    assert_eq!(fetch(&served, &siem, &id, json!({})).await["sets"], json!({}));
    let clerk = json!({ "stream_id": id, "subject": {"format": "iss_sub", "iss": served.plane.issuer, "sub": "clerk"} });
    assert_eq!(served.send("POST", "/ssf/subjects/remove", Some(&siem), Some(&clerk)).await.status, 204);
    served.post("/agents/clerk/resume", json!({ "reason": "r" })).await.ok();
    suspend(&served).await;
    assert_eq!(fetch(&served, &siem, &id, json!({})).await["sets"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_task_is_told_of_as_a_session_of_its_agent() {
    let (served, [siem, _other, _plain]) = plane().await;
    let id = stream(&served, &siem, json!({})).await["stream_id"].as_str().unwrap().to_owned();
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    served.post(&format!("/tasks/{task}/end"), json!({ "reason": "done" })).await.ok();
    outbox::once(&served.plane).await.unwrap();
    let got = fetch(&served, &siem, &id, json!({})).await;
    let set = got["sets"].as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
    let event =
        read_event(&set, &keys(&served).await, (&served.plane.issuer, &[AUDIENCE]), served.plane.now())
            .unwrap();
    assert_eq!(event.event, SESSION_REVOKED);
    assert_eq!(event.subject["session"], json!({"format": "opaque", "id": task}));
    assert_eq!(event.subject["application"]["sub"], "clerk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_acknowledges_what_is_its_own_and_nothing_of_anybody_else() {
    let (served, [siem, other, _plain]) = plane().await;
    let made = stream(&served, &siem, json!({})).await;
    let id = made["stream_id"].as_str().unwrap().to_owned();
    let made = stream(&served, &other, json!({})).await;
    let others = made["stream_id"].as_str().unwrap().to_owned();
    suspend(&served).await;
    let owed =
        |fetched: &Value| -> Vec<String> { fetched["sets"].as_object().unwrap().keys().cloned().collect() };
    let theirs = owed(&fetch(&served, &siem, &id, json!({})).await);
    assert_eq!(theirs.len(), 2);
    let (first, second) = (&theirs[0], &theirs[1]);
    let says = json!({ "ack": [first], "setErrs": { (second): { "err": "invalid_request" } } });
    fetch(&served, &other, &others, says.clone()).await;
    assert_eq!(owed(&fetch(&served, &siem, &id, json!({})).await), theirs, "it is none of theirs");
    assert!(owed(&fetch(&served, &siem, &id, says).await).is_empty());
}
