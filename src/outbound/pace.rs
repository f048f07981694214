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
    queue: tokio::sync::Mutex<()>,
    tokens: Mutex<Tokens>,
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

    /// Takes so much, or says how long that lasts.
    fn take(&mut self, cost: u32, now: Instant) -> Result<(), Duration> {
        self.refill(now);
        // What costs more than a whole burst goes when the bucket is full, and leaves a debt.
        let needs = f64::from(cost).min(self.burst());
        if self.has + 1e-9 >= needs {
            self.has -= f64::from(cost);
            return Ok(());
        }
        let wait = (needs - self.has) / self.rate();
        Err(Duration::from_secs_f64(wait.clamp(0.001, 3600.0)))
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
/// # Errors
/// [`TooLong`]: it would have taken longer than `patience`. Nothing must be sent then, and nothing is taken.
pub async fn go(
    paces: &[&Pace],
    cost: &[(&'static str, u32)],
    patience: Duration,
) -> Result<Duration, TooLong> {
    let began = Instant::now();
    let until = began + patience;
    let mut taken: Vec<(&Lane, u32)> = Vec::new();
    for pace in paces {
        for (name, amount) in cost {
            let Some(lane) = pace.lanes.iter().find(|lane| lane.name == *name) else {
                continue;
            };
            if let Err(after) = pace.one(lane, *amount, until).await {
                for (lane, amount) in taken {
                    locked(&lane.tokens).has += f64::from(amount);
                }
                return Err(TooLong { after });
            }
            taken.push((lane, *amount));
        }
    }
    Ok(began.elapsed())
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

    async fn one(&self, lane: &Lane, amount: u32, until: Instant) -> Result<(), Duration> {
        let patience = until.saturating_duration_since(Instant::now());
        if let Some(held) = self.held().filter(|held| *held > patience) {
            return Err(held);
        }
        let Ok(_first) = tokio::time::timeout_at(until, lane.queue.lock()).await else {
            return Err(self.held().unwrap_or(patience.max(HOLD)));
        };
        loop {
            let now = Instant::now();
            let wait = match self.held() {
                Some(held) => held,
                None => match locked(&lane.tokens).take(amount, now) {
                    Ok(()) => return Ok(()),
                    Err(wait) => wait,
                },
            };
            if now + wait > until {
                return Err(wait);
            }
            tokio::time::sleep(wait).await;
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
                    locked(&lane.tokens).used(percent, now);
                }
            }
            Hint::Allows { name, amount } => {
                if let Some(lane) = lane(name) {
                    let mut tokens = locked(&lane.tokens);
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
            let mut tokens = locked(&lane.tokens);
            tokens.refill(now);
            tokens.speed = (tokens.speed * SLOWER).max(SLOWEST);
            tokens.has = tokens.has.min(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota {
        allowances: &[
            Allowance {
                name: "writes",
                amount: 150,
                per: Duration::from_secs(60),
            },
            Allowance {
                name: "requests",
                amount: 300,
                per: Duration::from_secs(60),
            },
        ],
        legs_at_once: 2,
    };

    impl Pace {
        fn hold(&self) -> Duration {
            locked(&self.brake).hold
        }
    }

    /// Takes one after the other on a clock of its own, for so many seconds; when each went.
    fn run(tokens: &mut Tokens, start: Instant, seconds: u64) -> Vec<Duration> {
        let (mut now, mut went) = (start, Vec::new());
        while now < start + Duration::from_secs(seconds) {
            match tokens.take(1, now) {
                Ok(()) => went.push(now - start),
                Err(wait) => now += wait,
            }
        }
        went
    }

    fn most_in_any(window: Duration, went: &[Duration]) -> usize {
        let count = |from: &Duration| went.iter().filter(|t| *t >= from && **t < *from + window).count();
        went.iter().map(count).max().unwrap_or_default()
    }

    #[test]
    fn no_stretch_sees_more_than_the_allowance_and_little_of_it_is_left() {
        let start = Instant::now();
        for allowance in QUOTA.allowances {
            let went = run(&mut Tokens::new(allowance, 100, start), start, 600);
            let most = most_in_any(allowance.per, &went);
            let allowed = allowance.amount as usize;
            assert!(most <= allowed, "{}: {most} in a minute", allowance.name);
            assert!(
                went.len() * 110 >= allowed * 10 * 100,
                "{}: {} in ten minutes is more than 1.1 × too slow",
                allowance.name,
                went.len()
            );
        }
    }

    /// Ten a second, by timers that wake late, over a network that is not even.
    #[test]
    fn a_small_allowance_is_used_evenly_and_what_went_late_is_made_up_for() {
        const TEN: Allowance = Allowance {
            name: "requests a second",
            amount: 10,
            per: Duration::from_secs(1),
        };
        let start = Instant::now();
        let mut tokens = Tokens::new(&TEN, 100, start);
        let mut late = (0..).map(|n: u64| Duration::from_millis(n * 7919 % 10));
        let (mut now, mut went) = (start, Vec::new());
        while now < start + Duration::from_secs(100) {
            match tokens.take(1, now) {
                Ok(()) => went.push(now - start),
                Err(wait) => now += wait + late.next().unwrap_or_default(),
            }
        }
        assert!(went.len() >= 940, "{} of 1,000", went.len());
        // By the time that the platform counts them, some have taken longer.
        let mut longer = (0..).map(|n: u64| Duration::from_millis(n * 104_729 % 40));
        let came: Vec<Duration> = went
            .iter()
            .map(|at| *at + longer.next().unwrap_or_default())
            .collect();
        let most = most_in_any(TEN.per, &came);
        assert!(most <= 10, "{most} in a second");
    }

    #[test]
    fn a_part_of_the_quota_is_a_part_and_a_fast_clock_is_fast() {
        let start = Instant::now();
        let count = |percent| run(&mut Tokens::new(&QUOTA.allowances[1], percent, start), start, 120).len();
        let (half, whole, fast) = (count(50), count(100), count(600));
        assert!(half * 2 <= whole + 2, "{half} {whole}");
        assert!((whole * 11 / 2..=whole * 6).contains(&fast), "{whole} {fast}");
    }

    #[test]
    fn a_throttle_slows_down_once_and_passes() {
        let start = Instant::now();
        let pace = Pace::new(&QUOTA, 100, start);
        for _ in 0..5 {
            pace.observed(
                Hint::Throttled {
                    after: Some(Duration::from_secs(7)),
                },
                start,
            );
        }
        assert_eq!(pace.hold(), HOLD, "five at once count as one");
        let mut tokens = locked(&pace.lanes[1].tokens).clone();
        assert!((tokens.speed - SLOWER).abs() < 1e-9);
        assert!(tokens.take(1, start).is_err(), "nothing is left for a burst");
        let slow = run(&mut tokens.clone(), start, 10).len();
        let later = start + Duration::from_secs(180);
        tokens.refill(later);
        tokens.has = 0.0;
        let full = run(&mut tokens, later, 10).len();
        assert!(slow < full, "{slow} {full}");
        // The platform still says no: twice as long each time, and never longer than it told.
        let (mut now, mut holds) = (start, Vec::new());
        for _ in 0..5 {
            now += pace.hold();
            let after = Some(Duration::from_secs(7));
            pace.observed(Hint::Throttled { after }, now);
            holds.push(pace.hold().as_secs());
        }
        assert_eq!(holds, [2, 4, 7, 7, 7]);
        pace.observed(Hint::Served, now);
        assert_eq!(pace.hold().as_secs(), 7, "that call was on its way");
        now += pace.hold();
        pace.observed(Hint::Served, now);
        pace.observed(Hint::Throttled { after: None }, now);
        assert_eq!(pace.hold(), HOLD, "that was another trouble");
    }

    #[test]
    fn what_others_used_is_not_there_for_us() {
        let start = Instant::now();
        let mut tokens = Tokens::new(&QUOTA.allowances[1], 100, start);
        tokens.used(50.0, start);
        assert!(tokens.take(1, start).is_ok(), "there is plenty");
        let wait = |percent| {
            let mut tokens = tokens.clone();
            tokens.used(percent, start);
            tokens.take(1, start).err().unwrap_or_default().as_secs()
        };
        assert_eq!((wait(90.0), wait(95.0)), (0, 0));
        assert!((10..25).contains(&wait(99.0)), "{}", wait(99.0));
        assert!((30..40).contains(&wait(100.0)), "{}", wait(100.0));
        tokens.has = 0.0;
        tokens.used(10.0, start);
        assert!(tokens.take(1, start).is_err(), "it is never raised, only lowered");
    }

    #[test]
    fn another_tier_is_another_allowance() {
        let start = Instant::now();
        let pace = Pace::new(&QUOTA, 100, start);
        pace.observed(
            Hint::Allows {
                name: "requests",
                amount: 60,
            },
            start,
        );
        let mut tokens = locked(&pace.lanes[1].tokens).clone();
        let went = run(&mut tokens, start, 120);
        assert!(
            most_in_any(Duration::from_secs(60), &went) <= 60,
            "{}",
            went.len()
        );
    }

    #[tokio::test]
    async fn callers_wait_their_turn_and_no_longer_than_their_patience() {
        let paces = Paces::new(BTreeMap::from([("p".to_owned(), 1000)]));
        let pace = paces.of("p", "1", &QUOTA);
        let cost = [("writes", 1), ("requests", 1), ("unheard-of", 1)];
        let patience = Duration::from_secs(5);
        // Seven at once, then 23.75 a second.
        let began = Instant::now();
        let all = (0..19).map(|_| pace.go(&cost, patience));
        for gone in futures::future::join_all(all).await {
            gone.expect("within patience");
        }
        let took = began.elapsed();
        assert!(
            took > Duration::from_millis(400) && took < Duration::from_secs(3),
            "{took:?}"
        );
        let refused = pace.go(&[("writes", 7)], Duration::from_millis(20)).await;
        assert!(
            matches!(refused, Err(TooLong { after }) if after > Duration::from_millis(20)),
            "{refused:?}"
        );
        assert!(
            Arc::ptr_eq(&pace, &paces.of("p", "1", &QUOTA)),
            "one account has one pace"
        );
        assert!(paces.of("p", "2", &QUOTA).go(&cost, Duration::ZERO).await.is_ok());
    }

    #[tokio::test]
    async fn a_hold_is_told_at_once_and_turns_are_counted() {
        let paces = Paces::default();
        let pace = paces.of("p", "1", &QUOTA);
        pace.observe(Hint::Throttled { after: None });
        let refused = pace.go(&[("requests", 1)], Duration::from_millis(100)).await;
        assert!(
            matches!(refused, Err(TooLong { after }) if after > Duration::from_millis(500)),
            "{refused:?}"
        );
        let (one, two) = (pace.turn().await, pace.turn().await);
        let third = tokio::time::timeout(Duration::from_millis(20), pace.turn()).await;
        assert!(third.is_err(), "two legs are under way");
        drop(one);
        assert!(pace.turn().await.is_some());
        drop(two);
    }
}
