//! The event streams of legacy clients, kept so that a client whose connection broke, or was closed because nothing
//! happened for long, comes back for the rest (2025-11-25, Streamable HTTP: Resumability and Redelivery). A message
//! is on one stream only, and a stream has one reader: the last who came.

use super::session::lock;
use futures::{Stream, stream};
use moka::sync::Cache;
use provost_mcp::sse::Event;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// The messages that answer one request of a legacy client.
pub struct Track {
    number: u64,
    state: Mutex<State>,
    moved: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// The newest messages.
    kept: VecDeque<String>,
    kept_bytes: usize,
    /// How many there were altogether; the last one kept has this number.
    written: u64,
    /// The number of the last one that was handed to a reader.
    read: u64,
    /// The HTTP status of the last message, once there is one; `None` within, when it ended without.
    over: Option<Option<u16>>,
    /// Who reads: a later one takes the place of the one before.
    reader: u64,
    attached: bool,
}

impl Track {
    fn new(number: u64) -> Arc<Self> {
        Arc::new(Self { number, state: Mutex::default(), moved: watch::Sender::new(0) })
    }

    /// Adds a message; waits while a reader that is there is far behind.
    pub async fn push(&self, message: String) {
        let mut moved = self.moved.subscribe();
        loop {
            {
                let mut state = lock(&self.state);
                if !state.attached || state.written - state.read < AHEAD_MAX {
                    state.keep(message);
                    break;
                }
            }
            if moved.changed().await.is_err() {
                return;
            }
        }
        self.tell();
    }

    /// Adds the last message.
    pub fn finish(&self, status: u16, message: String) {
        {
            let mut state = lock(&self.state);
            state.keep(message);
            state.over = Some(Some(status));
        }
        self.tell();
    }

    /// Ends without a last message, unless there is one.
    pub fn end(&self) {
        lock(&self.state).over.get_or_insert(None);
        self.tell();
    }

    /// Waits for the first message. The message with its status if it is the only one there will be; `None` if there
    /// are more, or none.
    pub async fn only(&self) -> Option<(u16, String)> {
        let mut moved = self.moved.subscribe();
        loop {
            {
                let state = lock(&self.state);
                match (state.written, state.over) {
                    (1, Some(Some(status))) => return Some((status, state.kept.back()?.clone())),
                    (0, None) => {}
                    (_some, _) => return None,
                }
            }
            moved.changed().await.ok()?;
        }
    }

    /// Returns as soon as somebody reads it.
    pub async fn listened(&self) {
        let mut moved = self.moved.subscribe();
        while !lock(&self.state).attached {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether it ended without a message.
    pub fn is_empty(&self) -> bool {
        let state = lock(&self.state);
        state.written == 0 && state.over.is_some()
    }

    /// The events after number `after`, as they are written on the wire; ends with the last message, when another
    /// reader comes, or when nothing happened for `quiet_max`.
    pub fn read(
        self: &Arc<Self>,
        after: u64,
        quiet_max: Option<Duration>,
    ) -> impl Stream<Item = String> + Send + 'static {
        let me = {
            let mut state = lock(&self.state);
            state.reader += 1;
            state.attached = true;
            state.read = after.min(state.written);
            state.reader
        };
        self.tell();
        let reader = Reader { track: Arc::clone(self), me, after, moved: self.moved.subscribe(), quiet_max };
        stream::unfold(reader, |mut reader| async { reader.next().await.map(|event| (event, reader)) })
    }

    /// The event that opens a stream: it carries nothing but the place to come back to, and when.
    pub fn priming(&self) -> String {
        format!("id: {}_0\nretry: {RETRY_MS}\ndata: \n\n", self.number)
    }

    fn tell(&self) {
        self.moved.send_modify(|moved| *moved += 1);
    }

    fn weight(&self) -> u32 {
        u32::try_from(lock(&self.state).kept_bytes).unwrap_or(u32::MAX)
    }
}

impl State {
    fn keep(&mut self, message: String) {
        self.kept_bytes += message.len();
        self.kept.push_back(message);
        self.written += 1;
        // What a reader that is there has not read yet is never dropped, and the newest message neither.
        while self.kept.len() > 1
            && (self.kept.len() > KEPT_MAX || self.kept_bytes > KEPT_BYTES_MAX)
            && (!self.attached || self.first() <= self.read)
        {
            self.kept_bytes -= self.kept.pop_front().map_or(0, |dropped| dropped.len());
        }
    }

    /// The number of the oldest message kept.
    fn first(&self) -> u64 {
        self.written + 1 - u64::try_from(self.kept.len()).unwrap_or(self.written)
    }

    /// The oldest message kept after this number, with its own.
    fn after(&self, after: u64) -> Option<(u64, String)> {
        let number = self.first().max(after.checked_add(1)?);
        let index = usize::try_from(number - self.first()).ok()?;
        self.kept.get(index).map(|message| (number, message.clone()))
    }
}

struct Reader {
    track: Arc<Track>,
    me: u64,
    after: u64,
    moved: watch::Receiver<u64>,
    quiet_max: Option<Duration>,
}

impl Reader {
    async fn next(&mut self) -> Option<String> {
        loop {
            self.moved.borrow_and_update();
            if let Some(found) = self.look() {
                return found;
            }
            let quiet_max = self.quiet_max.unwrap_or(Duration::MAX);
            tokio::select! {
                moved = self.moved.changed() => moved.ok()?,
                () = tokio::time::sleep(quiet_max) => return None,
            }
        }
    }

