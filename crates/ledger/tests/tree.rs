//! The tree against known vectors and two independent implementations.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{Store, commitments};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use provost_ledger::{
    Commitment, Hash, TileId, Tree, TreeError, consistency_proof, consistency_tiles, inclusion_proof,
    inclusion_tiles, tiles_of_tree, verify_consistency, verify_inclusion,
};
use sha2_of_ct_merkle::Sha256;

/// The leaves of the RFC 6962 test vectors (transparency-dev/merkle) and the root after each.
const VECTORS: [(&str, &str); 9] = [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    ("606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
];

#[test]
fn the_roots_of_the_rfc_6962_vectors_come_out() {
    let mut tree = Tree::empty();
    assert_eq!(hex::encode(tree.root().as_bytes()), VECTORS[0].1);
    for (leaf, root) in &VECTORS[1..] {
        tree.append_leaves(&[Hash::leaf(&hex::decode(leaf).unwrap())]).unwrap();
        assert_eq!(hex::encode(tree.root().as_bytes()), *root);
    }
}

struct Grown {
    sizes: Vec<u64>,
    tree: Tree,
    store: Store,
    oracle: MemoryBackedTree<Sha256, [u8; 32]>,
}

/// Grows a tree in batches that end at the given sizes; an independent one alongside.
fn grow_to(sizes: Vec<u64>) -> Grown {
    let all = commitments(*sizes.last().unwrap());
    let mut grown =
        Grown { sizes, tree: Tree::empty(), store: Store::default(), oracle: MemoryBackedTree::new() };
    for size in grown.sizes.clone() {
        let batch = &all[usize::try_from(grown.tree.size()).unwrap()..usize::try_from(size).unwrap()];
        grown.store.put(grown.tree.append(batch).unwrap().tiles);
        batch.iter().for_each(|commitment| grown.oracle.push(*commitment.as_bytes()));
    }
    grown
}

fn batches() -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::btree_set(1_u64..2_100, 1..6).prop_map(|sizes| sizes.into_iter().collect())
}

