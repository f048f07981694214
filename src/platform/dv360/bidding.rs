//! How a line item bids and what its insertion order is measured by. Pure.
//!
//! Must not guess: a strategy that the plan's words do not determine is refused with what is missing. Sources:
//! reference/rest/v4/BiddingStrategy and `Kpi` in reference/rest/v4/advertisers.insertionOrders.

use crate::domain::money::{Currency, Money};
use crate::domain::plan::Bidding;
use crate::domain::spec::LegSpec;
use crate::platform::Problem;
use serde_json::{Value, json};

/// "Smaller than or equal to the upper limit 1000000000."
const HIGHEST_BID: i64 = 1_000_000_000;

/// What a campaign is measured by: DV360's kinds, their spelling in the plan, and whether a campaign's own goal knows them.
const KPIS: &[(&str, &str, bool)] = &[
    ("cpm", "CPM", true),
    ("cpc", "CPC", true),
    ("cpa", "CPA", true),
    ("cpiavc", "CPIAVC", true),
    ("vcpm", "VCPM", false),
];

/// A goal, found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Goal {
    kind: &'static str,
    known_to_campaigns: bool,
    amount: Money,
}

fn problem(pointer: &str, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
    Problem {
        pointer: pointer.to_owned(),
        what: what.into(),
        remedy: remedy.into(),
    }
}

/// The goal of the plan, or the one that its strategy implies.
pub(super) fn goal(bidding: &Bidding) -> Result<Goal, Problem> {
    let (given, amount) = match (&bidding.kpi, bidding.target_cpa, bidding.bid) {
        (Some(kpi), ..) => (kpi.kind.as_str(), kpi.amount),
        (None, Some(cpa), _) => ("cpa", cpa),
        (None, None, Some(bid)) if bidding.strategy == "fixed" => ("cpm", bid),
        (None, None, _) => {
            return Err(problem(
                "/bidding/kpi",
                "DV360 measures every insertion order by a goal",
                "say it as bidding.kpi: {type: cpm, cpc, cpa, cpiavc or vcpm, amount}",
            ));
        }
    };
    let Some((_, kind, known_to_campaigns)) = KPIS.iter().find(|(name, ..)| *name == given) else {
        return Err(problem(
            "/bidding/kpi/type",
            format!("DV360 has no goal {given:?} that is an amount of money"),
            "use cpm, cpc, cpa, cpiavc or vcpm",
        ));
    };
    if amount.micros <= 0 {
        return Err(problem(
            "/bidding/kpi/amount",
            "a goal of nothing",
            "use an amount above zero",
        ));
    }
    Ok(Goal {
        kind,
        known_to_campaigns: *known_to_campaigns,
        amount,
    })
}

impl Goal {
    /// `InsertionOrder.kpi`.
    pub(super) fn kpi(&self) -> Value {
        json!({ "kpiType": format!("KPI_TYPE_{}", self.kind), "kpiAmountMicros": self.amount.micros.to_string() })
    }

    /// `Campaign.campaignGoal.performanceGoal`.
    pub(super) fn of_campaign(&self) -> Value {
        if self.known_to_campaigns {
            json!({ "performanceGoalType": format!("PERFORMANCE_GOAL_TYPE_{}", self.kind),
                "performanceGoalAmountMicros": self.amount.micros.to_string() })
        } else {
            json!({ "performanceGoalType": "PERFORMANCE_GOAL_TYPE_OTHER",
                "performanceGoalString": format!("{} {}", self.kind, self.amount) })
        }
    }

    /// Whether it counts conversions.
    pub(super) fn counts_conversions(&self) -> bool {
        self.kind == "CPA"
    }
}

