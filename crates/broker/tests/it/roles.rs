//! Roles of a real PostgreSQL: used, dropped, and seen to be gone, whatever dies in between.

use crate::{
    desk::{Desk, name, shown, sweep, system},
    private::Private,
};
use provost_broker::{BrokerError, Whom};
use provost_connect::Shown;
use provost_domain::{DurationMs, Object, System, minted::MintedStatus};
use serde_json::json;
use std::time::Duration;
use tokio_postgres::{Client, NoTls};

/// A database with a role `reader`, an administrator who is no superuser, and doors that ask for passwords.
pub struct Base {
    pub cluster: Private,
    pub root: Client,
}

pub const ADMIN_PASSWORD: &str = "hunter2-admin-password";

impl Base {
    pub async fn started() -> Self {
        let cluster = tokio::task::spawn_blocking(Private::started).await.unwrap();
        let root = enter(&cluster.url()).await.unwrap();
        let hba: String = root.query_one("SHOW hba_file", &[]).await.unwrap().get(0);
        let rules = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(hba, rules).unwrap();
        let setup = format!(
            "SELECT pg_reload_conf();
             CREATE ROLE keeper LOGIN CREATEROLE PASSWORD '{ADMIN_PASSWORD}';
             CREATE ROLE reader;
             CREATE TABLE orders (number int);
             INSERT INTO orders VALUES (7);
             GRANT SELECT ON orders TO reader;
             CREATE SCHEMA desk; GRANT USAGE, CREATE ON SCHEMA desk TO reader, keeper;
             CREATE DATABASE elsewhere; GRANT CREATE ON DATABASE elsewhere TO reader, keeper"
        );
        for statement in setup.split(';') {
            root.batch_execute(statement).await.unwrap();
        }
        Self { cluster, root }
    }

    pub fn admin(&self) -> String {
        format!("postgres://keeper:{ADMIN_PASSWORD}@127.0.0.1:{}/postgres", self.cluster.port)
    }

    pub async fn roles(&self) -> Vec<String> {
        let rows =
            self.root.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'provost%'", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn sessions(&self, role: &str) -> i64 {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";
        self.root.query_one(count, &[&role]).await.unwrap().get(0)
    }
}