    /// The next event, or the end; `None`: neither yet.
    fn look(&mut self) -> Option<Option<String>> {
        let mut state = lock(&self.track.state);
        if state.reader != self.me {
            return Some(None);
        }
        if let Some((number, data)) = state.after(self.after) {
            (self.after, state.read) = (number, number);
            drop(state);
            self.track.tell();
            let id = Some(format!("{}_{number}", self.track.number));
            return Some(Some(Event { id, data, ..Event::message("") }.write()));
        }
        state.over.is_some().then_some(None)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = lock(&self.track.state);
        if state.reader == self.me {
            state.attached = false;
        }
        drop(state);
        self.track.tell();
    }
}

/// The streams of one session whose requests are under way.
#[derive(Default)]
pub struct Tracks {
    running: Mutex<BTreeMap<u64, Arc<Track>>>,
    next: AtomicU64,
}

impl Tracks {
    /// A stream for a request that has just been permitted.
    pub fn open(&self) -> Arc<Track> {
        let track = Track::new(self.next.fetch_add(1, Ordering::Relaxed));
        lock(&self.running).insert(track.number, Arc::clone(&track));
        track
    }
}

/// The streams of a node whose requests are over, for a while and up to so many bytes altogether.
pub struct Finished(Cache<(String, u64), Arc<Track>>);

impl Finished {
    /// None.
    pub fn new() -> Self {
        let cache = Cache::builder().max_capacity(FINISHED_BYTES_MAX).time_to_live(FINISHED_FOR_MAX);
        let weigh = |_key: &(String, u64), track: &Arc<Track>| track.weight().saturating_add(TRACK_BYTES);
        Self(cache.weigher(weigh).build())
    }

    /// The request of this stream is over.
    pub fn keep(&self, session: &str, tracks: &Tracks, track: &Arc<Track>) {
        track.end();
        self.0.insert((session.to_owned(), track.number), Arc::clone(track));
        lock(&tracks.running).remove(&track.number);
    }

    /// The stream that an event id of a session names, and the number of that event in it.
    pub fn find(&self, session: &str, tracks: &Tracks, event_id: &str) -> Option<(Arc<Track>, u64)> {
        let (number, event) = event_id.split_once('_')?;
        let (number, event) = (number.parse().ok()?, event.parse().ok()?);
        let running = lock(&tracks.running).get(&number).cloned();
        let track = running.or_else(|| self.0.get(&(session.to_owned(), number)))?;
        Some((track, event))
    }
}

/// Messages that a reader may be behind before the system is no longer read.
const AHEAD_MAX: u64 = 16;
const KEPT_MAX: usize = 256;
const KEPT_BYTES_MAX: usize = 256 << 10;
const FINISHED_BYTES_MAX: u64 = 64 << 20;
const FINISHED_FOR_MAX: Duration = Duration::from_secs(300);
/// What an empty track costs.
const TRACK_BYTES: u32 = 512;
/// When a client whose stream was closed comes back, in milliseconds.
const RETRY_MS: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;

    async fn read_all(track: &Arc<Track>, after: u64) -> Vec<String> {
        track.read(after, Some(Duration::from_millis(20))).collect().await
    }

    #[tokio::test]
    async fn a_client_that_comes_back_gets_what_it_missed_and_nothing_twice() {
        let (finished, tracks) = (Finished::new(), Tracks::default());
        let track = tracks.open();
        track.push("{}".to_owned()).await;
        assert_eq!(read_all(&track, 0).await, ["id: 0_1\ndata: {}\n\n"]);
        track.push("[]".to_owned()).await;
        track.finish(200, "3".to_owned());
        finished.keep("s", &tracks, &track);
        let (found, after) = finished.find("s", &tracks, "0_1").unwrap();
        assert_eq!(read_all(&found, after).await, ["id: 0_2\ndata: []\n\n", "id: 0_3\ndata: 3\n\n"]);
        assert!(finished.find("t", &tracks, "0_1").is_none(), "another session's");
        for unknown in ["1_0", "0", "_", "x_1", "0_-1", ""] {
            assert!(finished.find("s", &tracks, unknown).is_none(), "{unknown}");
        }
        assert!(read_all(&found, u64::MAX).await.is_empty());
    }

    #[tokio::test]
    async fn a_later_reader_takes_the_place_of_an_earlier_one() {
        let track = Track::new(0);
        let first = track.read(0, None);
        let second = track.read(0, None);
        track.finish(200, "1".to_owned());
        assert!(first.collect::<Vec<_>>().await.is_empty());
        assert_eq!(second.collect::<Vec<_>>().await.len(), 1);
    }

    #[tokio::test]
    async fn what_nobody_reads_is_kept_in_bounds_and_the_last_message_always() {
        let track = Track::new(0);
        for _ in 0..2 * KEPT_MAX {
            track.push("x".repeat(10)).await;
        }
        track.finish(200, "y".repeat(2 * KEPT_BYTES_MAX));
        let read = read_all(&track, 0).await;
        assert_eq!(read.len(), 1);
        assert!(read[0].contains("yyy"));
    }

    #[tokio::test]
    async fn a_slow_reader_holds_up_the_writer_until_it_reads_or_leaves() {
        let track = Track::new(0);
        let mut reader = Box::pin(track.read(0, None));
        for _ in 0..AHEAD_MAX {
            track.push("{}".to_owned()).await;
        }
        let waits = tokio::time::timeout(Duration::from_millis(20), track.push("late".to_owned())).await;
        assert!(waits.is_err());
        reader.next().await.unwrap();
        track.push("on time".to_owned()).await;
        drop(reader);
        track.push("nobody there".to_owned()).await;
    }
}
