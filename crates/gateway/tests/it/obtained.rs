//! Credentials that are obtained or made for a task, end to end: an agent calls, a system is shown what the agent never saw.

use crate::{
    plane::{Foreign, Plane, Setup, text},
    shop::{Stage, system},
    small::Speaker,
    support::Database,
};
use axum::{Json, Router, extract::State, routing::post};
use provost_domain::{CredentialSource, Object, System, TaskId, task::TaskStatus};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio_postgres::NoTls;

/// An authorization server that numbers its tokens.
async fn authorization_server() -> (String, Arc<AtomicUsize>) {
    let given = Arc::<AtomicUsize>::default();
    let give = |State(given): State<Arc<AtomicUsize>>, form: String| async move {
        assert!(form.starts_with("grant_type=client_credentials&"), "{form}");
        let number = given.fetch_add(1, Ordering::SeqCst);
        Json(
            json!({"access_token": format!("upstream-token-{number}"), "token_type": "Bearer", "expires_in": 300}),
        )
    };
    let router = Router::new().route("/token", post(give)).with_state(Arc::clone(&given));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, given)
}

fn source(of: Value) -> CredentialSource {
    serde_json::from_value(of).unwrap()
}

async fn end(plane: &Plane, task: TaskId) {
    let mut row = plane.replica.latest().directory.tasks.get(&task).unwrap().as_ref().clone();
    row.status = TaskStatus::Ended;
    plane.change(Object::Task(row), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_an_api_carries_a_token_obtained_for_its_task_and_a_refused_one_is_replaced_by_the_next_call()
 {
    let stage = Stage::open().await;
    let (server, given) = authorization_server().await;
    let mut shop = system(&stage.shop.url);
    shop.credential.as_mut().unwrap().source = source(json!({
        "kind": "client-credentials", "lifetime_max": 600_000,
        "server": {"issuer": server, "token_endpoint": format!("{server}/token"), "client_id": "provost"},
    }));
    stage.plane.change(Object::System(shop), 1).await;
    let shown = |at: usize| stage.shop.came()[at].headers["authorization"].to_str().unwrap().to_owned();

    for _ in 0..3 {
        assert_eq!(stage.ask("GET", "/proxy/shop/").send().await.unwrap().status(), 200);
    }
    assert_eq!(
        (shown(0), shown(2)),
        ("Bearer upstream-token-0".to_owned(), "Bearer upstream-token-0".to_owned())
    );
    let echo = stage.ask("GET", "/proxy/shop/echo").send().await.unwrap().text().await.unwrap();
    assert_eq!(echo, "you said Bearer *** and more", "what was obtained is masked like what was sealed");

    let came = stage.shop.came().len();
    let refused = stage.ask("GET", "/proxy/shop/status/401").send().await.unwrap();
    assert_eq!(refused.status(), 502);
    assert_eq!(stage.shop.came().len(), came + 1, "no call is made twice");
    assert_eq!(given.load(Ordering::SeqCst), 1);
    assert_eq!(stage.ask("GET", "/proxy/shop/").send().await.unwrap().status(), 200);
    assert_eq!(shown(came + 1), "Bearer upstream-token-1");

    let (_task, token) = stage.plane.task().await;
    let other = stage.plane.client().get(format!("{}/proxy/shop/", stage.plane.url)).bearer_auth(token);
    assert_eq!(other.send().await.unwrap().status(), 200);
    assert_eq!(shown(came + 2), "Bearer upstream-token-2", "another task, another token");
    let (status, said) = stage.json(stage.ask("GET", "/proxy/shop/orders/7")).await;
    assert_eq!(status, 200, "{said}");
    assert!(!said.to_string().contains("upstream-token"));
}

/// A small MCP server in the language every machine speaks: its one tool looks into a database.
const SERVER: &str = r#"
echo $$ > "$PID_FILE"
say() { printf '%s\n' "$1"; }
while IFS= read -r line; do
  id=$(printf %s "$line" | sed -n 's/.*"id":\([^,}]*\).*/\1/p')
  head="{\"jsonrpc\":\"2.0\",\"id\":$id"
  case "$line" in
    *'"method":"initialize"'*) say "$head,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}" ;;
    *'"method":"tools/list"'*) say "$head,\"result\":{\"tools\":[{\"name\":\"orders\",\"inputSchema\":{\"type\":\"object\"}}]}}" ;;
    *'"method":"tools/call"'*)
      sleep "$PAUSE"
      found=$(psql "$DATABASE_URL" -AtXc 'SELECT current_user, number FROM orders' 2>&1 | tr -d '"\\' | tr '\n\t' '  ')
      say "$head,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$found with $DATABASE_URL\"}]}}" ;;
    *'"id":'*) say "$head,\"error\":{\"code\":-32601,\"message\":\"no\"}}" ;;
  esac
