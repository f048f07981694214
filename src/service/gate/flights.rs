//! Questions that several executions ask at the same time are asked once: who queued gets the answer of who asked.
//!
//! Must not keep an answer for who comes later; shared verdicts are the store's.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Past so many questions, those that nobody asks are forgotten.
const MOST: usize = 4096;

type Slot<T> = Arc<tokio::sync::Mutex<Option<(Instant, T)>>>;

/// Questions under way, by what they ask.
pub struct Flights<T>(Mutex<HashMap<String, Slot<T>>>);

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    /// Asks, unless somebody's answer to the same came in while we waited: then it is ours too, a failure as well, or a queue
    /// behind a peer that is away would wait for it one by one.
    pub(super) async fn share<F: Future<Output = T>>(&self, key: &str, ask: impl FnOnce() -> F) -> T {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if slots.len() > MOST {
                slots.retain(|_, slot| Arc::strong_count(slot) > 1);
            }
            Arc::clone(slots.entry(key.to_owned()).or_default())
        };
        let arrived = Instant::now();
        let mut last = slot.lock().await;
        if let Some((answered, answer)) = &*last
            && *answered >= arrived
        {
            return answer.clone();
        }
        let answer = ask().await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[tokio::test]
    async fn who_queued_gets_the_answer_and_who_comes_later_asks_again() {
        let (flights, asked) = (Flights::default(), AtomicUsize::new(0));
        let ask = || async {
            let n = asked.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
            n
        };
        let answers = join_all((0..20).map(|_| flights.share("a", ask))).await;
        assert_eq!(answers, vec![1; 20]);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(flights.share("a", ask).await, 2);
        assert_eq!(flights.share("b", ask).await, 3);
    }
}
