//! How many decisions a second become durable on PostgreSQL, next to what the same server does with nothing but group
//! commit.
//!
//! `cargo bench -p provost-store-postgres --bench append -- [producers] [seconds]`
//!
//! The floor is one task that takes what waits, inserts the same texts into a table of one column with one statement,
//! which is its own transaction, and answers. Both speak to a server of the tests' own, with `fsync=on`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]

#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "a benchmark plants nothing")]
mod support;

use provost_domain::{NodeId, canonical, limits::Limits};
use provost_store::{
    Store as _,
    conformance::load::{ROUNDS, decision, drive, median, rate},
};
use provost_store_postgres::PostgresStore;
use std::{sync::Arc, time::Duration};
use support::Database;
use tokio::sync::{mpsc, oneshot};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let producers = args.first().and_then(|n| n.parse().ok()).unwrap_or(64);
    let seconds = Duration::from_secs(args.get(1).and_then(|n| n.parse().ok()).unwrap_or(2));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let bytes = canonical::to_string(&decision()).unwrap().len();
    println!("{producers} producers, records of {bytes} bytes, {ROUNDS} rounds of {seconds:?} each");
    let (mut floors, mut plain, mut conditional) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(runtime.block_on(floor(producers, seconds)));
        plain.push(runtime.block_on(store(producers, seconds, false)));
        conditional.push(runtime.block_on(store(producers, seconds, true)));
    }
    let [floor, plain, conditional] = [floors, plain, conditional].map(median);
    println!("raw group commit                 {floor:>10.0} records/s");
    println!("store, plain decision            {plain:>10.0} records/s  {:.2} of raw", plain / floor);
    println!(
        "store, task state and a budget   {conditional:>10.0} records/s  {:.2} of raw",
        conditional / floor
    );
}

async fn store(producers: usize, duration: Duration, conditional: bool) -> f64 {
    let database = Database::fresh().await;
    let node = NodeId::from_bytes([1; 16]);
    let store = Arc::new(PostgresStore::connect(&database.url, &Limits::default(), node).await.unwrap());
    let rate = rate(Arc::clone(&store) as _, producers, duration, conditional).await;
    store.close().await;
    rate
}

async fn floor(producers: usize, duration: Duration) -> f64 {
    type Message = (String, oneshot::Sender<()>);
    let database = Database::fresh().await;
    let (client, connection) = tokio_postgres::connect(&database.url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client
        .batch_execute(
            "CREATE TABLE raw (row BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, record TEXT NOT NULL)",
        )
        .await
        .unwrap();
    let (send, mut inbox) = mpsc::channel::<Message>(16_384);
    let writer = tokio::spawn(async move {
        let insert = client.prepare("INSERT INTO raw (record) SELECT unnest($1::text[])").await.unwrap();
        let mut messages = Vec::new();
        while inbox.recv_many(&mut messages, 1_024).await > 0 {
            let texts: Vec<&str> = messages.iter().map(|(record, _)| record.as_str()).collect();
            client.execute(&insert, &[&texts]).await.unwrap();
            for (_, reply) in messages.drain(..) {
                reply.send(()).unwrap();
            }
        }
    });
    let rate = drive(producers, duration, move |_producer| {
        let send = send.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            send.send((canonical::to_string(&decision()).unwrap(), reply)).await.unwrap();
            answer.await.unwrap();
        }
    })
    .await;
    writer.await.unwrap();
    connection.await.unwrap().unwrap();
    rate
}
