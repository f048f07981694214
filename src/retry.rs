//! Reads that are tried again at once: exponential with jitter, and never longer than the caller's patience.
//!
//! The only home of `backoff` (unmaintained: RUSTSEC-2025-0012; deny.toml says why it stays). Must not be used for a mutation:
//! those are tried again as rows, which survive a crash. A peer's own hint is not slept through here (`backoff` would let it
//! outlast every limit); who was told to wait gives the work back.

use std::future::Future;
use std::time::Duration;

/// Looks until it works, fails for good, or patience is over; the last error then.
///
/// # Errors
/// What the last look came to.
pub async fn look<T, E, F>(
    patience: Duration,
    passes: impl Fn(&E) -> bool,
    mut once: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let policy = backoff::ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(100))
        .with_max_interval(Duration::from_secs(1))
        .with_max_elapsed_time(Some(patience))
        .build();
    backoff::future::retry(policy, || {
        let look = once();
        let passes = &passes;
        async move {
            look.await.map_err(|error| {
                if passes(&error) {
                    backoff::Error::transient(error)
                } else {
                    backoff::Error::permanent(error)
                }
            })
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn what_passes_is_tried_again_and_what_does_not_is_not() {
        let tries = Cell::new(0);
        let look_until = |good: u32| {
            let tries = &tries;
            move || {
                tries.set(tries.get() + 1);
                let n = tries.get();
                async move { if n >= good { Ok(n) } else { Err("passing") } }
            }
        };
        let patience = Duration::from_secs(5);
        assert_eq!(look(patience, |_| true, look_until(3)).await, Ok(3));
        tries.set(0);
        assert_eq!(look(patience, |_| false, look_until(3)).await, Err("passing"));
        assert_eq!(tries.get(), 1);
        assert_eq!(
            look(Duration::from_millis(250), |_| true, look_until(1000)).await,
            Err("passing")
        );
    }
}