pub async fn enter(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub fn role_system(member_of: &str) -> System {
    system(json!({"kind": "postgres-role", "member_of": [member_of], "lifetime": 600_000}))
}

/// A plane with this database behind it.
async fn stage() -> (Desk, Base, System, Whom) {
    let (desk, base) = (Desk::new().await, Base::started().await);
    desk.seal("crm-key", &base.admin()).await;
    let whom = desk.task(1, "clerk", None, false).await;
    (desk, base, role_system("reader"), whom)
}

/// The URL in what is shown, as a child of the plane sees it in its environment.
pub async fn as_a_child_sees_it(system: &System, shown: &Shown) -> String {
    let mut system = system.clone();
    let file = tempfile::NamedTempFile::new().unwrap();
    let script = format!("printf %s \"$DATABASE_URL\" > {}; cat > /dev/null", file.path().display());
    system.connection = provost_domain::system::Connection::McpStdio {
        command: ["sh", "-c", &script].map(str::to_owned).into(),
        env: Default::default(),
    };
    let config = provost_connect::Config {
        handshake_max: DurationMs(700),
        ..provost_connect::Config::new(Default::default())
    };
    let upstreams = provost_connect::Upstreams::new(config).unwrap();
    let caller = provost_connect::CallerKey {
        agent: name("clerk"),
        task: provost_domain::TaskId::from_bytes([1; 16]),
    };
    let profile = provost_connect::ClientProfile {
        capabilities: json!({}),
        client_info: json!({"name": "t", "version": "1"}),
    };
    // It speaks no MCP; it has said all that is of interest by then.
    let error = upstreams.get_with(&system, &caller, &profile, Some(shown)).await.unwrap_err();
    assert!(!error.to_string().contains("provost_"), "{error}");
    std::fs::read_to_string(file.path()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_does_what_its_roles_may_and_is_gone_with_its_task() {
    let (desk, base, system, whom) = stage().await;
    let got = desk.shown(&system, &whom).await.unwrap();
    assert_eq!(desk.shown(&system, &whom).await.unwrap(), got, "one for the task");
    let row = desk.owed().remove(0);
    assert_eq!(
        (row.what.as_str(), row.status.clone(), base.roles().await),
        ("postgres-role", MintedStatus::Owed, vec![row.id.clone()])
    );
    let url = as_a_child_sees_it(&system, &got).await;
    assert!(url.starts_with(&format!("postgres://{}:", row.id)) && !url.contains("hunter2"), "{url}");

    let child = enter(&url).await.unwrap();
    assert_eq!(child.query_one("SELECT number FROM orders", &[]).await.unwrap().get::<_, i32>(0), 7);
    for forbidden in [
        "DELETE FROM orders",
        "CREATE ROLE mine",
        "SET ROLE keeper",
        "SET ROLE postgres",
        "CREATE DATABASE mine",
    ] {
        assert!(child.batch_execute(forbidden).await.is_err(), "{forbidden}");
    }
    child
        .batch_execute("CREATE TABLE desk.notes (text text); INSERT INTO desk.notes VALUES ('kept')")
        .await
        .unwrap();
    // A trap for whoever would own it after the role.
    let trap = "CREATE FUNCTION desk.trap() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text'";
    child.batch_execute(trap).await.unwrap();
    let there =
        enter(&url.replace("/postgres", "/elsewhere").replace("elsewhere://", "postgres://")).await.unwrap();
    there.batch_execute("CREATE SCHEMA left_behind").await.unwrap();
    assert_eq!(base.sessions(&row.id).await, 2);
    // It may try to stay in another way.
    child.batch_execute(&format!("ALTER ROLE {} PASSWORD 'another'", row.id)).await.unwrap();

    desk.sweep().await;
    assert_eq!(desk.owed().len(), 1, "the task runs");
    desk.end(&whom).await;
    desk.sweep().await;
    assert!(base.roles().await.is_empty() && desk.owed().is_empty());
    assert_eq!(base.sessions(&row.id).await, 0);
    assert!(child.query_one("SELECT 1", &[]).await.is_err(), "its session was cut");
    let refused = enter(&url).await.err().unwrap();
    assert!(refused.code().unwrap().code().starts_with("28"), "{refused}");
    assert_eq!(desk.ended_as(&row.id).await, "gone");
    let kept: String = base.root.query_one("SELECT text FROM desk.notes", &[]).await.unwrap().get(0);
    assert_eq!(kept, "kept", "what it made is nobody's loss");
    let runs_as: String = base.root.query_one("SELECT desk.trap()", &[]).await.unwrap().get(0);
    assert_eq!(runs_as, "reader", "and gives nobody more than the role had");
    let member = "SELECT pg_has_role('keeper', 'reader', 'MEMBER')";
    assert!(
        !base.root.query_one(member, &[]).await.unwrap().get::<_, bool>(0),
        "the administrator belongs there no more"
    );
    assert_eq!(desk.store.sealed(&name(&row.id)).await.unwrap().unwrap(), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_ends_live_sessions_drops_the_role_and_the_credential_lets_nobody_in() {
    for scope in [
        json!({"agent": "clerk"}),
        json!({"owner": "maria"}),
        json!({"system": "crm"}),
        json!({"agent": "clerk", "system": "crm", "tool": "look"}),
    ] {
        let (desk, base, system, whom) = stage().await;
        let got = desk.shown(&system, &whom).await.unwrap();
        let row = desk.owed().remove(0);
        let url = as_a_child_sees_it(&system, &got).await;
        let session = enter(&url).await.unwrap();
        assert_eq!(session.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
        desk.sweep().await;
        assert_eq!(base.sessions(&row.id).await, 1, "{scope}: nobody ordered anything");
        let order = |status: serde_json::Value| {
            let by = json!({"person": "maria", "shown_by": "test"});
            let order = json!({
                "id": "containment_1", "scope": scope, "level": {"is": "off"}, "reason": "r", "by": by,
                "at": row.made.plus(DurationMs(1)), "status": status, "ended": {"tasks": 0, "approvals": 0, "envelopes": 0},
            });
            Object::Containment(serde_json::from_value(order).unwrap())
        };
        desk.put(order(json!({"is": "in-force"}))).await;
        desk.sweep().await;
        assert!(base.roles().await.is_empty() && desk.owed().is_empty(), "{scope}");
        assert_eq!(base.sessions(&row.id).await, 0, "{scope}");
        assert!(session.query_one("SELECT 1", &[]).await.is_err(), "{scope}: its session was cut");
        let refused = enter(&url).await.err().unwrap();
        assert!(refused.code().unwrap().code().starts_with("28"), "{scope}: {refused}");
        assert_eq!(desk.ended_as(&row.id).await, "gone");
        // Once it is lifted, what was in hand is not shown again.
        let by = json!({"person": "tom", "shown_by": "test"});
        desk.put(order(json!({"is": "lifted", "by": by, "at": 0, "reason": "r"}))).await;
        let anew = desk.shown(&system, &whom).await.unwrap();
        assert_ne!(anew, got, "{scope}");
        desk.sweep().await;
        assert_eq!(base.roles().await.len(), 1, "{scope}: what was made since stays");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_left_behind_is_dropped_when_its_node_is_back_and_not_before() {
    let (desk, base, system, whom) = stage().await;
    let died = desk.another(2).await;
    shown(&died, &system, &whom).await.unwrap();
    drop(died);
    assert_eq!(base.roles().await.len(), 1, "nobody tidied up");
    desk.replica.catch_up().await.unwrap();
    desk.pass(DurationMs::from_secs(30));
    let mut patience = Default::default();
    desk.broker.sweep(&mut patience).await;
    assert_eq!(base.roles().await.len(), 1, "for this node it may be in use");
    let back = desk.another(2).await;
    sweep(&back).await;
    assert!(base.roles().await.is_empty());
    desk.replica.catch_up().await.unwrap();
    assert!(desk.owed().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_died_a_role_is_gone_after_the_sweep_and_its_row_says_so() {
    let (desk, base, system, whom) = stage().await;
    let keep = async || {
        let broker = desk.another(2).await;
        shown(&broker, &system, &whom).await.unwrap();
        let row = broker_row(&desk).await;
        drop(broker);
        row
    };
    // After the row: no role.
    let first = keep().await;
    base.root.batch_execute(&format!("DROP ROLE {first}")).await.unwrap();
    // After CREATE ROLE.
    let second = keep().await;
    // During the drop.
    let third = keep().await;
    base.root.batch_execute(&format!("ALTER ROLE {third} NOLOGIN")).await.unwrap();
    // After the password was sealed, before the row: nothing that anybody owes.
    desk.end(&whom).await;
    desk.pass(DurationMs::from_mins(1));
    let mut patience = Default::default();
    desk.broker.sweep(&mut patience).await;
    desk.pass(DurationMs::from_mins(1));
    desk.broker.sweep(&mut patience).await;
    assert!(base.roles().await.is_empty() && desk.owed().is_empty());
    for id in [first, second, third] {
        assert_eq!(desk.ended_as(&id).await, "gone");
    }
}

/// The newest row.
async fn broker_row(desk: &Desk) -> String {
    let known: Vec<String> = desk.owed().iter().map(|row| row.id.clone()).collect();
    desk.replica.catch_up().await.unwrap();
    desk.owed().iter().map(|row| row.id.clone()).find(|id| !known.contains(id)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_take_back_at_once_write_it_down_once() {
    let (desk, base, system, whom) = stage().await;
    desk.shown(&system, &whom).await.unwrap();
    let row = desk.owed().remove(0);
    desk.end(&whom).await;
    let other = desk.another(2).await;
    let (one, two) = tokio::join!(desk.broker.take_back(&row), other.take_back(&row));
    one.unwrap();
    two.unwrap();
    assert!(base.roles().await.is_empty());
    let key = Object::Minted(row.as_ref().clone()).key();
    assert_eq!(desk.store.version(&key).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_being_made_while_its_task_ends_is_not_missed_by_whoever_takes_it_back() {
    let (desk, base, system, whom) = stage().await;
    let other = desk.another(2).await;
    let holder = enter(&base.cluster.url()).await.unwrap();
    // Whoever makes a role is stopped in the middle.
    holder.batch_execute("BEGIN; LOCK TABLE pg_authid IN SHARE MODE").await.unwrap();
    let ends = async {
        while desk.owed().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let row = desk.owed().remove(0);
        let waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'pg_authid'::regclass AND NOT granted";
        while base.root.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        desk.end(&whom).await;
        let taking = tokio::spawn(async move { other.take_back(&row).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!taking.is_finished(), "it waits until the role is made, or not");
        holder.batch_execute("COMMIT").await.unwrap();
        taking.await.unwrap().unwrap();
    };
    let (got, ()) = tokio::join!(desk.shown(&system, &whom), ends);
    assert!(matches!(got.unwrap_err(), BrokerError::Over));
    desk.replica.catch_up().await.unwrap();
    assert!(base.roles().await.is_empty() && desk.owed().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_waited_for() {
    let (desk, base, system, whom) = stage().await;
    desk.shown(&system, &whom).await.unwrap();
    desk.end(&whom).await;
    base.cluster.crash();
    let mut patience = Default::default();
    desk.broker.sweep(&mut patience).await;
    assert_eq!(desk.owed().len(), 1, "what nobody saw gone is owed");
    desk.pass(DurationMs::from_mins(90));
    desk.broker.sweep(&mut patience).await;
    assert_eq!(desk.owed().len(), 1, "also when it has expired: sessions outlive `VALID UNTIL`");
    base.cluster.start();
    desk.pass(DurationMs::from_mins(10));
    desk.broker.sweep(&mut patience).await;
    assert!(desk.owed().is_empty());
    let root = enter(&base.cluster.url()).await.unwrap();
    let left = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'provost%'";
    assert!(root.query(left, &[]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_lives_on_with_its_task_and_its_password_stays() {
    let (desk, base, system, whom) = stage().await;
    let until = async || {
        let until = "SELECT floor(extract(epoch FROM rolvaliduntil))::int8 FROM pg_roles WHERE rolname LIKE 'provost%'";
        base.root.query_one(until, &[]).await.unwrap().get::<_, i64>(0)
    };
    let got = desk.shown(&system, &whom).await.unwrap();
    let first = until().await;
    desk.pass(DurationMs::from_secs(545));
    assert_eq!(desk.shown(&system, &whom).await.unwrap(), got, "the child need not be started anew");
    assert!((540..=550).contains(&(until().await - first)), "{}", until().await - first);
    assert_eq!(desk.owed().remove(0).expires.as_seconds(), until().await, "on record first");
    for _ in 0..5 {
        desk.pass(DurationMs::from_secs(545));
        assert_eq!(desk.shown(&system, &whom).await.unwrap(), got);
    }
    assert!(until().await <= whom.task.expires.as_seconds() + 1, "never beyond the task");
    assert_eq!(base.roles().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_has_expired_is_left_to_the_call_that_uses_it_and_replaced_at_the_next() {
    let (desk, base, system, whom) = stage().await;
    let got = desk.shown(&system, &whom).await.unwrap();
    let child = enter(&as_a_child_sees_it(&system, &got).await).await.unwrap();
    desk.pass(DurationMs::from_mins(11));
    desk.sweep().await;
    child.query_one("SELECT 1", &[]).await.unwrap();
    assert_ne!(desk.shown(&system, &whom).await.unwrap(), got);
    desk.sweep().await;
    assert_eq!((base.roles().await.len(), desk.owed().len()), (1, 1));
    assert!(child.query_one("SELECT 1", &[]).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_give_too_much_or_cannot_be_made_is_refused_and_leaves_nothing() {
    let (desk, base, _system, whom) = stage().await;
    base.root.batch_execute("CREATE ROLE boss SUPERUSER").await.unwrap();
    for (member_of, wanted) in [
        ("boss", "`boss` is a superuser"),
        ("nobody", "does not exist"),
        ("a\" SUPERUSER; --", "does not exist"),
    ] {
        let error = desk.shown(&role_system(member_of), &whom).await.unwrap_err().to_string();
        assert!(error.contains(wanted) && !error.contains("hunter2"), "{error}");
    }
    desk.sweep().await;
    assert!(
        base.roles().await.is_empty() && desk.owed().is_empty(),
        "what was ordered and not made is settled"
    );
    desk.seal("other-key", "postgres://keeper:hunter2-wrong@127.0.0.1:1/postgres").await;
    let mut system = role_system("reader");
    system.credential.as_mut().unwrap().name = name("other-key");
    let error = desk.shown(&system, &whom).await.unwrap_err().to_string();
    assert!(error.contains("could not make a role") && !error.contains("hunter2"), "{error}");
    system.credential.as_mut().unwrap().name = name("not-set");
    let error = desk.shown(&system, &whom).await.unwrap_err();
    assert!(matches!(&error, BrokerError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("provost credential set not-set"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tasks_have_two_roles_and_one_ends_alone() {
    let (desk, base, system, whom) = stage().await;
    let other = desk.task(2, "clerk", None, false).await;
    let below = desk.task(3, "helper", Some(&other), false).await;
    let (one, two) = (desk.shown(&system, &whom).await.unwrap(), desk.shown(&system, &other).await.unwrap());
    desk.shown(&system, &below).await.unwrap();
    assert_ne!(one, two);
    assert_eq!(base.roles().await.len(), 3);
    desk.end(&other).await;
    desk.sweep().await;
    assert_eq!(base.roles().await.len(), 1, "the task below went with it");
    desk.shown(&system, &whom).await.unwrap();
}