fn concat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn roots_and_proofs_equal_those_of_ct_merkle(sizes in batches(), picks in proptest::collection::vec(any::<u64>(), 4)) {
        let grown = grow_to(sizes);
        let size = grown.tree.size();
        let root = grown.tree.root();
        prop_assert_eq!(root.as_bytes().to_vec(), grown.oracle.root().as_bytes().to_vec());
        for pick in picks {
            let index = pick % size;
            let proof = inclusion_proof(index, size, |tile| grown.store.read(tile)).unwrap();
            let expected = grown.oracle.prove_inclusion(usize::try_from(index).unwrap());
            prop_assert_eq!(concat(&proof), expected.as_bytes());
            let leaf = Hash::leaf(grown.oracle.get(usize::try_from(index).unwrap()).unwrap());
            prop_assert_eq!(verify_inclusion(leaf, index, size, root, &proof), Ok(()));
            prop_assert!(verify_inclusion(leaf, (index + 1) % size, size, root, &proof).is_err() || size == 1);
        }
        let mut old_tree = Tree::empty();
        let all = commitments(size);
        for old in &grown.sizes[..grown.sizes.len() - 1] {
            let from = usize::try_from(old_tree.size()).unwrap();
            old_tree.append(&all[from..usize::try_from(*old).unwrap()]).unwrap();
            let proof = consistency_proof(*old, size, |tile| grown.store.read(tile)).unwrap();
            let expected = grown.oracle.prove_consistency(usize::try_from(size - old).unwrap());
            prop_assert_eq!(concat(&proof), expected.as_bytes());
            prop_assert_eq!(verify_consistency((*old, old_tree.root()), (size, root), &proof), Ok(()));
            let forged = Hash::leaf(b"another history");
            prop_assert!(verify_consistency((*old, forged), (size, root), &proof).is_err());
        }
    }

    #[test]
    fn a_tree_opened_from_its_tiles_goes_on_as_if_never_closed(sizes in batches(), more in 1_u64..600) {
        let mut grown = grow_to(sizes);
        let mut opened = Tree::open(grown.tree.size(), |tile| grown.store.read(tile)).unwrap();
        prop_assert_eq!(&opened, &grown.tree);
        let batch = commitments(more);
        prop_assert_eq!(opened.append(&batch).unwrap(), grown.tree.append(&batch).unwrap());
    }

    #[test]
    fn the_stored_tiles_are_the_tiles_of_the_whole_tree(sizes in batches()) {
        let grown = grow_to(sizes);
        let mut at_once = Tree::empty();
        let mut whole = Store::default();
        whole.put(at_once.append(&commitments(grown.tree.size())).unwrap().tiles);
        for tile in tiles_of_tree(grown.tree.size()) {
            prop_assert_eq!(grown.store.read(tile).unwrap(), whole.read(tile).unwrap());
        }
    }

    #[test]
    fn a_changed_proof_never_holds(size in 2_u64..700, pick in any::<u64>(), at in any::<prop::sample::Index>(), bit in 0_usize..256) {
        let grown = grow_to(vec![size]);
        let index = pick % size;
        let mut proof = inclusion_proof(index, size, |tile| grown.store.read(tile)).unwrap();
        let leaf = Hash::leaf(grown.oracle.get(usize::try_from(index).unwrap()).unwrap());
        let at = at.index(proof.len());
        let mut bytes = *proof[at].as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let good = std::mem::replace(&mut proof[at], Hash::from_bytes(bytes));
        prop_assert!(verify_inclusion(leaf, index, size, grown.tree.root(), &proof).is_err());
        proof[at] = good;
        proof.push(good);
        prop_assert!(verify_inclusion(leaf, index, size, grown.tree.root(), &proof).is_err());
        proof.truncate(proof.len() - 2);
        prop_assert!(verify_inclusion(leaf, index, size, grown.tree.root(), &proof).is_err());
    }

    #[test]
    fn the_verifiers_take_anything_without_panic(
        (index, size, old) in (any::<u64>(), any::<u64>(), any::<u64>()),
        proof in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<Hash> = proof.into_iter().map(Hash::from_bytes).collect();
        prop_assert!(verify_inclusion(Hash::EMPTY, index, size, Hash::EMPTY, &proof).is_err());
        let held = verify_consistency((old, Hash::EMPTY), (size, Hash::leaf(b"x")), &proof).is_ok();
        prop_assert!(!held || (old == 0 && proof.is_empty()));
    }
}

#[test]
fn every_small_tree_proves_every_leaf_and_every_prefix_as_the_recursive_definition() {
    let all = commitments(70);
    let leaves: Vec<Hash> = all.iter().map(Commitment::leaf_hash).collect();
    for size in 1..=70_usize {
        let grown = grow_to(vec![size as u64]);
        let (root, n) = (mth(&leaves[..size]), size as u64);
        assert_eq!(grown.tree.root(), root);
        for (index, leaf) in leaves[..size].iter().enumerate() {
            let proof = inclusion_proof(index as u64, n, |tile| grown.store.read(tile)).unwrap();
            assert_eq!(verify_inclusion(*leaf, index as u64, n, root, &proof), Ok(()));
        }
        for old in 0..=size {
            let proof = consistency_proof(old as u64, n, |tile| grown.store.read(tile)).unwrap();
            let old_root = mth(&leaves[..old]);
            assert_eq!(
                verify_consistency((old as u64, old_root), (n, root), &proof),
                Ok(()),
                "{old} of {size}"
            );
        }
    }
}

