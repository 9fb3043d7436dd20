//! What one task was given and has read: bounded, without the text itself, the same on every node.
//!
//! A memory is the requester's words and a **chunk** for each result, under the version of the task's state that the result
//! made. Chunks are only ever added, so memories of one task are merged by taking every chunk, and a node that lacks some
//! asks for those after its newest. What does not fit makes the memory *blind*: from then on, what was seen nowhere
//! counts as seen in untrusted content.

use crate::{
    gist::Gist,
    seen::{self, Content, Trust},
    trace::{leaves, values},
    words::{Key, Phrase},
};
use provost_domain::{Effect, Label, Origin, Tool, origin::Past};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a task was given and has read.
#[derive(Debug, Clone)]
pub struct Memory {
    pub(crate) key: Key,
    pub(crate) asked: Arc<Gist>,
    pub(crate) chunks: BTreeMap<u64, Arc<Chunk>>,
}

/// What one result brought into a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The tool it came from: `bank/read_file`.
    pub(crate) tool: String,
    /// The requester named what was read: an argument of the call stands in their words.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) named: bool,
    #[serde(default, skip_serializing_if = "Gist::is_empty")]
    pub(crate) untrusted: Gist,
    #[serde(default, skip_serializing_if = "Gist::is_empty")]
    pub(crate) insider: Gist,
    /// Whole values of trusted fields.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) vouched: BTreeSet<Phrase>,
    /// Dates and numbers of them.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(crate) reckoned: Gist,
    /// Notable values of labelled data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) private: BTreeMap<Label, BTreeSet<Phrase>>,
    /// Values that steered the call and were neither the requester's nor trusted: nothing the task reads later vouches for
    /// what it wrote itself.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) told: BTreeSet<Phrase>,
    /// What the call did that is dangerous together with other things.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) past: BTreeSet<Past>,
    /// How many things it read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) read: u32,
}

/// A result that was just received, before anybody sees it.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The tool, as reviewed.
    pub tool: &'a Tool,
    /// With which arguments it was called.
    pub args: &'a Map<String, Value>,
    /// What it answered.
    pub content: Content<'a>,
}

impl Memory {
    /// The memory of a task that begins, with what its requester said.
    #[must_use]
    pub fn new(task: &str, asked: &str) -> Self {
        let key = Key::of(task);
        let mut gist = Gist::default();
        gist.add(&key, "purpose", asked, ASKED_WORDS_MAX);
        Self { key, asked: Arc::new(gist), chunks: BTreeMap::new() }
    }

    /// What its requester gave besides the purpose, under a name.
    pub fn given(&mut self, name: &str, text: &str) {
        Arc::make_mut(&mut self.asked).add(&self.key, name, text, ASKED_WORDS_MAX);
    }

    /// The task was handed on by another agent, for this purpose: that agent's words, which may be anybody's.
    pub fn handed_on(&mut self, purpose: &str) {
        let mut chunk = Chunk { tool: "the agent that handed this on".to_owned(), ..Chunk::default() };
        chunk.untrusted.add(&self.key, "purpose", purpose, ASKED_WORDS_MAX);
        self.chunks.insert(0, Arc::new(chunk));
    }

    /// What this result would add: nothing changes. `None` when it adds nothing.
    #[must_use]
    pub fn chunk(&self, received: &Received<'_>) -> Option<Chunk> {
        let Received { tool, args, content } = received;
        let mut chunk = Chunk { tool: tool.path(), ..Chunk::default() };
        chunk.named = leaves_of(args).any(|text| self.is_asked(&text));
        chunk.told = self.told_by(tool, args);
        chunk.past = crate::together::past(tool);
        let untold: BTreeSet<Phrase> = leaves_of(args).map(|text| self.key.phrase(&text)).collect();
        let room = WORDS_PER_TASK_MAX.saturating_sub(self.words()).min(WORDS_PER_RESULT_MAX);
        // What nobody saw may have said anything.
        chunk.untrusted.cut = matches!(content, Content::Unseen) && seen::may_be_untrusted(tool);
        for piece in seen::pieces(tool, *content) {
            let (field, text) = (piece.field.as_str(), piece.text.as_ref());
            match piece.trust {
                Trust::Stranger => chunk.untrusted.add(&self.key, field, text, room),
                Trust::Insider => chunk.insider.add(&self.key, field, text, room),
                Trust::Value => self.vouch(&mut chunk, &untold, text),
            }
            for label in seen::labels(tool, field) {
                let notable = chunk.private.entry(label.clone()).or_default();
                crate::flow::note(&self.key, notable, text);
            }
        }
        if tool.effects.contains(&Effect::Read) {
            chunk.read = u32::try_from(records(*content)).unwrap_or(u32::MAX);
        }
        (!chunk.is_nothing()).then_some(chunk)
    }

    /// Takes a chunk in, under the version of the task's state that it made. Taking it in twice is once.
    pub fn add(&mut self, version: u64, chunk: Chunk) {
        self.chunks.entry(version).or_insert_with(|| Arc::new(chunk));
    }

