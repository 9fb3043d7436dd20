//! Readers: a few connections, each used by one blocking task at a time.

use crate::{connection, error::backend};
use provost_store::StoreError;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// Connections that read.
#[derive(Debug)]
pub(crate) struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    /// Opens them.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let connections: Result<Vec<_>, _> = (0..READERS).map(|_| connection::reader(path)).collect();
        Ok(Self { free: Arc::new(Mutex::new(connections?)), turns: Arc::new(Semaphore::new(READERS)) })
    }

    /// Reads in one snapshot, off the asynchronous threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_closed| StoreError::Closed)?;
        let free = Arc::clone(&self.free);
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let taken = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let lent = Lent { connection: taken, free };
            let db = lent.connection.as_ref().ok_or(StoreError::Closed)?;
            let snapshot = db.unchecked_transaction().map_err(crate::error::failed("begin to read"))?;
            question(&snapshot)
        });
        reading.await.map_err(|stopped| backend("read", stopped))?
    }
}

/// Gives the connection back, whatever happens while it is out.
struct Lent {
    connection: Option<Connection>,
    free: Arc<Mutex<Vec<Connection>>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

const READERS: usize = 4;
