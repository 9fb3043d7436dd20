//! Commands that nobody waits for: kept for a moment, so that they share a transaction and its sync with commands that
//! somebody does wait for, or at least with each other.

use super::{Command, Message};
use provost_store::StoreError;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;

/// Where they wait. `None` once the writer has ended.
pub(crate) struct Company(Mutex<Option<Vec<Box<dyn Command>>>>);

impl Company {
    /// Nobody waits.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    /// Has a command wait for others, for [`WAIT_MAX`] at most.
    pub(crate) fn join(
        &self,
        command: Box<dyn Command>,
        writer: &mpsc::Sender<Message>,
    ) -> Result<(), StoreError> {
        let mut waiting = self.waiting();
        let waiting = waiting.as_mut().ok_or(StoreError::Closed)?;
        waiting.push(command);
        if waiting.len() == 1 {
            let writer = writer.clone();
            tokio::spawn(async move {
                tokio::time::sleep(WAIT_MAX).await;
                // A writer that is gone has done them as the last thing it did.
                drop(writer.send(Message::Look).await);
            });
        }
        Ok(())
    }

    /// All that wait.
    pub(super) fn take(&self) -> Vec<Box<dyn Command>> {
        self.waiting().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// All that wait; nobody can join any more.
    pub(super) fn end(&self) -> Vec<Box<dyn Command>> {
        self.waiting().take().unwrap_or_default()
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Vec<Box<dyn Command>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Company {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.waiting().as_ref().map(Vec::len);
        f.debug_tuple("Company").field(&waiting).finish()
    }
}

/// A crash loses at most the buffered decisions of so long; outcomes of so long become `unknown`.
const WAIT_MAX: Duration = Duration::from_millis(10);
