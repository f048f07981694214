//! How fast we may call: what a platform allows one account, kept by ourselves before the platform has to say no.
//!
//! Must not know any platform, and must not decide what is called. Every process keeps its own account of it: where several
//! share an account, each is configured to take its part (`platforms.<name>.quota_percent`), and a platform that throttles
//! all the same makes every one of them slower until it stops.
//!
//! How a platform's folder uses it:
//! 1. It says what the platform allows: `Platform::quota` gives a `&'static Quota`.
//! 2. Its transport asks before each HTTP call, the scarcest allowance first, and takes the wait off the call's deadline:
//!    `let waited = session.pace(NAME, &QUOTA).go(&[("writes", 1), ("requests", 1)], session.deadline / 2).await`. Too long a
//!    queue is an error before anything was sent: `CallError::Unavailable { after }`.
//! 3. It tells what the answers say: [`Hint::Throttled`] for a 429 and its kind, [`Hint::Served`] for the others, and
//!    [`Hint::Used`] for usage headers.
//!
//! The worker asks for a [`Pace::turn`] per leg, so that no more legs are under way than the quota can feed: the queue before
//! the calls stays short, and calls are made well within their leases.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The part of an allowance that may be called for at once after a rest: a twentieth.
const BURST: f64 = 20.0;
/// The part of a small allowance that is called for, evenly. Of ten calls a second the eleventh goes 1,053 ms after the first: so
/// much unevenness may the network have.
const EVEN: f64 = 0.95;
/// So much of a call may be made up for when one went late: timers wake late, and what is lost each time would add up. A second of
/// ten calls stays one of ten: 9.5 and these.
const LATE: f64 = 0.1;
/// The part of an allowance, in percent, that [`Hint::Used`] lets us fill: a little more than our own even pace fills by itself, or
/// that would slow us down where nobody else calls.
const FILL: f64 = 97.5;
/// How long the next call waits when all of an allowance is used up.
const FULL: Duration = Duration::from_secs(30);
/// By how much a throttle slows us down, and how slow it makes us at the most.
const SLOWER: f64 = 0.7;
const SLOWEST: f64 = 0.1;
/// From standstill back to full speed: within twice the allowance's time, and within this. No platform says which of its
/// allowances was overrun; one of a second must not slow down that of a minute for minutes.
const BACK: Duration = Duration::from_secs(30);
/// How long a first throttle holds the account. A next one, before anything was served, doubles that, up to the platform's own
/// hint: one call that was told to come back in an hour must not keep all others of the account away for an hour.
const HOLD: Duration = Duration::from_secs(1);
/// The longest hold without a hint, and with any.
const LONGEST_UNTOLD: Duration = Duration::from_secs(60);
const LONGEST_HOLD: Duration = Duration::from_secs(600);

/// What a platform allows one account.
#[derive(Debug)]
pub struct Quota {
    /// Each of them holds.
    pub allowances: &'static [Allowance],
    /// How many legs are worth driving at the same time on one account; more would only queue.
    pub legs_at_once: usize,
}

impl Quota {
    /// A platform that tells nothing: no limit.
    pub const NONE: Self = Self {
        allowances: &[],
        legs_at_once: Semaphore::MAX_PERMITS,
    };
}

/// So much in any stretch of so long.
#[derive(Debug)]
pub struct Allowance {
    /// As costs name it: `requests`, `writes`, `points`.
    pub name: &'static str,
    /// How much.
    pub amount: u32,
    /// In how long.
    pub per: Duration,
}

/// What a platform's answer says about its quota.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Hint {
    /// It answered, and did not say no.
    Served,
    /// It said no for now.
    Throttled {
        /// For how long, if it told.
        after: Option<Duration>,
    },
    /// So much of an allowance is used up, by whomever.
    Used {
        /// The allowance.
        name: &'static str,
        /// 100 is all of it.
        percent: f64,
    },
    /// This account's allowance is another than the platform's usual one.
    Allows {
        /// The allowance.
        name: &'static str,
        /// How much in the same time.
        amount: u32,
    },
}

