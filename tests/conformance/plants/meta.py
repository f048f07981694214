"""Mistakes in what is sent to Meta."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from plants import Plant, Spoil, before
from records import Request


def _set(name: str, value: Any) -> Spoil:
    """Gives a form field another value, or adds it."""
    text = value if isinstance(value, str) else json.dumps(value)

    def spoil(request: Request) -> None:
        assert request.form is not None
        request.form = [(n, v) for n, v in request.form if n != name] + [(name, text)]

    return spoil


def _without(name: str) -> Spoil:
    def spoil(request: Request) -> None:
        assert request.form is not None
        request.form = [(n, v) for n, v in request.form if n != name]

    return spoil


def _renamed(name: str, to: str) -> Spoil:
    def spoil(request: Request) -> None:
        assert request.form is not None
        request.form = [(to if n == name else n, v) for n, v in request.form]

    return spoil


def _inside(name: str, change: Callable[[Any], None]) -> Spoil:
    """Changes the JSON inside a form field."""

    def spoil(request: Request) -> None:
        assert request.form is not None
        value = json.loads(dict(request.form)[name])
        change(value)
        _set(name, value)(request)

    return spoil


def _all(*spoils: Spoil) -> Spoil:
    def spoil(request: Request) -> None:
        for one in spoils:
            one(request)

    return spoil


def _with(*names: str) -> Callable[[Request], bool]:
    return lambda request: set(names) <= {name for name, _ in request.form or []}


def _text(name: str, text: str) -> Callable[[Request], bool]:
    return lambda request: dict(request.form or []).get(name) == text


def _query(name: str, value: str) -> Spoil:
    def spoil(request: Request) -> None:
        request.query = [(n, v) for n, v in request.query if n != name] + [(name, value)]

    return spoil


def _post(**fields: str) -> Spoil:
    """The same path, with a form instead of whatever it was."""

    def spoil(request: Request) -> None:
        request.http_method, request.form, request.query = "POST", list(fields.items()), []

    return spoil


def _as_json(request: Request) -> None:
    request.json, request.form = dict(request.form or []), None


def _as_removal(request: Request) -> Request:
    request.http_method, request.form = "DELETE", None
    return request


def _as_archival(request: Request) -> Request:
    _set("status", "ARCHIVED")(request)
    return request


def _plant(name: str, method: str, spoil: Spoil, by: str, where: Callable[[Request], bool] = lambda _: True) -> Plant:
    return Plant(name, "meta", f"meta.{method}", spoil, by, where)


def _rule(rule: str, method: str, spoil: Spoil, because: str, where: Callable[[Request], bool] = lambda _: True) -> Plant:
    return Plant(rule.replace("-", " "), "meta", f"meta.{method}", spoil, "sandbox", where, because, f"meta.{rule}")


_PAST = "2020-01-01T00:00:00Z"

PLANTS = [
    # What the definitions know.
    _plant("a misspelt field", "campaigns.create", _renamed("objective", "objektive"), "definitions"),
    _plant("a wrong enum", "campaigns.create", _set("objective", "OUTCOME_FAME"), "definitions"),
    _plant("a wrong bid strategy", "campaigns.create", _set("bid_strategy", "CHEAPEST"), "definitions"),
    _plant(
        "a budget that is a float",
        "campaigns.create",
        _set("daily_budget", "120.00"),
        "definitions",
        _with("daily_budget"),
    ),
    _plant("a camel-case key", "adsets.create", _renamed("billing_event", "billingEvent"), "definitions"),
    _plant("a wrong enum within a list", "campaigns.create", _set("special_ad_categories", ["GAMBLING"]), "definitions"),
    _plant("a list that is none", "campaigns.create", _set("special_ad_categories", "NONE"), "definitions"),
    _plant(
        "a misspelt field within targeting",
        "adsets.create",
        _inside("targeting", lambda t: t.update(geo_location=t.pop("geo_locations"))),
        "definitions",
    ),
    _plant("an age that is a text", "adsets.create", _inside("targeting", lambda t: t.update(age_min="x")), "definitions"),
    _plant("targeting that is no JSON", "adsets.create", _set("targeting", "{countries: DE}"), "definitions"),
    _plant("a time of another format", "adsets.create", _set("start_time", "01.12.2036"), "definitions"),
    _plant(
        "a misspelt field within a creative",
        "adcreatives.create",
        _inside("object_story_spec", lambda s: s["link_data"].update(lnk=s["link_data"].pop("link"))),
        "definitions",
        lambda r: "link_data" in dict(r.form or []).get("object_story_spec", ""),
    ),
    _plant(
        "a call to action that is none",
        "adcreatives.create",
        _inside("object_story_spec", lambda s: s["link_data"]["call_to_action"].update(type="BUY_IT")),
        "definitions",
        lambda r: (
            "call_to_action" in dict(r.form or []).get("object_story_spec", "")
            and "link_data" in dict(r.form or [])["object_story_spec"]
        ),
    ),
    _plant("a status that is none", "campaigns.update", _set("status", "ENABLED"), "definitions", _with("status")),
    _plant("a field to read that is none", "campaigns.get", _query("fields", "id,nmae"), "definitions"),
    _plant("a field of a creative that is none", "ads.list", _query("fields", "id,creative{id,url_tag}"), "definitions"),
    _plant(
        "an edge that is none",
        "ads.create",
        lambda r: setattr(r, "path", r.path.replace("/ads", "/adds")),
        "definitions",
    ),
    _plant(
        "a dead version of the API",
        "campaigns.create",
        lambda r: setattr(r, "path", r.path.replace("v26.0", "v19.0")),
        "definitions",
    ),
    _plant(
        "JSON instead of a form",
        "campaigns.create",
        _as_json,
        "definitions",
    ),
    # What the owner demands.
    _plant("a campaign made ACTIVE", "campaigns.create", _set("status", "ACTIVE"), "demands"),
    _plant("an ad set made ACTIVE", "adsets.create", _set("status", "ACTIVE"), "demands"),
    _plant("an ad without a status", "ads.create", _without("status"), "demands"),
    _plant("a creative without utm_campaign", "adcreatives.create", _set("url_tags", "utm_source=facebook"), "demands"),
    # What only prose says.
    _rule("special-ad-categories-required", "campaigns.create", _without("special_ad_categories"), "special_ad_categories"),
    _rule("legacy-objectives-closed", "campaigns.create", _set("objective", "LINK_CLICKS"), "objective"),
    _rule("first-status-active-or-paused", "campaigns.create", _set("status", "ARCHIVED"), "during creation"),
    _rule("budget-floor", "campaigns.create", _set("daily_budget", "1"), "1885272", _with("daily_budget")),
    _rule(
        "one-budget-period",
        "campaigns.create",
        _set("lifetime_budget", "100000"),
        "lifetime_budget",
        _with("daily_budget"),
    ),
    _rule(
        "sharing-stated-without-campaign-budget",
        "campaigns.create",
        _all(_without("daily_budget"), _without("bid_strategy")),
        "4834011",
        _with("daily_budget"),
    ),
    _rule(
        "no-sharing-with-campaign-budget",
        "campaigns.create",
        _set("is_adset_budget_sharing_enabled", "true"),
        "4834002",
        _with("daily_budget"),
    ),
    _rule("spend-cap-floor", "campaigns.create", _set("spend_cap", "1"), "2446307"),
    _rule(
        "budget-on-one-level",
        "adsets.create",
        _set("daily_budget", "5000"),
        "1885621",
        lambda r: "daily_budget" not in dict(r.form or []),
    ),
    _rule(
        "end-not-in-the-past",
        "adsets.create",
        _all(_set("start_time", _PAST), _set("end_time", _PAST)),
        "1487033",
        _with("end_time"),
    ),
    _rule(
        "end-after-start",
        "adsets.create",
        _all(_set("start_time", "2036-01-02T00:00:00Z"), _set("end_time", "2036-01-01T00:00:00Z")),
        "after the start",
        _with("end_time"),
    ),
    _rule("dsa-payor-in-the-eu", "adsets.create", _without("dsa_payor"), "3858152", _with("dsa_payor")),
    _rule("dsa-beneficiary-in-the-eu", "adsets.create", _without("dsa_beneficiary"), "3858152", _with("dsa_beneficiary")),
    _rule("cap-needs-a-bid", "adsets.create", _set("bid_strategy", "COST_CAP"), "bid_amount"),
    _rule("a-place-or-an-audience", "adsets.create", _set("targeting", {"age_min": 18}), "1885364"),
    _rule("ages-13-to-65", "adsets.create", _inside("targeting", lambda t: t.update(age_min=12)), "between 13 and 65"),
    _rule(
        "frequency-cap-only-for-reach",
        "adsets.create",
        _set("frequency_control_specs", [{"event": "IMPRESSIONS", "interval_days": 7, "max_frequency": 3}]),
        "REACH and THRUPLAY",
    ),
    _rule("parent-must-exist", "adsets.create", _set("campaign_id", "1"), "does not exist"),
    _rule("creatives-are-immutable", "adcreatives.delete", _post(url_tags="a=b"), "url_tags"),
    Plant(
        "a deleted campaign is set active",
        "meta",
        "meta.campaigns.update",
        lambda request: None,
        "sandbox",
        _text("status", "ACTIVE"),
        first=before(_as_removal),
        because="1487566",
        rule="meta.deleted-is-final",
    ),
    Plant(
        "an archived campaign is set active",
        "meta",
        "meta.campaigns.update",
        lambda request: None,
        "sandbox",
        _text("status", "ACTIVE"),
        first=before(_as_archival),
        because="1885088",
        rule="meta.archived-cannot-return",
    ),
    Plant(
        "a list of what is deleted",
        "meta",
        "meta.campaigns.list",
        _query("effective_status", '["DELETED"]'),
        "sandbox",
        because="1815001",
        rule="meta.deleted-is-not-listed",
    ),
]
