//! Lanes that ask, wait for the answer, check it, and ask again.

use crate::client::Connection;
use anyhow::Context as _;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// What is asked, and what must come.
pub(crate) trait Work: Send + Sync + 'static {
    /// Appends the whole request of one turn of one lane.
    fn request(&self, lane: usize, turn: u64, into: &mut Vec<u8>);

    /// # Errors
    /// What is wrong with the answer to that turn.
    fn check(&self, lane: usize, turn: u64, status: u16, body: &[u8]) -> anyhow::Result<()>;
}

/// What came of one round.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Answers, every one of them as it should be.
    pub(crate) answers: usize,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// How long each took, in nanoseconds, shortest first.
    latencies: Vec<u64>,
}

impl Sample {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        float(self.answers) / self.elapsed.as_secs_f64()
    }

    /// The latency that so many per cent of the answers did not exceed, in microseconds.
    pub(crate) fn percentile(&self, per_cent: usize) -> f64 {
        let at = self.latencies.len().saturating_sub(1).saturating_mul(per_cent) / 100;
        self.latencies.get(at).copied().map_or(f64::NAN, |ns| Duration::from_nanos(ns).as_secs_f64() * 1e6)
    }
}

/// Keeps `lanes` requests under way for so long.
///
/// # Errors
/// The first answer that was not as it should be; then nothing counts.
pub(crate) async fn drive(
    addr: SocketAddr,
    lanes: usize,
    duration: Duration,
    work: &Arc<impl Work>,
) -> anyhow::Result<Sample> {
    let mut open = Vec::new();
    for _lane in 0..lanes {
        open.push(Connection::open(addr).await?);
    }
    let started = Instant::now();
    let mut running = JoinSet::new();
    for (number, connection) in open.into_iter().enumerate() {
        running.spawn(lane(connection, number, started, duration, Arc::clone(work)));
    }
    let mut latencies = Vec::new();
    while let Some(lane) = running.join_next().await {
        latencies.extend(lane??);
    }
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    Ok(Sample { answers: latencies.len(), elapsed, latencies })
}

async fn lane(
    mut connection: Connection,
    lane: usize,
    started: Instant,
    duration: Duration,
    work: Arc<impl Work>,
) -> anyhow::Result<Vec<u64>> {
    let (mut latencies, mut request) = (Vec::new(), Vec::new());
    for turn in 0..TURNS_MAX {
        if started.elapsed() >= duration {
            break;
        }
        request.clear();
        work.request(lane, turn, &mut request);
        let asked = Instant::now();
        let answer = connection.ask(&request).await?;
        latencies.push(u64::try_from(asked.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let (status, body) = (answer.status, answer.body);
        work.check(lane, turn, status, body).with_context(|| {
            let body: String = String::from_utf8_lossy(body).chars().take(SHOWN_CHARS_MAX).collect();
            format!("turn {turn} of lane {lane} was answered {status} {body}")
        })?;
    }
    Ok(latencies)
}

/// A count for reckoning with; far below the 2^53 that a double holds exactly.
#[expect(clippy::cast_precision_loss, reason = "counts of a measurement")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}

const TURNS_MAX: u64 = 100_000_000;
const SHOWN_CHARS_MAX: usize = 600;