/// The queue is longer than the caller's patience; nothing was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the platform's quota is used up for {} ms", .after.as_millis())]
pub struct TooLong {
    /// When to come again.
    pub after: Duration,
}

/// The paces of all accounts of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Paces {
    /// By platform: how much of the quota is ours, in percent; 100 where nothing is said.
    percent: Arc<BTreeMap<String, u32>>,
    known: Arc<Mutex<Known>>,
}

/// By platform and account.
type Known = HashMap<(String, String), Arc<Pace>>;

impl Paces {
    /// With each platform's part of the quota, in percent.
    #[must_use]
    pub fn new(percent: BTreeMap<String, u32>) -> Self {
        Self {
            percent: Arc::new(percent),
            known: Arc::default(),
        }
    }

    /// The pace of one account.
    #[must_use]
    pub fn of(&self, platform: &str, account: &str, quota: &'static Quota) -> Arc<Pace> {
        let mut known = locked(&self.known);
        let key = (platform.to_owned(), account.to_owned());
        let pace = known.entry(key).or_insert_with(|| {
            let percent = self.percent.get(platform).copied().unwrap_or(100).max(1);
            Arc::new(Pace::new(quota, percent, Instant::now()))
        });
        Arc::clone(pace)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pace of one account.
pub struct Pace {
    lanes: Vec<Lane>,
    turns: Arc<Semaphore>,
    brake: Mutex<Brake>,
}

/// One allowance and who waits for it, first come, first served.
struct Lane {
    name: &'static str,
    /// Whether it has room for more than one call at once.
    bursts: bool,
    queue: tokio::sync::Mutex<()>,
    tokens: Mutex<Tokens>,
}

impl Lane {
    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        locked(&self.tokens)
    }
}

/// What a platform that said no makes us do.
#[derive(Default)]
struct Brake {
    held_until: Option<Instant>,
    hold: Duration,
}

/// A bucket that fills at the allowance's rate. May be in debt, when the platform counts more than we did.
#[derive(Debug, Clone)]
struct Tokens {
    /// In `per`.
    amount: f64,
    per: Duration,
    /// Our part of it; above 1 where the platform's clock runs fast (a sandbox's).
    share: f64,
    has: f64,
    at: Instant,
    /// 1: full speed.
    speed: f64,
}

impl Tokens {
    fn new(allowance: &Allowance, percent: u32, now: Instant) -> Self {
        let mut tokens = Self {
            amount: f64::from(allowance.amount),
            per: allowance.per,
            share: f64::from(percent) / 100.0,
            has: 0.0,
            at: now,
            speed: 1.0,
        };
        tokens.has = tokens.burst();
        tokens
    }

    /// What may be called for at once.
    fn burst(&self) -> f64 {
        (self.amount / BURST * self.share.min(1.0)).max(1.0 + LATE)
    }

    /// Per second. Together with the burst no stretch of `per` sees more than the allowance; where that is so small that a burst
    /// is a single call, the pause between two calls is long enough for the network's own unevenness.
    fn rate(&self) -> f64 {
        let kept = if self.amount < BURST {
            self.amount * EVEN
        } else {
            self.amount - self.amount / BURST
        };
        kept / self.per.as_secs_f64() * self.share * self.speed
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.has = (self.has + passed * self.rate()).min(self.burst());
        let back = (2.0 * self.per.as_secs_f64()).min(BACK.as_secs_f64());
        self.speed = (self.speed + passed * self.share / back).min(1.0);
        self.at = now;
    }

