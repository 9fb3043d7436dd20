//! What is on record stays so: the ledger, copies, starts after a crash, what somebody changed behind the plane's back.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_told_replayed_proven_and_exported() {
    let served = serve().await;
    served.apply().await;
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    let held = call(&served, &task, "transfer", json!({ "payee": "x", "amount": 5 })).await;
    let denied = call(&served, &task, "transfer", json!({ "payee": "x", "amount": 300 })).await;
    // The organisation moves on; the replay must not.
    served.post("/agents/clerk/suspend", json!({ "reason": "odd" })).await.ok();

    let page = served.get("/decisions?agent=clerk&limit=1").await.ok();
    assert_eq!(page["items"][0]["id"], denied.to_string());
    let next = served
        .get(&format!("/decisions?agent=clerk&limit=1&cursor={}", page["next"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(next["items"][0]["id"], held.to_string());
    for (id, verdict) in [(held, None), (denied, Some("deny"))] {
        let why = served.get(&format!("/decisions/{id}/why")).await.ok();
        assert_eq!(
            (why["same"].as_bool(), why["differences"].as_array().unwrap().len()),
            (Some(true), 0),
            "{why:#}"
        );
        if let Some(verdict) = verdict {
            assert_eq!(why["recorded"]["verdict"], verdict, "{why:#}");
            assert!(why["words"].to_string().contains("payments above 250 EUR"), "{why:#}");
        }
    }
    let shown = served.get(&format!("/tasks/{task}")).await.ok();
    assert_eq!(shown["decisions"].as_array().unwrap().len(), 2);

    assert_eq!(
        served.get(&format!("/ledger/proofs/decision/{denied}")).await.status,
        404,
        "not sequenced yet"
    );
    sequencer::sequence_all(&served.plane).await.unwrap();
    let proof = served.get(&format!("/ledger/proofs/decision/{denied}")).await.ok();
    let receipt = provost_ledger::Receipt::parse(proof["receipt"].as_str().unwrap().as_bytes()).unwrap();
    let key = proof["vkey"].as_str().unwrap().parse().unwrap();
    let entry = receipt.entry().unwrap().unwrap();
    receipt.verify(&entry.commitment(), &key, &[]).unwrap();
    assert_eq!(entry.body(), proof["record"].as_str());
    assert_eq!(served.get("/ledger/proofs/change/change-1").await.status, 200);

    let files = export(&served).await;
    let report = provost_ledger::verify_export(
        &files,
        provost_ledger::Options { key: Some(key), ..Default::default() },
    );
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!(Some(report.records), served.get("/ledger").await.ok()["size"].as_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_several_bundles_verifies_while_the_ledger_grows() {
    let served = serve().await;
    served.apply().await;
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    for _ in 0..300 {
        call(&served, &task, "list_accounts", json!({})).await;
    }
    sequencer::sequence_all(&served.plane).await.unwrap();
    let first = served.get("/ledger/export").await.ok();
    call(&served, &task, "list_accounts", json!({})).await;
    sequencer::sequence_all(&served.plane).await.unwrap();
    assert_eq!(first["next"].as_str().unwrap().split('.').next(), Some(&*first["size"].to_string()));
    let files = export(&served).await;
    let report = provost_ledger::verify_export(&files, provost_ledger::Options::default());
    assert!(report.is_sound() && report.earlier >= 1, "{:#?}", report.faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn fsck_finds_nothing_wrong_with_a_plane_that_was_used_and_a_backup_opens() {
    let served = serve().await;
    served.apply().await;
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    call(&served, &task, "list_accounts", json!({})).await;
    served.post(&format!("/tasks/{task}/end"), json!({ "reason": "done" })).await.ok();
    sequencer::sequence_all(&served.plane).await.unwrap();
    let report = served.send("POST", "/api/v1/fsck", Some(&served.token), None).await.ok();
    assert_eq!(report["sound"], true, "{report:#}");
    assert!(report["leaves"].as_u64().unwrap() > 7 && report["changes"].as_u64().unwrap() > 7, "{report:#}");
    let backup = served.post("/backups", json!({ "name": "one.db" })).await.ok();
    let copy = SqliteStore::open(std::path::Path::new(backup["path"].as_str().unwrap()), &Limits::default())
        .unwrap();
    assert_eq!(copy.head().await.unwrap(), served.plane.store.head().await.unwrap());
    assert_eq!(served.post("/backups", json!({ "name": "one.db" })).await.status, 409);
    for bad in ["../x", "a/b", "", ".hidden"] {
        assert_eq!(served.post("/backups", json!({ "name": bad })).await.status, 422, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_older_than_its_checkpoint_is_refused_with_the_cure_and_can_be_adopted() {
    let served = serve().await;
    served.apply().await;
    sequencer::sequence_all(&served.plane).await.unwrap();
    anchor::check(&served.plane).await.unwrap();
    let backup = served.post("/backups", json!({ "name": "old.db" })).await.ok();
    served.task().await;
    sequencer::sequence_all(&served.plane).await.unwrap();
    // The old database under the newer checkpoint file.
    let store = SqliteStore::open(std::path::Path::new(backup["path"].as_str().unwrap()), &Limits::default())
        .unwrap();
    let restored = plane_over(Arc::new(store), served.data.path(), served.plane.issuer.clone()).await;
    let refusal = anchor::check(&restored).await.unwrap_err().explain();
    for part in ["refusing to start", "because: ", "this means: 1 recorded", "do: "] {
        assert!(refusal.contains(part), "{refusal}");
    }
    let size = restored.store.ledger_head().await.unwrap().size;
    let op = provost_control::Op { plane: Arc::clone(&restored), ..served.op() };
    assert!(anchor::adopt(&op, size + 1, "restored").await.is_err());
    anchor::adopt(&op, size, "the disk broke").await.unwrap();
    anchor::check(&restored).await.unwrap();
    sequencer::sequence_all(&restored).await.unwrap();
    // The adopted history goes on another way: the first plane now finds a fork.
    let fork = anchor::check(&served.plane).await.unwrap_err().explain();
    assert!(fork.contains("does not continue"), "{fork}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_without_an_outcome_become_unknown_at_the_next_start_and_never_success() {
    let served = serve().await;
    served.apply().await;
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    let allowed = call(&served, &task, "list_accounts", json!({})).await;
    let before = served.get(&format!("/decisions/{allowed}")).await.ok();
    assert_eq!(
        (before["verdict"].as_str(), before["outcome"].as_str()),
        (Some("allow"), Some("under way")),
        "{before:#}"
    );
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(unfinished::mark_unknown(&served.plane).await.unwrap(), 1);
    assert_eq!(unfinished::mark_unknown(&served.plane).await.unwrap(), 0);
    assert_eq!(served.get(&format!("/decisions/{allowed}")).await.ok()["outcome"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_made_at_once_all_bind_and_leave_one_order() {
    let served = Arc::new(serve().await);
    served.apply().await;
    let before = served.plane.store.head().await.unwrap();
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let served = Arc::clone(&served);
        starting.spawn(async move {
            let task = served.task().await;
            let id: TaskId = task["task"]["id"].as_str().unwrap().parse().unwrap();
            assert!(
                served.plane.replica.latest().directory.tasks.contains_key(&id),
                "answered before it binds"
            );
        });
    }
    let level = |level: &str| served.post("/agents/clerk/level", json!({ "level": level, "reason": "r" }));
    let (one, two) = tokio::join!(level("approvals-only"), level("read-only"));
    assert_eq!((one.status, two.status), (200, 200), "both are told, one after the other");
    starting.join_all().await;
    let records = served.plane.store.tail(before, 100).await.unwrap();
    assert_eq!(records.len(), 22);
    assert!(records.windows(2).all(|pair| pair[1].seq.0 == pair[0].seq.0 + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_is_told_as_such_and_nothing_is_acknowledged() {
    let served = serve().await;
    served.apply().await;
    served.plane.store.close().await;
    for (method, path, body) in [
        ("GET", "/api/v1/status", None),
        ("POST", "/api/v1/tasks", Some(json!({ "agent": "clerk", "purpose": "p" }))),
        ("POST", "/api/v1/agents/clerk/suspend", Some(json!({ "reason": "r" }))),
        ("PUT", "/api/v1/credentials/bank", Some(json!({ "secret": "s", "reason": "r" }))),
    ] {
        let answer = served.send(method, path, Some(&served.token), body.as_ref()).await;
        assert!(
            answer.status == 503 || (answer.status == 200 && method == "GET"),
            "{path}: {:#}",
            answer.body
        );
        if answer.status == 503 {
            assert!(answer.headers.contains_key("retry-after"), "{path}");
            assert!(answer.body["do"].is_string(), "{path}: {:#}", answer.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fsck_names_what_somebody_changed_behind_the_planes_back() {
    for (what, sql, wanted) in [
        (
            "a record",
            "UPDATE journal SET record = replace(record, 'Maria', 'Marie') WHERE kind = 'change'",
            "ledger",
        ),
        ("a salt", "UPDATE journal SET salt = zeroblob(16) WHERE row = 2", "ledger"),
        ("a tile", "UPDATE tile SET bytes = zeroblob(length(bytes)) WHERE level = 0", "holds other hashes"),
        ("a missing tile", "DELETE FROM tile", "is missing"),
        ("a row", "UPDATE object SET state = 'removed' WHERE key = 'maria'", "maria"),
    ] {
        let served = serve().await;
        served.apply().await;
        sequencer::sequence_all(&served.plane).await.unwrap();
        let db = rusqlite::Connection::open(served.data.path().join("provost.db")).unwrap();
        assert!(db.execute(sql, []).unwrap() > 0, "{what}");
        let report = served.send("POST", "/api/v1/fsck", Some(&served.token), None).await.ok();
        assert_eq!(report["sound"], false, "{what}: {report:#}");
        assert!(report["faults"].to_string().contains(wanted), "{what}: {report:#}");
    }
}
