//! The buckets on clocks of their own, and callers on the real one.

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

impl Tokens {
    fn take(&mut self, cost: u32, now: Instant) -> Result<(), Duration> {
        match self.lasts(cost, now) {
            Duration::ZERO => {
                self.has -= f64::from(cost);
                Ok(())
            }
            wait => Err(wait),
        }
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
    let mut tokens = pace.lanes[1].tokens().clone();
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
    let mut tokens = pace.lanes[1].tokens().clone();
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

/// Calls that cost of two allowances go as evenly as each alone has them go, whoever goes in between.
#[tokio::test]
async fn what_is_taken_is_taken_when_the_call_goes() {
    const TWO: Quota = Quota {
        allowances: &[
            Allowance {
                name: "rare",
                amount: 5,
                per: Duration::from_secs(1),
            },
            Allowance {
                name: "all",
                amount: 10,
                per: Duration::from_secs(1),
            },
        ],
        legs_at_once: 20,
    };
    const FAST: u32 = 4;
    let paces = Paces::new(BTreeMap::from([("p".to_owned(), FAST * 100)]));
    let pace = &paces.of("p", "1", &TWO);
    let start = Instant::now();
    // In throngs of twelve: the rare ones come last, and wait until six others have gone.
    let calls = (0..60_u64).map(|n| async move {
        let rare = n % 12 >= 6;
        let cost: &[(&'static str, u32)] = if rare {
            &[("rare", 1), ("all", 1)]
        } else {
            &[("all", 1)]
        };
        tokio::time::sleep(Duration::from_millis(n / 12 * 320)).await;
        let asked = start.elapsed();
        let waited = pace
            .go(cost, Duration::from_secs(60))
            .await
            .expect("within patience");
        (rare, asked + waited)
    });
    let went = futures::future::join_all(calls).await;
    let second = Duration::from_secs(1) / FAST;
    for (name, most, all) in [("rare", 5, false), ("all", 10, true)] {
        let of = went.iter().filter(|(rare, _)| all || *rare).map(|(_, at)| *at);
        let seen = most_in_any(second, &of.collect::<Vec<_>>());
        assert!(seen <= most, "{name}: {seen} in a second");
    }
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
