//! The offline verifier: an export directory in, every fault by name out.
//!
//! Each leaf is known three times: as a hash in a tile, as a commitment in an entry bundle, and as a record. The
//! verifier rebuilds the tree from each of them at once; the one that leads to the signed root is the truth, and what
//! differs from it is at fault, by index, kind and id. When none does, history was rewritten, and the earlier
//! checkpoints say from where on.
//!
//! Memory: one bundle of 256 records at a time, and about 60 bytes for each record to find an id used twice.

mod bundle;
mod candidates;
mod checks;
mod explain;
mod fault;
mod history;
mod meaning;

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::checkpoint::{Checkpoint, Cosignature};
use crate::export::{CHECKPOINT_PATH, VKEY_PATH};
use crate::key::VerifierKey;
use crate::limits::{LINE_BYTES_MAX, NOTE_BYTES_MAX};
use crate::tile::{TILE_WIDTH, records_path};
use crate::tree::ReadError;

use bundle::Bundle;
use candidates::Candidates;
use explain::{Divergence, Divergences};
use fault::Faults;
use history::Earlier;

pub use checks::ChecksWereMarked;
pub use fault::{Fault, Place};
pub use meaning::{ChangesInSequence, CompletionsFollowDecisions, RecordCheck, SeenRecord};

/// Where the files of an export come from.
pub trait Source {
    /// The file at `path`, relative to the export; `None` when there is none.
    ///
    /// # Errors
    /// A file that cannot be read, or has more than `bytes_max` bytes.
    fn read(&self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, ReadError>;
}

/// An export in memory.
impl Source for BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, ReadError> {
        match self.get(path) {
            Some(bytes) if bytes.len() > bytes_max => {
                Err(format!("the file is over {bytes_max} bytes").into())
            }
            found => Ok(found.cloned()),
        }
    }
}

/// How to verify.
pub struct Options<'a> {
    /// The key of the log, from a place that is trusted. Without it the key in the export is used, and the report
    /// proves only that the export agrees with itself.
    pub key: Option<VerifierKey>,
    /// Witnesses whose cosignatures are looked for.
    pub witnesses: Vec<VerifierKey>,
    /// Signed checkpoints kept elsewhere; the tree must extend each of them.
    pub earlier: Vec<String>,
    /// How many faults are named; the rest is counted.
    pub faults_max: usize,
    /// What the records must mean, beyond being the ones committed to.
    pub checks: Vec<Box<dyn RecordCheck + 'a>>,
    /// Told the leaves done and the leaves there are, after every 256.
    pub progress: Box<dyn FnMut(u64, u64) + 'a>,
}

impl Default for Options<'_> {
    /// The key of the export, no witnesses, the three built-in checks, a hundred faults.
    fn default() -> Self {
        Self {
            key: None,
            witnesses: Vec::new(),
            earlier: Vec::new(),
            faults_max: 100,
            checks: vec![
                Box::new(ChangesInSequence::new("seq")),
                Box::new(CompletionsFollowDecisions::new("decision")),
                Box::new(ChecksWereMarked::default()),
            ],
            progress: Box::new(|_, _| {}),
        }
    }
}

/// What was verified, and what is wrong.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The signed head. Trust it only when [`Report::is_sound`].
    pub checkpoint: Option<Checkpoint>,
    /// The key that the signature was verified with.
    pub key: Option<VerifierKey>,
    /// Whether that key was handed in, and not only found in the export.
    pub key_is_trusted: bool,
    /// The witnesses asked for that signed the head.
    pub cosignatures: Vec<Cosignature>,
    /// Records read.
    pub records: u64,
    /// Of these, the ones whose body was erased: their header is proven, their body is not known.
    pub erased: u64,
    /// Earlier checkpoints that the tree was compared with.
    pub earlier: u64,
    /// The faults, the first ones found.
    pub faults: Vec<Fault>,
    /// All of them, the ones not listed included.
    pub faults_total: u64,
}

impl Report {
    /// Whether nothing at all is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults_total == 0 && self.checkpoint.is_some()
    }
}

/// Verifies an export. What cannot be read is a fault in the report, too.
pub fn verify_export(source: &impl Source, mut options: Options<'_>) -> Report {
    let mut faults = Faults::bounded(options.faults_max);
    let mut report = Report::default();
    if let Some(signed) = verify_head(source, &options, &mut report, &mut faults) {
        let earlier = Earlier::read(source, &options.earlier, report.key.as_ref(), &signed, &mut faults);
        report.earlier = earlier.len();
        let mut walk = Walk::over(&signed, &earlier, options.faults_max);
        walk.all_bundles(source, &mut options, &mut faults);
        walk.beyond_the_end(source, &mut faults);
        walk.judge(&signed, &earlier, &mut faults);
        (report.records, report.erased) = (walk.records, walk.erased);
        report.checkpoint = Some(signed);
        faults.append(walk.contradictions);
    }
    (report.faults, report.faults_total) = faults.into_parts();
    report
}

