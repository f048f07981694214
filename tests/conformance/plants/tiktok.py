"""Mistakes in what is sent to TikTok."""

from __future__ import annotations

from collections.abc import Callable

from plants import Plant, Spoil, before
from plants.edits import both, drop, holds, put, query, rename
from records import Request
from sandbox import Sandbox


def _always(_: Request) -> bool:
    return True


def _plant(name: str, method: str, spoil: Spoil, by: str, where: Callable[[Request], bool] = _always) -> Plant:
    return Plant(name, "tiktok", f"tiktok.{method}", spoil, by, where)


def _rule(
    rule: str,
    method: str,
    spoil: Spoil,
    because: str,
    where: Callable[[Request], bool] = _always,
    first: Callable[[Sandbox, Request], None] | None = None,
) -> Plant:
    name = rule.replace("-", " ")
    return Plant(name, "tiktok", f"tiktok.{method}", spoil, "sandbox", where, because, f"tiktok.{rule}", first)


def _deleted(request: Request) -> Request:
    request.json["operation_status"] = "DELETE"
    return request


def _nothing(_: Request) -> None:
    """Sent as it was; the mistake lies in what came before."""


def _spent(sandbox: Sandbox, request: Request) -> None:
    """The campaign has spent more than its new budget."""
    sandbox.world(spend={request.json["campaign_id"]: "1000.00"})


PLANTS = [
    # What the definitions know.
    _plant("a misspelt field", "campaign.create", rename("objective_type", "objectve_type"), "definitions"),
    _plant("a camel-case key", "campaign.create", rename("campaign_name", "campaignName"), "definitions"),
    _plant("a missing field", "adgroup.create", drop("billing_event"), "definitions"),
    _plant("a budget that is a text", "campaign.create", put("budget", "80.00"), "definitions", holds("budget")),
    _plant("an id that is a number", "adgroup.create", put("campaign_id", 1800000000012500), "definitions"),
    _plant("request_id on an ad", "ad.create", put("request_id", "4611686018427387904"), "definitions"),
    _plant("a list that is none", "adgroup.create", put("location_ids", "2921044"), "definitions"),
    _plant("a misspelt field of a creative", "ad.create", rename("creatives.0.ad_text", "adtext"), "definitions"),
    _plant("a filter that is none", "campaign.get", query("filtering", '{"name":"a"}'), "definitions"),
    _plant("a filter that is no JSON", "campaign.get", query("filtering", "campaign_name=a"), "definitions"),
    _plant("no advertiser", "campaign.get", query("advertiser_id", None), "definitions"),
    _plant("a parameter that is none", "adgroup.get", query("pagesize", "10"), "definitions"),
    _plant(
        "a path without its slash",
        "campaign.create",
        lambda request: setattr(request, "path", request.path.rstrip("/")),
        "definitions",
    ),
    # What the owner demands.
    _plant("a campaign made ENABLE", "campaign.create", put("operation_status", "ENABLE"), "demands"),
    _plant("a campaign without a status", "campaign.create", drop("operation_status"), "demands"),
    _plant("an ad group without a status", "adgroup.create", drop("operation_status"), "demands"),
    _plant("an ad without a status", "ad.create", drop("creatives.0.operation_status"), "demands"),
    _plant(
        "an ad without utm_campaign",
        "ad.create",
        put("creatives.0.landing_page_url", "https://shop.acme.example/"),
        "demands",
        holds("creatives.0.landing_page_url"),
    ),
    # What only prose says.
    _rule("known-objectives", "campaign.create", put("objective_type", "CONVERSIONS_OLD"), "objective_type"),
    _rule("known-statuses", "campaign.create", put("operation_status", "PAUSED"), "operation_status"),
    _rule("known-goals", "adgroup.create", put("optimization_goal", "CLICKS"), "optimization_goal"),
    _rule(
        "goal-fixes-billing",
        "adgroup.create",
        put("billing_event", "CPM"),
        "billing_event",
        holds("optimization_goal", "CLICK"),
    ),
    _rule(
        "times-in-their-own-format", "adgroup.create", put("schedule_start_time", "2036-12-01T00:00:00Z"), "schedule_start_time"
    ),
    _rule(
        "end-after-start",
        "adgroup.create",
        both(put("schedule_start_time", "2036-12-02 00:00:00"), put("schedule_end_time", "2036-12-01 00:00:00")),
        "schedule_end_time",
        holds("schedule_type", "SCHEDULE_START_END"),
    ),
    _rule("campaign-budget-floor", "campaign.create", put("budget", 1), "at least", holds("budget")),
    _rule("budget-decimals", "campaign.create", put("budget", 80.005), "decimals", holds("budget")),
    _rule("budget-needs-an-amount", "campaign.create", drop("budget"), "budget", holds("budget_mode", "BUDGET_MODE_DAY")),
    _rule("names-without-emoji", "campaign.create", put("campaign_name", "spring 🌸"), "Emoji"),
    _rule("names-to-512", "campaign.create", put("campaign_name", "x" * 513), "512"),
    _rule("names-are-unique", "campaign.create", _nothing, "name", first=before(lambda request: request)),
    _rule("request-id-is-a-number", "campaign.create", put("request_id", "plan-7"), "request_id"),
    _rule("places-are-named", "adgroup.create", drop("location_ids"), "location_ids"),
    _rule("twenty-creatives-at-most", "ad.create", lambda r: r.json.update(creatives=r.json["creatives"] * 21), "creatives"),
    _rule("budget-105-percent-of-spend", "campaign.update", _nothing, "105%", holds("budget"), _spent),
    _rule("parents-exist", "adgroup.create", put("campaign_id", "1"), "campaign_id"),
    _rule(
        "deleted-is-final", "campaign.status.update", _nothing, "delete", holds("operation_status", "ENABLE"), before(_deleted)
    ),
    _rule(
        "ads-have-a-landing-page",
        "ad.create",
        drop("creatives.0.landing_page_url"),
        "landing_page_url",
        holds("creatives.0.landing_page_url"),
    ),
]
