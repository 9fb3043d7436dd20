//! Three nodes on one PostgreSQL, and one of them cut off from it: an order binds on the node that gave it with the next
//! decision, on the second as soon as it has read it, and on the third, which cannot, when its lease ends.

use crate::{
    program::{Plane, acme},
    support::Database,
};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_binds_on_three_nodes() {
    three_nodes(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_binds_on_a_node_that_is_cut_off_within_its_lease() {
    three_nodes(true).await;
}

async fn three_nodes(cut_one_off: bool) {
    let database = Database::fresh().await;
    let wire = Wire::to(&database.url);
    let key = "0707070707070707070707070707070707070707070707070707070707070707";
    let url = database.url.clone();
    let cut_url = wire.url(&database.url);
    tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let start = |name: &str, store: &str| {
            let data = folder.path().join(name);
            Plane::start_with(&data, |command| {
                command.args(["--store", store, "--public-url", "http://provost.test"]);
                command.env("PROVOST_SEALING_KEY", key);
            })
            .unwrap_or_else(|output| panic!("{output:?}"))
        };
        let (one, two, three) = (start("one", &url), start("two", &url), start("three", &cut_url));
        one.json(&["apply", &acme(), "--yes"]);
        let task = one.json(&["task", "start", "bookkeeper", "--purpose", "to be stopped"]);
        let task = task["task"]["id"].as_str().unwrap().to_owned();
        for node in [&one, &two, &three] {
            until("the task is known everywhere", || asks(node, &task) == Some(true));
        }

        // Nothing is lost between the nodes: how long the other node takes is measured, and printed for the record.
        let mut took = Vec::new();
        for _round in 0..10 {
            let order =
                one.json(&["kill", "--agent", "bookkeeper", "--effect", "read", "--reason", "measured"]);
            let acknowledged = Instant::now();
            assert_eq!(asks(&one, &task), Some(false), "the node that gave it refuses at once");
            until("the other node refuses", || asks(&two, &task) == Some(false));
            took.push(acknowledged.elapsed());
            one.json(&["kill", "lift", order["id"].as_str().unwrap(), "--reason", "measured"]);
            for node in [&one, &two, &three] {
                until("it is lifted", || asks(node, &task) == Some(true));
            }
        }
        took.sort_unstable();
        println!("order acknowledged to first refusal on another node: {took:?}");

        if !cut_one_off {
            return;
        }
        wire.cut();
        let cut = Instant::now();
        one.json(&["kill", "--agent", "bookkeeper", "--reason", "a key leaked"]);
        assert_eq!(asks(&one, &task), Some(false));
        until("the other node refuses", || {
            let said = asks(&two, &task);
            assert!(said != Some(true) || cut.elapsed() < LEASE, "let through after {:?}", cut.elapsed());
            said == Some(false)
        });
        // It has not heard of the order, and never will: what it lets through it lets through within its lease.
        let mut last_let_through = None;
        while cut.elapsed() < LEASE * 3 {
            let asked = Instant::now();
            if asks(&three, &task) == Some(true) {
                last_let_through = Some(asked.duration_since(cut));
            }
        }
        assert!(last_let_through.is_none_or(|after| after < LEASE), "{last_let_through:?}");
        println!("cut off: the last call let through began {last_let_through:?} after the wire was cut");
        assert_eq!(asks(&three, &task), None, "it refuses to decide at all");
    })
    .await
    .unwrap();
}

/// Whether this node would let the bookkeeper read; nothing, if it decides nothing.
fn asks(node: &Plane, task: &str) -> Option<bool> {
    let token = std::fs::read_to_string(node.data.join("admin-token")).unwrap();
    let body = json!({
        "subject": {"type": "agent", "id": "bookkeeper"},
        "action": {"name": "list_accounts"},
        "resource": {"type": "system", "id": "bank"},
        "context": {"task": task},
    })
    .to_string();
    let address = node.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "POST /access/v1/evaluation HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        token.trim(),
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    let _as_far_as_it_came = stream.read_to_string(&mut answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200") {
        // An order at `off` ends the task as well, and a node that has heard of that says so.
        let over = head.starts_with("HTTP/1.1 401") && body.contains("has ended or expired");
        return over.then_some(false);
    }
    let said: Value = serde_json::from_str(body).ok()?;
    said["decision"].as_bool()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A wire to the database that can be cut: what is sent afterwards is swallowed, and nothing says so.
struct Wire {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Wire {
    fn to(url: &str) -> Self {
        let port = url.rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let this = Self { port: listener.local_addr().unwrap().port(), cut: Arc::default() };
        let cut = Arc::clone(&this.cut);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (Ok(near), Ok(far)) = (near, TcpStream::connect(format!("127.0.0.1:{port}"))) else {
                    return;
                };
                for (from, to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    let cut = Arc::clone(&cut);
                    std::thread::spawn(move || carry(from, to, &cut));
                }
            }
        });
        this
    }

    fn url(&self, url: &str) -> String {
        let (rest, path) = url.rsplit_once(':').unwrap();
        format!("{rest}:{}/{}", self.port, path.split_once('/').unwrap().1)
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut bytes = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if cut.load(Ordering::SeqCst) {
            continue;
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    if !cut.load(Ordering::SeqCst) {
        let _closed = to.shutdown(std::net::Shutdown::Both);
    }
}

/// `staleness_max` as it is unless somebody changes it.
const LEASE: Duration = Duration::from_secs(2);