    /// How long so much is not there yet.
    fn lasts(&mut self, cost: u32, now: Instant) -> Duration {
        self.refill(now);
        // What costs more than a whole burst goes when the bucket is full, and leaves a debt.
        let needs = f64::from(cost).min(self.burst());
        if self.has + 1e-9 >= needs {
            return Duration::ZERO;
        }
        let wait = (needs - self.has) / self.rate();
        Duration::from_secs_f64(wait.clamp(0.001, 3600.0))
    }

    fn used(&mut self, percent: f64, now: Instant) {
        self.refill(now);
        let percent = percent.clamp(0.0, 100.0);
        let left = if percent < FILL {
            (FILL - percent) / 100.0 * self.amount
        } else {
            // Ever slower towards the end: at 100 % the next call waits for half a minute.
            let usual = self.amount / self.per.as_secs_f64();
            (FILL - percent) / (100.0 - FILL) * usual * FULL.as_secs_f64()
        };
        self.has = self.has.min(left);
    }
}

/// Waits for what a call costs at each of several paces (an account's own, and what it shares with others), the scarcest first;
/// how long that took.
///
/// What has room for a burst is taken when it is there, so that the next one in its queue need not wait until this one has gone. What
/// has none is taken at the instant of the call, all of it together: waiting for another one, the call would go later than that
/// allowance reckons with, and close to the next.
///
/// # Errors
/// [`TooLong`]: it would have taken longer than `patience`. Nothing must be sent then, and nothing is taken.
pub async fn go(
    paces: &[&Pace],
    cost: &[(&'static str, u32)],
    patience: Duration,
) -> Result<Duration, TooLong> {
    let began = Instant::now();
    let mut taken = Vec::new();
    match stand(paces, cost, began + patience, &mut taken).await {
        Ok(goes) => Ok(goes.saturating_duration_since(began)),
        Err(too_long) => {
            for (lane, amount) in taken {
                lane.tokens().has += f64::from(amount);
            }
            Err(too_long)
        }
    }
}

/// Stands in every queue, one after the other; when all was there. `taken`: what is to be given back where that lasts too long.
async fn stand<'a>(
    paces: &[&'a Pace],
    cost: &[(&'static str, u32)],
    until: Instant,
    taken: &mut Vec<(&'a Lane, u32)>,
) -> Result<Instant, TooLong> {
    let mut goes = Instant::now();
    let (mut queues, mut wanted) = (Vec::new(), Vec::new());
    for pace in paces {
        for (name, amount) in cost {
            let Some(lane) = pace.lanes.iter().find(|lane| lane.name == *name) else {
                continue;
            };
            let queue = pace.queue(lane, until).await?;
            wanted.push(Wanted {
                pace,
                lane,
                amount: *amount,
            });
            goes = all_there(&wanted, until).await?;
            if lane.bursts {
                wanted.pop();
                lane.tokens().has -= f64::from(*amount);
                taken.push((lane, *amount));
            } else {
                queues.push(queue);
            }
        }
    }
    for one in wanted {
        one.lane.tokens().has -= f64::from(one.amount);
    }
    Ok(goes)
}

/// So much of one allowance.
struct Wanted<'a> {
    pace: &'a Pace,
    lane: &'a Lane,
    amount: u32,
}

impl Wanted<'_> {
    /// How long it is not there yet. Nobody but who stands first in the lane's queue takes anything from it.
    fn lasts(&self, now: Instant) -> Duration {
        let held = self.pace.held().unwrap_or_default();
        held.max(self.lane.tokens().lasts(self.amount, now))
    }
}

/// Waits until each of them is there; when that was.
async fn all_there(wanted: &[Wanted<'_>], until: Instant) -> Result<Instant, TooLong> {
    loop {
        let now = Instant::now();
        let waits = wanted.iter().map(|one| one.lasts(now));
        let wait = waits.max().unwrap_or_default();
        if wait.is_zero() {
            return Ok(now);
        }
        if now + wait > until {
            return Err(TooLong { after: wait });
        }
        tokio::time::sleep(wait).await;
    }
}

/// More where the platform's clock runs fast.
fn turns(legs_at_once: usize, percent: u32) -> usize {
    let times = usize::try_from(percent / 100).unwrap_or(1).max(1);
    legs_at_once.saturating_mul(times).min(Semaphore::MAX_PERMITS)
}

impl Pace {
    fn new(quota: &'static Quota, percent: u32, now: Instant) -> Self {
        let lane = |allowance: &'static Allowance| Lane {
            name: allowance.name,
            bursts: f64::from(allowance.amount) >= BURST,
            queue: tokio::sync::Mutex::new(()),
            tokens: Mutex::new(Tokens::new(allowance, percent, now)),
        };
        Self {
            lanes: quota.allowances.iter().map(lane).collect(),
            turns: Arc::new(Semaphore::new(turns(quota.legs_at_once, percent))),
            brake: Mutex::default(),
        }
    }

    /// Waits until one more leg may be driven on the account; its turn ends when the permit is dropped.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed: an error would only mean that nobody counts any more.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// How long the platform's own word holds us yet; none: it does not.
    #[must_use]
    pub fn held(&self) -> Option<Duration> {
        let until = locked(&self.brake).held_until?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Waits for what a call costs, the scarcest allowance first; how long that took.
    ///
    /// # Errors
    /// [`TooLong`]: it would have taken longer than `patience`. Nothing must be sent then.
    pub async fn go(&self, cost: &[(&'static str, u32)], patience: Duration) -> Result<Duration, TooLong> {
        go(&[self], cost, patience).await
    }

    /// Waits until nobody is before us in a lane.
    async fn queue<'a>(
        &self,
        lane: &'a Lane,
        until: Instant,
    ) -> Result<tokio::sync::MutexGuard<'a, ()>, TooLong> {
        let patience = until.saturating_duration_since(Instant::now());
        if let Some(after) = self.held().filter(|held| *held > patience) {
            return Err(TooLong { after });
        }
        match tokio::time::timeout_at(until, lane.queue.lock()).await {
            Ok(first) => Ok(first),
            Err(_) => Err(TooLong {
                after: self.held().unwrap_or(patience.max(HOLD)),
            }),
        }
    }

    /// Takes in what an answer said.
    pub fn observe(&self, hint: Hint) {
        self.observed(hint, Instant::now());
    }

    fn observed(&self, hint: Hint, now: Instant) {
        let lane = |name: &str| self.lanes.iter().find(|lane| lane.name == name);
        match hint {
            Hint::Served => {
                let mut brake = locked(&self.brake);
                if brake.held_until.is_some_and(|until| now >= until) {
                    *brake = Brake::default();
                }
            }
            Hint::Throttled { after } => self.throttled(after, now),
            Hint::Used { name, percent } => {
                if let Some(lane) = lane(name) {
                    lane.tokens().used(percent, now);
                }
            }
            Hint::Allows { name, amount } => {
                if let Some(lane) = lane(name) {
                    let mut tokens = lane.tokens();
                    tokens.refill(now);
                    tokens.amount = f64::from(amount.max(1));
                    tokens.has = tokens.has.min(tokens.burst());
                }
            }
        }
    }

    fn throttled(&self, after: Option<Duration>, now: Instant) {
        let mut brake = locked(&self.brake);
        // Of calls that were on their way: they count as one.
        if brake.held_until.is_some_and(|until| now < until) {
            return;
        }
        let longest = after.map_or(LONGEST_UNTOLD, |after| after.min(LONGEST_HOLD));
        brake.hold = (brake.hold * 2).max(HOLD).min(longest);
        brake.held_until = Some(now + brake.hold);
        for lane in &self.lanes {
            let mut tokens = lane.tokens();
            tokens.refill(now);
            tokens.speed = (tokens.speed * SLOWER).max(SLOWEST);
            tokens.has = tokens.has.min(0.0);
        }
    }
}

#[cfg(test)]
mod tests;
