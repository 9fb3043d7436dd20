//! SCIM servers that are slow, that lie and that are dead, over sockets: what is said of their systems is never more than was
//! seen, and nobody else waits for them.

use super::*;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What is odd about a server.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Odd {
    /// Nobody listens.
    Dead,
    /// It takes the question and says nothing.
    Hangs,
    /// It does what it is told, and says so when nobody listens any more.
    Late,
    /// Its answer comes byte by byte.
    Drips,
    /// Its answer never ends.
    Endless,
    /// It says that it did; read back, the account is active.
    StillActive,
    /// It says that it did; read back, there is no such account, though it is listed.
    NotFound,
    /// Read back is another account.
    AnotherId,
    /// Read back is somebody else under its id.
    AnotherUser,
    /// Its listing says nothing.
    SaysNothing,
    /// Its listing is a part of many, without the account.
    Part,
    /// It answers with a page for people.
    Page,
    /// It sends whoever asks elsewhere.
    SendsAway,
}

const ALL: [Odd; 13] = [
    Odd::Dead,
    Odd::Hangs,
    Odd::Late,
    Odd::Drips,
    Odd::Endless,
    Odd::StillActive,
    Odd::NotFound,
    Odd::AnotherId,
    Odd::AnotherUser,
    Odd::SaysNothing,
    Odd::Part,
    Odd::Page,
    Odd::SendsAway,
];

impl Odd {
    async fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        if self != Self::Dead {
            tokio::spawn(async move {
                while let Ok((socket, _from)) = listener.accept().await {
                    tokio::spawn(async move { drop(self.answer(socket).await) });
                }
            });
        }
        url
    }

    async fn answer(self, mut socket: TcpStream) -> std::io::Result<()> {
        let asked = request(&mut socket).await?;
        let lists = asked.starts_with("GET /Users?");
        let patches = asked.starts_with("PATCH ");
        let account =
            |id: &str, user: &str, active: bool| json!({"id": id, "userName": user, "active": active});
        let active = self == Self::StillActive;
        match self {
            Self::Hangs => return wait().await,
            Self::Late if patches => {
                tokio::time::sleep(Duration::from_secs(11)).await;
            }
            Self::Drips => {
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n").await?;
                loop {
                    socket.write_all(b" ").await?;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            Self::Endless => {
                socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    socket.write_all(&[b' '; 64 * 1024]).await?;
                }
            }
            Self::SaysNothing => return say(&mut socket, "200 OK", &json!({}).to_string()).await,
            Self::Part => {
                let listed = json!({"totalResults": 500, "Resources": [account("1", "somebody", true)]});
                return say(&mut socket, "200 OK", &listed.to_string()).await;
            }
            Self::Page => return say(&mut socket, "200 OK", "<html>Please sign in</html>").await,
            Self::SendsAway => return say(&mut socket, "302 Found\r\nlocation: /elsewhere", "").await,
            _ => {}
        }
        if lists {
            let listed = json!({"totalResults": 1, "Resources": [account("7", CLERK, true)]});
            return say(&mut socket, "200 OK", &listed.to_string()).await;
        }
        if patches {
            return say(&mut socket, "204 No Content", "").await;
        }
        match self {
            Self::NotFound => say(&mut socket, "404 Not Found", "").await,
            Self::AnotherId => say(&mut socket, "200 OK", &account("8", CLERK, false).to_string()).await,
            Self::AnotherUser => say(&mut socket, "200 OK", &account("7", OTHER, false).to_string()).await,
            _ => say(&mut socket, "200 OK", &account("7", CLERK, active).to_string()).await,
        }
    }
}

/// The head of a request; its body is not needed.
async fn request(socket: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).await? == 1 {
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

async fn say(socket: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(body.as_bytes()).await?;
    socket.shutdown().await
}

async fn wait() -> std::io::Result<()> {
    tokio::time::sleep(Duration::from_secs(120)).await;
    Ok(())
}

fn name_of(odd: Odd) -> String {
    format!("odd-{}", format!("{odd:?}").to_lowercase())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_lying_and_dead_servers_make_their_systems_unknown_and_keep_nobody_else_waiting() {
    let (served, elsewhere, _siem) = plane().await;
    let mut files = Vec::new();
    let mut clerk = common::CLERK.to_owned();
    for odd in ALL {
        let (name, url) = (name_of(odd), odd.start().await);
        let system = common::BANK.replace("revocation_max", "only_through_plane = true\nrevocation_max");
        let system =
            format!("{system}\n[system.scim]\nurl = \"{url}\"\nuser = \"agent-{{agent}}@acme.example\"\n");
        files.push(json!({"path": format!("systems/{name}.toml"), "text": system}));
        clerk.push_str(&format!("\n[[grant]]\nsystem = \"{name}\"\ntools = [\"list_accounts\"]\n"));
    }
    files.push(json!({"path": "agents/clerk.toml", "text": clerk}));
    let apply = json!({"files": files, "reason": "more systems", "break_glass": true, "person": "maria"});
    served.post("/apply", apply).await.ok();
    let id = kill(&served, json!({"agent": "clerk"})).await;
    settle(&served, DurationMs(0)).await;
    let proofs = async || {
        let told = shown(&served, &id).await;
        let rows = told["systems"].as_array().unwrap().clone();
        let proofs = rows.iter().map(|row| (row["system"].as_str().unwrap().to_owned(), row.clone()));
        (told["proof"].clone(), proofs.collect::<std::collections::BTreeMap<String, Value>>())
    };
    assert!(!elsewhere.is_active(CLERK), "the system that works is done with");
    assert!(!elsewhere.hooks.lock().unwrap().is_empty(), "and people were told");
    let (whole, systems) = proofs().await;
    assert_eq!((&whole, &systems["bank"]["proof"]), (&json!("unknown"), &json!("contained")), "{systems:#?}");
    for odd in ALL {
        let system = &systems[&name_of(odd)];
        assert_eq!(system["proof"], "unknown", "{odd:?}: {system:#}");
        assert!(system["because"].as_str().unwrap().contains("1 of 1 accounts"), "{odd:?}: {system:#}");
        let lane = format!("/deliveries?lane=scim/{}/clerk", name_of(odd));
        let row = served.get(&lane).await.ok()["items"][0].clone();
        assert!(row["state"] == "due" && row["attempts"].as_u64() >= Some(1), "{odd:?}: {row:#}");
    }
    // It is given up in the end: for people to look at, and never contained.
    settle(&served, DurationMs::from_mins(60 * 25)).await;
    let (whole, systems) = proofs().await;
    assert_eq!((&whole, &systems["bank"]["proof"]), (&json!("unknown"), &json!("contained")), "{systems:#?}");
    for odd in ALL {
        let system = &systems[&name_of(odd)];
        let because = system["because"].as_str().unwrap();
        assert!(system["proof"] == "unknown" && because.contains("could not be made inactive"), "{system:#}");
    }
    let found = served.get("/findings?kind=delivery-given-up").await.ok();
    assert_eq!(found["items"].as_array().unwrap().len(), ALL.len(), "one for each system: {found:#}");
}
