//! The trees that could be the signed one: built from the tiles, from the entries, from the records, and from what
//! most of the three say about each leaf. As long as all agree, there is only one.

use crate::hash::Hash;
use crate::tile::{BUNDLE_BYTES_MAX, TileId};
use crate::tree::Tree;

use super::Source;
use super::bundle::Leaf;
use super::fault::{Fault, Faults};

/// Which telling of the leaves a tree is built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// What at least two of the three say.
    Most,
    /// The tiles of hashes of leaves.
    Tiles,
    /// The entry bundles.
    Entries,
    /// The records.
    Records,
}

impl Telling {
    /// The hash of a leaf in this telling; where it says nothing, what the others say.
    pub(super) fn of(self, tile: Option<Hash>, bundle: Option<Hash>, record: Option<Hash>) -> Option<Hash> {
        let most = if record.is_some() && record == bundle { record } else { tile.or(bundle).or(record) };
        match self {
            Telling::Most => most,
            Telling::Tiles => tile.or(most),
            Telling::Entries => bundle.or(most),
            Telling::Records => record.or(most),
        }
    }
}

/// All trees that could be the signed one.
pub(super) struct Candidates {
    first: Candidate,
    others: Vec<Candidate>,
}

impl Candidates {
    /// `marks` are the sizes, ascending and each once, at which the root is remembered.
    pub(super) fn at_start(marks: Vec<u64>) -> Self {
        Self { first: Candidate::at_start(marks), others: Vec::new() }
    }

    /// Adds the leaves of one bundle.
    pub(super) fn extend(&mut self, source: &impl Source, leaves: &[Leaf]) {
        if leaves.iter().any(|leaf| !leaf.agrees()) {
            self.part();
        }
        for candidate in self.all_mut() {
            let hash = |leaf: &Leaf| candidate.telling.of(leaf.tile, leaf.bundle, leaf.record);
            // A leaf nobody tells cannot be right in any tree; it is reported as missing.
            let hashes: Vec<Hash> = leaves.iter().map(|leaf| hash(leaf).unwrap_or(Hash::EMPTY)).collect();
            candidate.extend(source, &hashes);
        }
    }

    /// From the first leaf on that is told differently, each telling has its own tree.
    fn part(&mut self) {
        if self.others.is_empty() {
            let others = [Telling::Tiles, Telling::Entries, Telling::Records];
            self.others = others.map(|telling| Candidate { telling, ..self.first.clone() }).into();
        }
    }

    /// Compares the partial tiles above the leaves, after the last leaf.
    pub(super) fn check_edges(&mut self, source: &impl Source) {
        for candidate in self.all_mut() {
            let edge: Vec<_> = candidate.tree.edge().collect();
            for (tile, bytes) in edge {
                candidate.check_tile(source, tile, &bytes);
            }
        }
    }

    /// The tree with the signed root, if any has it.
    pub(super) fn with_root(&self, root: Hash) -> Option<&Candidate> {
        self.all().find(|candidate| candidate.root() == root)
    }

    /// The tree to explain faults by when none has the signed root.
    pub(super) fn likeliest(&self) -> &Candidate {
        &self.first
    }

    fn all(&self) -> impl Iterator<Item = &Candidate> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Candidate> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }
}

/// One tree that could be the signed one.
#[derive(Clone)]
pub(super) struct Candidate {
    telling: Telling,
    tree: Tree,
    marks: Vec<u64>,
    roots: Vec<Hash>,
    changed_tiles: Vec<TileId>,
}

impl Candidate {
    fn at_start(marks: Vec<u64>) -> Self {
        Self {
            telling: Telling::Most,
            tree: Tree::empty(),
            marks,
            roots: Vec::new(),
            changed_tiles: Vec::new(),
        }
    }

    pub(super) fn telling(&self) -> Telling {
        self.telling
    }

    pub(super) fn root(&self) -> Hash {
        self.tree.root()
    }

    /// The sizes asked for that were reached, and the roots the tree had then.
    pub(super) fn roots(&self) -> impl Iterator<Item = (u64, Hash)> {
        self.marks.iter().copied().zip(self.roots.iter().copied())
    }

    pub(super) fn report_tiles(&self, faults: &mut Faults) {
        for tile in &self.changed_tiles {
            faults.push(Fault::UpperTileChanged { path: tile.path() });
        }
    }

    fn extend(&mut self, source: &impl Source, hashes: &[Hash]) {
        let mut rest = hashes;
        while !rest.is_empty() {
            let until = self.marks.get(self.roots.len()).map(|mark| mark.saturating_sub(self.tree.size()));
            let count = until
                .map_or(rest.len(), |until| rest.len().min(usize::try_from(until).unwrap_or(usize::MAX)));
            let Some((now, later)) = rest.split_at_checked(count) else { return };
            self.append(source, now);
            if until == Some(now.len() as u64) {
                self.roots.push(self.tree.root());
            }
            rest = later;
        }
    }

    fn append(&mut self, source: &impl Source, hashes: &[Hash]) {
        let Ok(appended) = self.tree.append_leaves(hashes) else { return };
        for (tile, bytes) in appended.tiles {
            if tile.is_full() {
                self.check_tile(source, tile, &bytes);
            }
        }
    }

    /// Leaves are compared one by one elsewhere; here are the tiles above them.
    fn check_tile(&mut self, source: &impl Source, tile: TileId, bytes: &[u8]) {
        let stored = || source.read(&tile.path(), BUNDLE_BYTES_MAX).ok().flatten();
        if tile.level() > 0 && stored().as_deref() != Some(bytes) {
            self.changed_tiles.push(tile);
        }
    }
}
