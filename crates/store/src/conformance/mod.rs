//! The tests that both drivers pass: the promises of [`crate::Store`], one test each, named as what it promises.
//!
//! A driver says how to make and break state in a [`Ground`], and writes `provost_store::suite!(ItsGround);` in its
//! `tests/conformance.rs`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "tests"
)]

pub mod budgets;
pub mod care;
pub mod changes;
pub mod decisions;
pub mod ledger;
pub mod load;
pub mod sample;

use crate::Store;
use async_trait::async_trait;
use provost_domain::limits::Limits;
use std::{path::Path, sync::Arc, time::Duration};

/// Where a driver's tests take place: a state of its own, that vanishes with it.
#[async_trait]
pub trait Ground: Send + Sync + Sized + 'static {
    /// How many stores may be open on one state at once.
    const NODES: usize;

    /// A new and empty state.
    async fn fresh() -> Self;

    /// A store on this state. The one before was closed, or there are fewer than [`Ground::NODES`].
    async fn open(&self, limits: &Limits) -> Arc<dyn Store>;

    /// A store on a backup that [`Store::backup`] wrote.
    async fn open_backup(&self, backup: &Path) -> Arc<dyn Store>;

    /// Writes into the tables behind the store's back. No store is open.
    async fn plant(&self, contradiction: Contradiction);

    /// Stores of as many nodes as may be, up to two.
    async fn nodes(&self) -> Vec<Arc<dyn Store>> {
        let mut nodes = Vec::new();
        for _ in 0..Self::NODES.min(2) {
            nodes.push(self.open(&Limits::default()).await);
        }
        nodes
    }
}

/// What a hand in the tables may break. Each is found by `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// A row of the organisation says another version than its newest change.
    ObjectVersion,
    /// A change is gone.
    MissingChange,
    /// The text of a change's record names another row.
    ChangeRecord,
    /// An identity does not hold its name.
    MissingClaim,
    /// A decision's column says another subject than its record.
    DecisionColumn,
    /// A completion belongs to no decision.
    LostCompletion,
    /// A task lost a label that one of its results brought.
    LostLabel,
    /// The tree has a tile too few.
    MissingTile,
}

impl Contradiction {
    /// Each of them.
    pub const ALL: [Self; 8] = [
        Self::ObjectVersion,
        Self::MissingChange,
        Self::ChangeRecord,
        Self::MissingClaim,
        Self::DecisionColumn,
        Self::LostCompletion,
        Self::LostLabel,
        Self::MissingTile,
    ];
}

/// How long a test waits for those that run beside it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes one `#[tokio::test]` for each promise.
#[macro_export]
macro_rules! suite {
    ($ground:ty) => {
        $crate::suite! {
            @tests $ground;
            changes: an_empty_plane_is_at_zero,
                a_change_and_its_record_are_one,
                a_stale_version_is_a_conflict,
                of_two_changes_on_one_version_one_wins,
                a_name_is_claimed_once_across_the_classes_and_for_ever,
                a_subject_is_held_by_one_row_until_it_lets_go_and_a_key_for_ever,
                a_connectors_name_is_held_by_one_row_until_it_lets_go,
                the_writes_of_one_set_see_each_other,
                the_tail_has_no_gaps_under_eight_writers,
                what_is_loaded_equals_the_tail_from_zero,
                the_past_reads_as_it_was,
                the_history_of_a_row_is_newest_first;
            decisions: a_recorded_decision_reads_back_whole,
                recording_the_same_decision_again_takes_nothing_twice,
                a_moved_task_state_is_reported_and_nothing_is_taken,
                a_decision_on_an_old_state_never_passes_a_completion,
                completing_twice_keeps_the_first,
                only_an_allowed_decision_can_be_completed,
                labels_raise_the_version_only_when_new,
                what_a_result_brought_is_kept_with_its_outcome_until_the_task_ends,
                unfinished_finds_exactly_the_open_ones,
                decisions_page_through_every_row_once,
                decisions_are_counted_in_their_step_and_verdict_and_no_more_than_asked,
                a_refusal_before_any_decision_is_journalled,
                an_outcome_in_company_is_durable_when_it_answers,
                a_buffered_decision_is_written_when_the_store_closes,
                only_a_plain_decision_can_be_buffered,
                a_record_larger_than_the_limit_is_refused,
                a_subject_with_a_nul_in_its_name_is_kept,
                a_full_queue_refuses_and_loses_nothing;
            budgets: a_count_of_k_lets_exactly_k_through,
                a_sum_is_never_passed_and_never_refused_too_early,
                a_budget_holds_across_a_restart,
                charges_are_taken_all_or_none,
                a_window_refills_as_time_passes,
                a_denial_takes_nothing,
                a_negative_charge_is_refused,
                a_sweep_forgets_only_what_has_passed,
                the_end_of_a_task_ends_its_charges_and_no_others;
            ledger: appending_is_compare_and_swap,
                the_order_of_waiting_rows_is_stable_and_complete_under_writers,
                rows_are_appended_in_their_order_and_none_is_left_out,
                a_tile_is_replaced_as_it_grows,
                every_record_is_found_by_its_leaf_and_its_leaf_by_the_record,
                earlier_checkpoints_are_kept_and_thinned_out;
            care: sealed_and_named_values_are_kept_as_given,
                a_value_put_if_absent_is_put_once,
                a_word_is_remembered_once_until_its_time_has_passed,
                of_many_who_bring_one_word_one_is_first,
                what_is_kept_for_a_while_is_the_first_of_many_until_its_time_has_passed,
                a_store_in_order_has_no_faults,
                a_planted_contradiction_is_found,
                a_backup_opens_and_equals,
                everything_stands_after_a_restart,
                closing_writes_out_what_waits_and_refuses_what_comes;
        }
    };
    (@tests $ground:ty; $($file:ident: $($promise:ident),+;)+) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let ground = <$ground as $crate::conformance::Ground>::fresh().await;
            $crate::conformance::$file::$promise(ground).await;
        }
    )+)+};
}