/// Above nothing, not above the highest, and whole billable units of the currency (the smallest that ISO 4217 gives it).
fn amount(money: Money, pointer: &str) -> Result<String, Problem> {
    let unit = billable_unit(money.currency);
    if (unit..=HIGHEST_BID).contains(&money.micros) {
        return Ok(money.micros.to_string());
    }
    let most = Money::from_micros(HIGHEST_BID, money.currency);
    Err(problem(
        pointer,
        format!("DV360 takes bids of up to {most}, and not {money}"),
        "use an amount in between",
    ))
}

/// The smallest amount that is billed, in micros.
pub(super) fn billable_unit(currency: Currency) -> i64 {
    10_i64.pow(6_u32.saturating_sub(currency.exponent()))
}

/// `LineItem.bidStrategy`.
pub(super) fn strategy(spec: &LegSpec) -> Result<Value, Problem> {
    let bidding = &spec.campaign.bidding;
    if bidding.target_roas_micros.is_some() {
        return Err(problem(
            "/bidding/target_roas",
            "DV360 bids for a return only with a custom bidding algorithm",
            "use performance_goal with a kpi of type cpa, or take it out",
        ));
    }
    let cap = || match bidding.bid {
        Some(bid) => amount(bid, "/bidding/bid").map(Some),
        None => Ok(None),
    };
    match bidding.strategy.as_str() {
        "fixed" => match bidding.bid {
            Some(bid) => Ok(json!({ "fixedBid": { "bidAmountMicros": amount(bid, "/bidding/bid")? } })),
            None => Err(problem(
                "/bidding/bid",
                "a fixed bid needs a bid",
                "say the CPM as bidding.bid",
            )),
        },
        "maximize_spend" => {
            let goal = goal(bidding)?;
            let video = spec.campaign.channel.as_deref() == Some("video");
            let kind = match goal.kind {
                "CPA" => "CPA",
                "CPC" => "CPC",
                "VCPM" => "AV_VIEWED",
                "CPIAVC" if video => "CIVA",
                _ => {
                    let allowed = if video {
                        "cpa, cpc, vcpm or cpiavc"
                    } else {
                        "cpa, cpc or vcpm"
                    };
                    return Err(problem(
                        "/bidding/kpi/type",
                        format!(
                            "maximize_spend does not bid for {} here",
                            goal.kind.to_lowercase()
                        ),
                        format!("use a kpi of type {allowed}, or strategy fixed"),
                    ));
                }
            };
            Ok(auto("maximizeSpendAutoBid", kind, None, cap()?))
        }
        "performance_goal" => {
            let goal = goal(bidding)?;
            let (kind, cap) = match goal.kind {
                "CPA" | "CPC" => (goal.kind, cap()?),
                "VCPM" if bidding.bid.is_none() => ("VIEWABLE_CPM", None),
                "VCPM" => {
                    return Err(problem(
                        "/bidding/bid",
                        "a viewable CPM takes no ceiling",
                        "take the bid out",
                    ));
                }
                _ => {
                    return Err(problem(
                        "/bidding/kpi/type",
                        format!("performance_goal does not bid for {}", goal.kind.to_lowercase()),
                        "use a kpi of type cpa, cpc or vcpm, or strategy fixed",
                    ));
                }
            };
            Ok(auto(
                "performanceGoalAutoBid",
                kind,
                Some(goal.amount.micros.to_string()),
                cap,
            ))
        }
        other => Err(problem(
            "/bidding/strategy",
            format!("DV360 does not know {other:?}"),
            "use fixed, maximize_spend or performance_goal",
        )),
    }
}

fn auto(field: &str, kind: &str, goal: Option<String>, cap: Option<String>) -> Value {
    let kind = format!("BIDDING_STRATEGY_PERFORMANCE_GOAL_TYPE_{kind}");
    let mut bid = json!({ "performanceGoalType": kind });
    if let Some(goal) = goal {
        bid["performanceGoalAmountMicros"] = goal.into();
    }
    if let Some(cap) = cap {
        bid["maxAverageCpmBidAmountMicros"] = cap.into();
    }
    json!({ field: bid })
}