    /// Takes in everything that another memory of the same task has.
    pub fn merge(&mut self, other: &Self) {
        for (version, chunk) in &other.chunks {
            self.chunks.entry(*version).or_insert_with(|| Arc::clone(chunk));
        }
    }

    /// The newest version it has a chunk of; 0 if it has none.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.chunks.keys().next_back().copied().unwrap_or(0)
    }

    /// What the task did so far that matters together with other things.
    #[must_use]
    pub fn past(&self) -> BTreeSet<Past> {
        let mut past: BTreeSet<Past> = self.chunks.values().flat_map(|c| c.past.iter().copied()).collect();
        let read: u64 = self.chunks.values().map(|chunk| u64::from(chunk.read)).sum();
        if read >= crate::together::READ_MANY {
            past.insert(Past::ReadMany);
        }
        past
    }

    /// Whether it has seen content that a stranger could have written.
    #[must_use]
    pub fn has_untrusted(&self) -> bool {
        self.chunks.values().any(|chunk| !chunk.untrusted.is_empty())
    }

    /// There was more than it has room for.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.chunks.values().any(|chunk| chunk.untrusted.cut || chunk.insider.cut)
    }

    /// How many words it holds.
    #[must_use]
    pub fn words(&self) -> usize {
        self.chunks.values().map(|chunk| chunk.untrusted.words.len() + chunk.insider.words.len()).sum()
    }

    fn vouch(&self, chunk: &mut Chunk, untold: &BTreeSet<Phrase>, text: &str) {
        let run = self.key.phrase(text);
        let own = untold.contains(&run) || self.chunks.values().any(|earlier| earlier.told.contains(&run));
        if run.bytes > 0 && !own && chunk.vouched.len() < VOUCHED_PER_RESULT_MAX {
            chunk.vouched.insert(run);
            chunk.reckoned.reckon(&self.key, text);
        }
    }

    fn told_by(&self, tool: &Tool, args: &Map<String, Value>) -> BTreeSet<Phrase> {
        let steering = tool.steering.steers.iter().flat_map(|path| values(args, path));
        let told = steering
            .map(|value| value.text)
            .filter(|text| !matches!(self.origin_of_text(text).0, Origin::Requester | Origin::Trusted));
        told.map(|text| self.key.phrase(&text)).take(TOLD_PER_CALL_MAX).collect()
    }

    fn is_asked(&self, text: &str) -> bool {
        let run = self.key.phrase(text);
        run.bytes >= NAMED_BYTES_MIN && self.asked.field_of(&self.key, run).is_some()
    }
}

impl Chunk {
    /// Whether nothing a later decision depends on is in it.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        let Self { untrusted, insider, vouched, private, told, past, read, .. } = self;
        untrusted.is_empty()
            && insider.is_empty()
            && vouched.is_empty()
            && private.values().all(BTreeSet::is_empty)
            && told.is_empty()
            && past.is_empty()
            && *read < READ_NOTED_MIN
    }

    /// As it is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// From how it was kept.
    ///
    /// # Errors
    /// When it is not a chunk. Whoever decides must then refuse: what the task has read is not known.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ChunkError> {
        serde_json::from_slice(bytes).map_err(|source| ChunkError { source })
    }
}

/// Kept memory that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("what the task has read cannot be made out")]
pub struct ChunkError {
    #[source]
    source: serde_json::Error,
}

/// How many records a result is.
fn records(content: Content<'_>) -> usize {
    match content {
        Content::Structured(value) => largest_list(value),
        Content::Text(text) => text.lines().count().min(1_000),
        Content::Error(_) | Content::Unseen => 0,
    }
}

fn largest_list(value: &Value) -> usize {
    match value {
        Value::Array(members) => members.len(),
        Value::Object(members) => members.values().map(largest_list).max().unwrap_or(1).max(1),
        _ => 1,
    }
}

fn leaves_of(args: &Map<String, Value>) -> impl Iterator<Item = String> {
    let mut texts = Vec::new();
    for value in args.values() {
        leaves(value, "", &mut |_, text, is_key| {
            if !is_key && texts.len() < ARGS_LEAVES_MAX {
                texts.push(text.into_owned());
            }
        });
    }
    texts.into_iter()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference in")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_empty(gist: &Gist) -> bool {
    *gist == Gist::default()
}

/// Words of the requester that are remembered.
pub const ASKED_WORDS_MAX: usize = 4_096;
/// Words of one result that are remembered.
pub const WORDS_PER_RESULT_MAX: usize = 8_192;
/// Words of all results of a task that are remembered: nine bytes each.
pub const WORDS_PER_TASK_MAX: usize = 32_768;
/// Values of one result that are vouched for; more are as if they had not been seen.
pub const VOUCHED_PER_RESULT_MAX: usize = 2_048;
/// A result of fewer records is not worth a line of its own.
const READ_NOTED_MIN: u32 = 20;
const TOLD_PER_CALL_MAX: usize = 64;
const ARGS_LEAVES_MAX: usize = 256;
/// What is shorter names nothing.
const NAMED_BYTES_MIN: u32 = 3;