#[test]
fn the_go_port_accepts_our_proofs() {
    let grown = grow_to(vec![300, 777]);
    let root = tlog_tiles::Hash(*grown.tree.root().as_bytes());
    let port = |proof: Vec<Hash>| {
        proof.into_iter().map(|hash| tlog_tiles::Hash(*hash.as_bytes())).collect::<Vec<_>>()
    };
    for index in [0, 255, 256, 511, 600, 776] {
        let proof = port(inclusion_proof(index, 777, |tile| grown.store.read(tile)).unwrap());
        let leaf = tlog_tiles::record_hash(grown.oracle.get(usize::try_from(index).unwrap()).unwrap());
        tlog_tiles::check_record(&proof, 777, root, index, leaf).unwrap();
    }
    let old_root = tlog_tiles::Hash(*grow_to(vec![300]).tree.root().as_bytes());
    let proof = port(consistency_proof(300, 777, |tile| grown.store.read(tile)).unwrap());
    tlog_tiles::check_tree(&proof, 777, root, 300, old_root).unwrap();
}

#[test]
fn the_tiles_named_before_are_exactly_the_tiles_read() {
    let grown = grow_to(vec![70_000]);
    let read = std::cell::RefCell::new(Vec::new());
    let note = |tile: TileId| {
        read.borrow_mut().push(tile);
        grown.store.read(tile)
    };
    inclusion_proof(12_345, 70_000, note).unwrap();
    assert_eq!(read.take(), inclusion_tiles(12_345, 70_000).unwrap());
    consistency_proof(65_999, 70_000, note).unwrap();
    assert_eq!(read.take(), consistency_tiles(65_999, 70_000).unwrap());
    assert!(inclusion_tiles(12_345, 70_000).unwrap().len() <= 5);
}

#[test]
fn proofs_at_an_older_size_come_from_wider_tiles() {
    let grown = grow_to(vec![100, 200, 1_000]);
    let old = grow_to(vec![150]);
    let proof = inclusion_proof(120, 150, |tile| grown.store.read(tile)).unwrap();
    let leaf = commitments(121)[120].leaf_hash();
    assert_eq!(verify_inclusion(leaf, 120, 150, old.tree.root(), &proof), Ok(()));
}

#[test]
fn tile_paths_are_those_of_tlog_tiles() {
    let size = 1_234_067 * 256 + 3;
    for (level, index, path) in [
        (0, 1_234_066, "tile/0/x001/x234/066"),
        (0, 1_234_067, "tile/0/x001/x234/067.p/3"),
        (1, 0, "tile/1/000"),
        (1, 4_820, "tile/1/x004/820.p/147"),
        (3, 0, "tile/3/000.p/18"),
    ] {
        let tile = TileId::of_tree(level, index, size).unwrap();
        assert_eq!(tile.path(), path);
        assert_eq!(TileId::from_path(path), Some(tile));
    }
    for path in [
        "tile/0/1",
        "tile/0/x000/001",
        "tile/8/000",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/1000",
        "tile/-1/000",
    ] {
        assert_eq!(TileId::from_path(path), None, "{path}");
    }
    assert_eq!(TileId::of_tree(0, 1, 256), None);
}

#[test]
fn a_store_that_answers_wrongly_is_an_error_and_no_panic() {
    let short = Tree::open(300, |tile| Ok(vec![0; tile.bytes_len() - 32]));
    assert!(matches!(short, Err(TreeError::TileLength { .. })));
    let odd = inclusion_proof(3, 300, |_| Ok(vec![0; 33]));
    assert!(matches!(odd, Err(TreeError::TileLength { .. })));
    let gone = consistency_proof(3, 300, |_| Err("disk gone".into()));
    assert!(matches!(gone, Err(TreeError::Read { .. })));
    assert!(matches!(inclusion_proof(300, 300, |_| Ok(Vec::new())), Err(TreeError::OutsideTree { .. })));
    assert!(matches!(consistency_proof(4, 3, |_| Ok(Vec::new())), Err(TreeError::SizesReversed { .. })));
    assert!(matches!(Tree::open(u64::MAX, |_| Ok(Vec::new())), Err(TreeError::TooLarge { .. })));
}

/// `MTH` as RFC 9162, section 2.1.1 defines it.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Hash::node(mth(left), mth(right))
        }
    }
}
