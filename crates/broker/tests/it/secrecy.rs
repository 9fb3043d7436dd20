//! No secret is in a log, an error, a record, or the store's file.

use crate::{
    desk::{Desk, name, system, text},
    roles::{ADMIN_PASSWORD, Base, as_a_child_sees_it, enter, role_system},
    server::Server,
};
use provost_domain::{Object, Seq};
use serde_json::json;
use std::{
    io::Write,
    sync::{Arc, Mutex},
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_obtained_minted_or_sealed_is_nowhere_to_be_read() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .init();
    let (desk, base, server) = (Desk::new().await, Base::started().await, Server::start().await);
    desk.seal("crm-key", &base.admin()).await;
    base.root.batch_execute("ALTER SYSTEM SET log_statement = 'all'").await.unwrap();
    base.root.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let whom = desk.task(1, "clerk", None, false).await;
    let roles = role_system("reader");
    let shown = desk.shown(&roles, &whom).await.unwrap();
    let url = as_a_child_sees_it(&roles, &shown).await;
    let password = url.split([':', '@']).nth(2).unwrap().to_owned();
    assert_eq!(password.len(), 43);
    drop(enter(&url).await.unwrap());

    let other = desk.task(2, "clerk", None, false).await;
    desk.seal("crm-secret", "hunter2-client-secret").await;
    let mut tokens = system(json!({"kind": "client-credentials", "lifetime_max": 3_600_000,
        "server": server.row("client_secret_basic", true)}));
    tokens.credential.as_mut().unwrap().name = name("crm-secret");
    let token = text(&desk.shown(&tokens, &other).await.unwrap());
    let third = desk.task(3, "clerk", None, false).await;
    server.will_answer(
        500,
        &json!({"error": "hunter2-client-secret", "error_description": "hunter2-client-secret"}),
    );
    let mut told = desk.shown(&tokens, &third).await.unwrap_err().to_string();
    told.push_str(&format!("{shown:?}"));

    for whom in [&whom, &other, &third] {
        desk.end(whom).await;
    }
    desk.sweep().await;
    assert!(base.roles().await.is_empty());
    for record in desk.store.tail(Seq(0), 1_000).await.unwrap() {
        told.push_str(&serde_json::to_string(&record).unwrap());
    }
    for row in desk.directory().systems.values() {
        told.push_str(&serde_json::to_string(&Object::System(row.as_ref().clone())).unwrap());
    }
    told.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));
    assert!(told.contains("taken back"), "the log was heard");
    let data: String = base.root.query_one("SHOW data_directory", &[]).await.unwrap().get(0);
    let theirs = std::fs::read_to_string(format!("{data}/log")).unwrap();
    assert!(theirs.contains("CREATE ROLE"), "PostgreSQL wrote its statements down");
    let mut files = Vec::new();
    for file in std::fs::read_dir(desk.folder.path()).unwrap() {
        files.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    for secret in [password.as_str(), token.as_str(), "hunter2-client-secret", ADMIN_PASSWORD] {
        assert!(!told.contains(secret), "{secret} was told");
        assert!(
            !files.windows(secret.len()).any(|part| part == secret.as_bytes()),
            "{secret} is in the store's file"
        );
        // The administrator's password was told to PostgreSQL by this test.
        assert!(secret == ADMIN_PASSWORD || !theirs.contains(secret), "{secret} is in PostgreSQL's log");
    }
}
