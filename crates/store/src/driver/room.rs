//! A bounded whole, of which commands on their way hold a part.

use crate::RecordError;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Room for so much at once.
#[derive(Debug)]
pub struct Room {
    held: Arc<AtomicUsize>,
    max: usize,
}

impl Room {
    /// An empty room.
    #[must_use]
    pub fn of(max: usize) -> Self {
        Self { held: Arc::default(), max }
    }

    /// Holds a part until the value is dropped.
    ///
    /// # Errors
    /// [`RecordError::QueueFull`] when there is not enough left.
    pub fn hold(&self, amount: usize) -> Result<Held, RecordError> {
        let before = self.held.fetch_add(amount, Ordering::AcqRel);
        let held = Held { held: Arc::clone(&self.held), amount };
        if before.saturating_add(amount) > self.max { Err(RecordError::QueueFull) } else { Ok(held) }
    }
}

/// A part of a [`Room`].
#[derive(Debug)]
pub struct Held {
    held: Arc<AtomicUsize>,
    amount: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.fetch_sub(self.amount, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_or_refused_gives_its_part_back() {
        let room = Room::of(10);
        let six = room.hold(6).unwrap();
        assert!(room.hold(5).is_err() && room.hold(4).is_ok());
        drop(six);
        assert!(room.hold(10).is_ok());
    }
}
