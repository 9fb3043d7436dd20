//! What both drivers do alike: drafts of records, budgets, pages, and the comparisons of `check`. No SQL here.

mod admit;
mod audit;
mod draft;
mod read;
mod room;
mod taking;
mod thin;

pub use admit::{RowState, Standing, admit};
pub use audit::{CHECK_FAULTS_MAX, DecisionColumns, change_fault, completion_fault, decision_columns_fault};
pub use draft::{DecisionDraft, Draft, RecordBytesMax, again, gain, salt};
pub use read::{Cursor, after, decode, hides_nul, labels, labels_text};
pub use room::{Held, Room};
pub use taking::{Taken, weigh};
pub use thin::{serials_to_forget, thinned};