done
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_started_program_gets_a_role_of_its_own_and_both_are_gone_when_the_task_ends() {
    let database = Database::fresh().await;
    let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let group = format!("reader_{}", std::process::id());
    let setup = format!(
        "CREATE ROLE {group}; CREATE TABLE orders (number int); INSERT INTO orders VALUES (7); GRANT SELECT ON orders TO {group}"
    );
    client.batch_execute(&setup).await.unwrap();
    let roles = async || {
        let ours = "SELECT m.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g \
                    ON g.oid = a.roleid WHERE g.rolname = $1";
        let rows = client.query(ours, &[&group]).await.unwrap();
        rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>()
    };

    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let desk = program(&pid_file, "0");
    let plane = Plane::start_with(Setup::foreign(vec![desk])).await;
    let sealing = provost_connect::SealingKey::from_bytes(&[9; 32]).unwrap();
    let sealed = sealing.seal("desk-db", database.url.as_bytes()).unwrap();
    plane.store.put_sealed(&"desk-db".parse().unwrap(), &sealed).await.unwrap();
    let row = plane.replica.latest().directory.systems.get("desk").unwrap().as_ref().clone();
    let credential = json!({"name": "desk-db", "target": "DATABASE_URL",
        "source": {"kind": "postgres-role", "member_of": [group], "lifetime": 600_000}});
    let credential = serde_json::from_value(credential).unwrap();
    plane.change(Object::System(System { credential: Some(credential), ..row }), 1).await;

    let (task, token) = plane.task().await;
    let agent = Speaker::with(&plane, token, "/mcp/desk", "2025-06-18").await;
    let call = json!({"name": "orders", "arguments": {}});
    let answer = agent.ask(1, "tools/call", call.clone()).await.pop().unwrap();
    let made = roles().await;
    assert_eq!(made.len(), 1, "{answer}");
    assert_eq!(
        text(&answer),
        format!("{}|7  with ***", made[0]),
        "it looks with its own role, and what it echoes is masked"
    );
    let owed: Vec<String> = plane.replica.latest().directory.minted.keys().cloned().collect();
    assert_eq!(owed, made);
    let (second, token) = plane.task().await;
    let other = Speaker::with(&plane, token, "/mcp/desk", "2025-06-18").await;
    assert!(text(&other.ask(1, "tools/call", call).await.pop().unwrap()).contains("|7"));
    assert_eq!(roles().await.len(), 2, "another task, another role");

    // The child of the second task wrote its number last.
    let pid = std::fs::read_to_string(&pid_file).unwrap().trim().to_owned();
    end(&plane, second).await;
    eventually(|| !Path::new(&format!("/proc/{pid}")).exists(), "the program ended").await;
    end(&plane, task).await;
    for _ in 0..100 {
        if roles().await.is_empty() && plane.replica.latest().directory.minted.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("still there: {:?}", roles().await);
}

/// That program; it thinks for so many seconds.
fn program(pid_file: &Path, pause: &str) -> Foreign {
    let pid_file = pid_file.to_str().unwrap().to_owned();
    let env = BTreeMap::from([("PID_FILE".to_owned(), pid_file), ("PAUSE".to_owned(), pause.to_owned())]);
    Foreign::stdio("desk", ["sh", "-c", SERVER].map(str::to_owned).into(), env)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_under_way_when_its_credential_is_changed_ends_with_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let plane = Plane::start_with(Setup::foreign(vec![program(&pid_file, "3")])).await;
    let sealing = provost_connect::SealingKey::from_bytes(&[9; 32]).unwrap();
    let seal = async |secret: &str| {
        let sealed = sealing.seal("desk-db", secret.as_bytes()).unwrap();
        plane.store.put_sealed(&"desk-db".parse().unwrap(), &sealed).await.unwrap();
    };
    seal("host=/nowhere dbname=first").await;
    let row = plane.replica.latest().directory.systems.get("desk").unwrap().as_ref().clone();
    let credential = serde_json::from_value(json!({"name": "desk-db", "target": "DATABASE_URL"})).unwrap();
    plane.change(Object::System(System { credential: Some(credential), ..row }), 1).await;
    let (_task, token) = plane.task().await;
    let agent = Speaker::with(&plane, token, "/mcp/desk", "2025-06-18").await;
    let pid = || std::fs::read_to_string(&pid_file).unwrap().trim().to_owned();
    let call = json!({"name": "orders", "arguments": {}});
    let first = agent.ask(1, "tools/call", call.clone());
    let second = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = pid();
        seal("host=/nowhere dbname=second").await;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        (before, agent.ask(2, "tools/call", call.clone()).await)
    };
    let (mut first, (before, mut second)) = tokio::join!(first, second);
    for answer in [first.pop().unwrap(), second.pop().unwrap()] {
        assert!(text(&answer).contains("with ***"), "{answer}");
    }
    assert_ne!(pid(), before, "the new one has a program of its own");
    eventually(|| !Path::new(&format!("/proc/{before}")).exists(), "the program before it ended").await;
}

async fn eventually(done: impl Fn() -> bool, what: &str) {
    for _ in 0..100 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never: {what}");
}
