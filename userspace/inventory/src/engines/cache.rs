//! Answers that many containers share: about images, and about pods.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

/// Answers kept; when there are more, all are asked for anew.
const MAX_KEPT: usize = 1024;

/// What was answered, by id. A clone is the same cache.
#[derive(Debug)]
pub(super) struct Cache<T>(Arc<Mutex<FxHashMap<String, Arc<T>>>>);

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Cache<T> {
    pub(super) fn get(&self, id: &str) -> Option<Arc<T>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(id).cloned()
    }

    pub(super) fn keep(&self, id: &str, answer: T) -> Arc<T> {
        let answer = Arc::new(answer);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(id.to_owned(), Arc::clone(&answer));
        answer
    }
}
