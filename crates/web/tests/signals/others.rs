//! A receiver written by others (`tests/interop/ssf`), and what events are signed with.

use super::*;
use provost_control::token_keys;
use provost_token::Algorithm;
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
};

const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
const UPDATED: &str = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated";
const ACCOUNT_ENABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-enabled";

/// It, and the plane's own worker beside it.
struct Other {
    _child: Child,
    says: Lines<BufReader<ChildStdout>>,
    hears: ChildStdin,
    pump: JoinHandle<()>,
}

impl Drop for Other {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl Other {
    async fn start(served: &Served, token: &str, method: &str, algorithm: Option<&str>) -> Self {
        let mut command = Command::from(tokio::task::spawn_blocking(interop::ssf).await.unwrap());
        command.env("ISSUER", &served.plane.issuer).env("TOKEN", token).env("METHOD", method);
        command.env("EVENTS", "CaepSessionRevoked,RiscAccountDisabled,RiscAccountEnabled");
        if let Some(algorithm) = algorithm {
            command.env("ALGORITHM", algorithm);
        }
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child = started.unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        let hears = child.stdin.take().unwrap();
        let plane = std::sync::Arc::clone(&served.plane);
        let pump = tokio::spawn(async move {
            loop {
                let _next_time = outbox::once(&plane).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { _child: child, says, hears, pump }
    }

    async fn tell(&mut self, line: &str) {
        self.hears.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// What it says until everything that is wanted was said, in whatever order.
    async fn until(&mut self, wanted: &[Value]) -> Vec<Value> {
        let (mut said, mut left): (Vec<Value>, Vec<&Value>) = (Vec::new(), wanted.iter().collect());
        while !left.is_empty() {
            let line = tokio::time::timeout(Duration::from_secs(90), self.says.next_line()).await;
            let line = line.unwrap_or_else(|_late| panic!("{left:?} was never said, but {said:?}"));
            let line: Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
            let is = |wanted: &&Value| {
                wanted.as_object().unwrap().iter().all(|(name, value)| line[name] == *value)
            };
            if let Some(place) = left.iter().position(is) {
                left.remove(place);
            }
            said.push(line);
        }
        said
    }
}

fn event(kind: &str) -> Value {
    json!({ "event": kind })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_written_by_others_manages_its_stream_and_takes_what_is_pushed_and_fetched() {
    for method in ["push", "poll"] {
        let (served, [siem, _other, _plain]) =
            receiving(common::serve_signalling(Algorithm::Rs256).await).await;
        let mut other = Other::start(&served, &siem, method, None).await;
        let ready = other.until(&[json!({ "audience": [AUDIENCE] })]).await.pop().unwrap();
        let id = ready["ready"].as_str().unwrap().to_owned();
        // It asks for a verification and holds the state that comes back against what it sent.
        other.tell("verify").await;
        other.until(&[event(VERIFICATION), json!({ "done": "verify" })]).await;
        suspend(&served).await;
        let said = other.until(&[event(SESSION_REVOKED), event(ACCOUNT_DISABLED)]).await;
        let subject = said.last().unwrap()["subject"].clone();
        let wanted = json!({ "format": "iss_sub", "iss": served.plane.issuer, "sub": "clerk" });
        assert_eq!(subject, wanted, "{method}: {said:?}");
        // It has acknowledged each, once.
        let lane = format!("/deliveries?lane=stream/{id}");
        let rows = async || served.get(&lane).await.ok()["items"].as_array().unwrap().clone();
        for _look in 0..100 {
            if rows().await.iter().all(|row| row["state"] == "delivered") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let all = rows().await;
        assert!(all.len() == 3 && all.iter().all(|row| row["state"] == "delivered"), "{method}: {all:#?}");
        // What happens while it is paused comes afterwards.
        other.tell("status paused").await;
        other.until(&[event(UPDATED), json!({ "done": "status" })]).await;
        served.post("/agents/clerk/resume", json!({ "reason": "it is mended" })).await.ok();
        other.tell("status enabled").await;
        let said = other.until(&[event(UPDATED), event(ACCOUNT_ENABLED)]).await;
        assert!(!said.iter().any(|line| line["error"].is_string()), "{method}: {said:?}");
        // Of whom it does not want to hear it hears nothing.
        other.tell(&format!("remove {subject}")).await;
        other.until(&[json!({ "done": "remove" })]).await;
        // Six so far; what was acknowledged a moment ago is listed again once the plane has read that.
        for _look in 0..100 {
            if rows().await.len() == 6 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        suspend(&served).await;
        assert_eq!(rows().await.len(), 6, "{method}");
        other.tell(&format!("add {subject}")).await;
        other.until(&[json!({ "done": "add" })]).await;
        other.tell("delete").await;
        other.until(&[json!({ "done": "delete" })]).await;
        assert_eq!(served.get("/streams").await.ok(), json!([]), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_signed_as_the_plane_is_told_to_and_a_receiver_that_takes_another_algorithm_refuses_them()
{
    for (signals, algorithm, taken) in [
        (Algorithm::Es256, Some("ES256"), true),
        (Algorithm::EdDsa, Some("EdDSA"), true),
        // The interoperability profile, which takes nothing else unless told.
        (Algorithm::Rs256, None, true),
        (Algorithm::Es256, None, false),
    ] {
        let (served, [siem, _other, _plain]) = receiving(common::serve_signalling(signals).await).await;
        let mut other = Other::start(&served, &siem, "push", algorithm).await;
        let ready = other.until(&[json!({ "audience": [AUDIENCE] })]).await.pop().unwrap();
        let lane = format!("/deliveries?lane=stream/{}", ready["ready"].as_str().unwrap());
        suspend(&served).await;
        if taken {
            other.until(&[event(ACCOUNT_DISABLED)]).await;
        }
        let mut states = Vec::new();
        for _look in 0..100 {
            let rows = served.get(&lane).await.ok()["items"].as_array().unwrap().clone();
            states = rows.iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect();
            if !states.iter().any(|state| state == "due") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let wanted = if taken { "delivered" } else { "given-up" };
        assert!(states.len() == 2 && states.iter().all(|state| state == wanted), "{signals}: {states:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rsa_key_of_events_is_one_for_all_nodes_is_rotated_with_the_others_and_signs_nothing_else() {
    let served = common::serve_signalling(Algorithm::Rs256).await;
    served.apply().await;
    let rsa = |jwks: &Value| -> Vec<String> {
        let keys = jwks["keys"].as_array().unwrap().iter().filter(|key| key["kty"] == "RSA");
        keys.map(|key| {
            assert_eq!((&key["alg"], &key["use"]), (&json!("RS256"), &json!("sig")));
            key["kid"].as_str().unwrap().to_owned()
        })
        .collect()
    };
    let shown = async || served.send("GET", "/oauth/jwks", None, None).await.ok();
    let first = rsa(&shown().await);
    assert_eq!(first.len(), 1);
    // Another node, or this one after a restart, has the same; one that was told nothing draws none.
    let node = async |signals| {
        let store = std::sync::Arc::clone(&served.plane.store);
        let plane = common::plane_over(store, served.data.path(), served.plane.issuer.clone()).await;
        let mut plane = std::sync::Arc::into_inner(plane).unwrap();
        let keys = std::sync::Arc::into_inner(plane.token_keys).unwrap();
        let keys = keys
            .signalling_with(signals, plane.store.as_ref(), &plane.sealing_key, plane.random.as_ref())
            .await;
        plane.token_keys = std::sync::Arc::new(keys.unwrap());
        plane
    };
    let of = |plane: &provost_control::Plane| {
        rsa(&serde_json::to_value(plane.token_keys.jwks(plane.now())).unwrap())
    };
    assert_eq!(of(&node(Algorithm::Rs256).await), first);
    assert_eq!(of(&node(Algorithm::Es256).await), Vec::<String>::new());
    let before = served.plane.token_keys.with_signals(|key| key.verifying().kid().to_owned()).unwrap();
    assert_eq!(before, first[0]);
    token_keys::rotate(&served.op(), "a test").await.unwrap();
    let now = served.plane.token_keys.with_signals(|key| key.verifying().kid().to_owned()).unwrap();
    let after = rsa(&shown().await);
    assert!(
        now != before && after.contains(&now) && after.contains(&before),
        "both verify for a while: {after:?}"
    );
    assert_eq!(of(&node(Algorithm::Rs256).await).len(), 2);
    // Sealed like every key: no table has it as it is.
    let kept = served.plane.store.meta("seed/token/rs256").await.unwrap().unwrap();
    assert!(!kept.windows(7).any(|bytes| bytes == b"\x2a\x86\x48\x86\xf7\x0d\x01"), "rsaEncryption in plain");
    // The same claims under this key are no access token.
    let (token, now) = (served.task().await["token"].as_str().unwrap().to_owned(), served.plane.now());
    let verifier = served.plane.token_keys.verifier();
    let claims = verifier.issued(&token, now).unwrap();
    let forged = served.plane.token_keys.with_signals(|key| claims.issue(key)).unwrap().unwrap();
    assert!(verifier.issued(&forged, now).is_err());
}
