//! Answers that many containers share: about images, and about pods.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::source::Reach;

/// Answers kept; when there are more, all are asked for anew.
const MAX_KEPT: usize = 1024;
/// The same of a user's engine.
const MAX_KEPT_OF_USER: usize = 16;

/// What was answered, by id. A clone is the same cache.
#[derive(Debug)]
pub(super) struct Cache<T> {
    kept: Arc<Mutex<FxHashMap<String, Arc<T>>>>,
    max: usize,
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self {
            kept: Arc::clone(&self.kept),
            max: self.max,
        }
    }
}

impl<T> Cache<T> {
    /// For the answers of an engine.
    pub(super) fn new(reach: Reach) -> Self {
        Self {
            kept: Arc::default(),
            max: match reach {
                Reach::Everybody => MAX_KEPT,
                Reach::User(_) => MAX_KEPT_OF_USER,
            },
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<T>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(id).cloned()
    }

    pub(super) fn keep(&self, id: &str, answer: T) -> Arc<T> {
        let answer = Arc::new(answer);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= self.max {
            kept.clear();
        }
        kept.insert(id.to_owned(), Arc::clone(&answer));
        answer
    }
}