/// Verifies the signatures of the head. A head that is not signed is still used to name the faults of the rest.
fn verify_head(
    source: &impl Source,
    options: &Options<'_>,
    report: &mut Report,
    faults: &mut Faults,
) -> Option<Checkpoint> {
    let exported = read_key(source, faults);
    report.key_is_trusted = options.key.is_some();
    report.key = options.key.clone().or_else(|| exported.clone());
    if let (Some(trusted), Some(exported)) = (&options.key, &exported)
        && trusted != exported
    {
        faults.push(Fault::KeyDiffers { exported: exported.clone(), trusted: trusted.clone() });
    }
    let note = read_required(source, CHECKPOINT_PATH, NOTE_BYTES_MAX, faults)?;
    let verified =
        report.key.as_ref().map(|key| Checkpoint::verify_witnessed(&note, key, &options.witnesses));
    match verified {
        Some(Ok(verified)) => {
            report.cosignatures = verified.cosignatures;
            return Some(verified.checkpoint);
        }
        Some(Err(error)) => faults.push(Fault::CheckpointUntrusted { reason: error.to_string() }),
        None => {
            faults.push(Fault::CheckpointUntrusted { reason: "there is no key to verify it with".to_owned() })
        }
    }
    Checkpoint::dangerous_parse_unverified(&note).ok()
}

fn read_key(source: &impl Source, faults: &mut Faults) -> Option<VerifierKey> {
    let bytes = read_required(source, VKEY_PATH, NOTE_BYTES_MAX, faults)?;
    let parsed = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()).and_then(|text| {
        text.trim_end_matches('\n').parse::<VerifierKey>().map_err(|error| error.to_string())
    });
    parsed.map_err(|reason| faults.push(Fault::FileMalformed { path: VKEY_PATH.to_owned(), reason })).ok()
}

/// One pass over the leaves, from the first to the last.
struct Walk {
    size: u64,
    candidates: Candidates,
    divergences: Divergences,
    ids: HashMap<[u8; 16], u64>,
    records: u64,
    erased: u64,
    /// What records say against each other: often only a consequence, so told after the faults of the proof.
    contradictions: Faults,
    /// Whether the pass ended early because the files end.
    cut_short: bool,
}

impl Walk {
    fn over(signed: &Checkpoint, earlier: &Earlier, faults_max: usize) -> Self {
        Self {
            size: signed.size,
            candidates: Candidates::at_start(earlier.sizes()),
            divergences: Divergences::default(),
            ids: HashMap::new(),
            records: 0,
            erased: 0,
            contradictions: Faults::bounded(faults_max),
            cut_short: false,
        }
    }

    fn all_bundles(&mut self, source: &impl Source, options: &mut Options<'_>, faults: &mut Faults) {
        for index in 0..self.size.div_ceil(TILE_WIDTH) {
            let bundle = Bundle::read(source, index, self.size, faults);
            if bundle.is_absent() {
                // A claimed size says nothing about what is there; do not count missing records up to 2^62.
                faults.push(Fault::RecordsMissing { from: index * TILE_WIDTH, size: self.size });
                self.cut_short = true;
                return;
            }
            self.one_bundle(source, &bundle, options);
            (options.progress)((index * TILE_WIDTH + bundle.leaves.len() as u64).min(self.size), self.size);
        }
        self.candidates.check_edges(source);
    }

    fn one_bundle(&mut self, source: &impl Source, bundle: &Bundle, options: &mut Options<'_>) {
        self.candidates.extend(source, &bundle.leaves);
        for leaf in &bundle.leaves {
            if !leaf.agrees() {
                self.divergences.push(Divergence::of(leaf));
            }
            if let Some(entry) = &leaf.entry {
                let place = Place::of(leaf.index, entry);
                self.records += 1;
                self.erased += u64::from(entry.body().is_none());
                self.check_id(&place);
                meaning::check(&place, entry, &mut options.checks, &mut self.contradictions);
            }
        }
    }

    /// A completion has the id of its decision: ids are used once within their kind.
    fn check_id(&mut self, place: &Place) {
        if let Some(first) =
            self.ids.insert(meaning::short(&format!("{} {}", place.kind, place.id)), place.index)
        {
            self.contradictions.push(Fault::IdTwice { place: place.clone(), first });
        }
    }

    /// Records that lie after the last signed one.
    fn beyond_the_end(&self, source: &impl Source, faults: &mut Faults) {
        if self.cut_short {
            return;
        }
        let path = records_path(self.size.div_ceil(TILE_WIDTH));
        match source.read(&path, LINE_BYTES_MAX * 256) {
            Ok(None) => {}
            Ok(Some(_)) => faults.push(Fault::FileBeyond { path, size: self.size }),
            Err(error) => faults.push(Fault::FileUnreadable { path, reason: error.to_string() }),
        }
    }

    /// Which of the three tellings is the signed one, and what is wrong with the others.
    fn judge(&self, signed: &Checkpoint, earlier: &Earlier, faults: &mut Faults) {
        if self.cut_short {
            return;
        }
        let found = self.candidates.with_root(signed.root);
        let telling = found.unwrap_or_else(|| self.candidates.likeliest());
        if found.is_none() {
            let intact = earlier.intact_until(telling);
            let (signed_root, computed) = (signed.root, telling.root());
            faults.push(Fault::RootDiffers { size: signed.size, signed: signed_root, computed, intact });
        }
        earlier.compare(telling, faults);
        telling.report_tiles(faults);
        self.divergences.explain(telling.telling(), self.size, faults);
    }
}

/// Reads a file that must be there.
fn read_required(source: &impl Source, path: &str, bytes_max: usize, faults: &mut Faults) -> Option<Vec<u8>> {
    match source.read(path, bytes_max) {
        Ok(Some(bytes)) => return Some(bytes),
        Ok(None) => faults.push(Fault::FileMissing { path: path.to_owned() }),
        Err(error) => faults.push(Fault::FileUnreadable { path: path.to_owned(), reason: error.to_string() }),
    }
    None
}
