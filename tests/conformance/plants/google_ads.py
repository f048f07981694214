"""Mistakes in Google Ads mutates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plants import Plant, Spoil, before
from records import Request


def operations(request: Request, kind: str, verb: str) -> list[dict[str, Any]]:
    """A kind of operation in a mutate, with what it does."""
    found = [o[f"{kind}Operation"] for o in request.json.get("mutateOperations", []) if f"{kind}Operation" in o]
    return [operation for operation in found if verb in operation]


def _has(kind: str, verb: str) -> Callable[[Request], bool]:
    return lambda request: bool(operations(request, kind, verb))


def change(kind: str, edit: Callable[[dict[str, Any]], Any], verb: str = "create") -> Spoil:
    """Changes the resource of the first such operation."""

    def spoil(request: Request) -> None:
        edit(operations(request, kind, verb)[0][verb])

    return spoil


def _set(kind: str, **fields: Any) -> Spoil:
    def edit(resource: dict[str, Any]) -> None:
        for name, value in fields.items():
            resource[name.rstrip("_")] = value

    return change(kind, edit)


def _without(kind: str, field: str) -> Spoil:
    return change(kind, lambda resource: resource.pop(field))


def _renamed(kind: str, field: str, to: str) -> Spoil:
    return change(kind, lambda resource: resource.update({to: resource.pop(field)}))


def _mask(mask: str | None) -> Spoil:
    def spoil(request: Request) -> None:
        operation = operations(request, "campaign", "update")[0]
        if mask is None:
            del operation["updateMask"]
        else:
            operation["updateMask"] = mask

    return spoil


def _twice(kind: str) -> Spoil:
    def spoil(request: Request) -> None:
        operations = request.json["mutateOperations"]
        first = next(o for o in operations if f"{kind}Operation" in o)
        operations.insert(operations.index(first) + 1, {k: {**v, "create": dict(v["create"])} for k, v in first.items()})

    return spoil


def _texts(field: str, texts: list[str]) -> Spoil:
    def edit(resource: dict[str, Any]) -> None:
        resource["ad"]["responsiveSearchAd"][field] = [{"text": text} for text in texts]

    return change("adGroupAd", edit)


def _at(kind: str, edit: Callable[[list[dict[str, Any]], int], None]) -> Spoil:
    """Changes the list of operations at the first of a kind."""

    def spoil(request: Request) -> None:
        every = request.json["mutateOperations"]
        edit(every, next(n for n, o in enumerate(every) if f"{kind}Operation" in o))

    return spoil


def _also(kind: str, field: str, value: Any) -> Spoil:
    """An update that changes one more field, with its mask."""

    def spoil(request: Request) -> None:
        operation = operations(request, kind, "update")[0]
        operation["update"][field] = value
        operation["updateMask"] += f",{field}"

    return spoil


def _removal(request: Request) -> Request:
    """The removal of what the request updates."""
    name = operations(request, "campaign", "update")[0]["update"]["resourceName"]
    request.json["mutateOperations"] = [{"campaignOperation": {"remove": name}}]
    return request


def _only_the_campaign_again(request: Request) -> None:
    """The same campaign once more; its budget and label have other names."""
    for kind in ("campaignBudget", "label"):
        for operation in operations(request, kind, "create"):
            operation["create"]["name"] += " 2"


def _ad_group_twice(operations: list[dict[str, Any]], at: int) -> None:
    group = operations[at]["adGroupOperation"]["create"]
    again = {**group, "resourceName": "customers/1234567890/adGroups/-999"}
    operations.insert(at + 1, {"adGroupOperation": {"create": again}})


def _sets(kind: str) -> Callable[[Request], bool]:
    """An update that sends a value: one that only takes one away has nothing that a mask could leave out."""

    def check(request: Request) -> bool:
        return any(len(operation["update"]) > 1 for operation in operations(request, kind, "update")[:1])

    return check


def _create(name: str, kind: str, spoil: Spoil, by: str, because: str = "", rule: str = "") -> Plant:
    return Plant(name, "google-ads", "google-ads.mutate", spoil, by, _has(kind, "create"), because, rule)


def _update(name: str, spoil: Spoil, by: str) -> Plant:
    return Plant(name, "google-ads", "google-ads.mutate", spoil, by, _sets("campaign"))


def _rule(rule: str, kind: str, spoil: Spoil, because: str) -> Plant:
    return _create(
        rule.split(".", 1)[1].replace("-", " "), kind, spoil, "sandbox", because, f"google-ads.{rule.split('.', 1)[1]}"
    )


def _overlong(key: str) -> Spoil:
    def edit(resource: dict[str, Any]) -> None:
        resource["urlCustomParameters"] = [{"key": key, "value": "1"}]

    return change("campaign", edit)


def _query(query: str) -> Spoil:
    def spoil(request: Request) -> None:
        request.json["query"] = query

    return spoil


def _final_url(url: str) -> Spoil:
    return change("adGroupAd", lambda resource: resource["ad"].update(finalUrls=[url]))


def _path2_alone(resource: dict[str, Any]) -> None:
    resource["ad"]["responsiveSearchAd"].pop("path1", None)
    resource["ad"]["responsiveSearchAd"]["path2"] = "shoes"


_LONG = "This headline has more than thirty characters"

PLANTS = [
    # What the definitions know.
    _create("a misspelt field", "campaign", _renamed("campaign", "finalUrlSuffix", "finalUrlSufix"), "definitions"),
    _create("a snake-case key", "campaign", _renamed("campaign", "campaignBudget", "campaign_budget"), "definitions"),
    _create("a wrong enum", "campaign", _set("campaign", status="ACTIVE"), "definitions"),
    _create("a budget that is a float", "campaignBudget", _set("campaignBudget", amountMicros=12.5), "definitions"),
    _create("a field of an older version", "campaign", _renamed("campaign", "startDateTime", "startDate"), "definitions"),
    _create(
        "two bidding strategies",
        "campaign",
        _set("campaign", manualCpc={}, maximizeConversions={}, targetSpend={}),
        "definitions",
    ),
    _create(
        "the operations of another method",
        "campaign",
        lambda request: request.json.update(operations=request.json.pop("mutateOperations")),
        "definitions",
    ),
    _create("the customer in the body", "campaign", lambda request: request.json.update(customerId="1"), "definitions"),
    _create(
        "a mask on a create",
        "campaign",
        lambda request: operations(request, "campaign", "create")[0].update(updateMask="name"),
        "definitions",
    ),
    _update("an update without a mask", _mask(None), "definitions"),
    _update("a mask that names an unknown field", _mask("statuss"), "definitions"),
    _update("a mask in snake case", _mask("campaign_budget"), "definitions"),
    _update("a mask that leaves out what is sent", _mask("name"), "definitions"),
    Plant(
        "a query for a field that is none",
        "google-ads",
        "google-ads.search",
        _query("SELECT campaign.nme FROM campaign"),
        "definitions",
    ),
    Plant(
        "a dead version of the API",
        "google-ads",
        "google-ads.search",
        lambda request: setattr(request, "path", request.path.replace("/v26/", "/v22/")),
        "definitions",
    ),
    # What the owner demands.
    _create("a campaign made enabled", "campaign", _set("campaign", status="ENABLED"), "demands"),
    _create("a campaign without a status", "campaign", _without("campaign", "status"), "demands"),
    _create("a utm_ in the suffix", "campaign", _set("campaign", finalUrlSuffix="utm_source=google"), "demands"),
    _create("a utm_ in a final URL", "adGroupAd", _final_url("https://shop.acme.example/?utm_medium=cpc"), "demands"),
    # What only prose says.
    _rule("google-ads.eu-declaration", "campaign", _without("campaign", "containsEuPoliticalAdvertising"), "REQUIRED"),
    _rule("google-ads.name-without-newline", "campaign", _set("campaign", name="a\nb"), "INVALID_CAMPAIGN_NAME"),
    _rule("google-ads.duplicate-budget-name", "campaignBudget", _twice("campaignBudget"), "DUPLICATE"),
    _rule("google-ads.duplicate-label-name", "label", _twice("label"), "DUPLICATE"),
    _rule("google-ads.rsa-three-headlines", "adGroupAd", _texts("headlines", ["One", "Two"]), "TOO_FEW"),
    _rule("google-ads.rsa-fifteen-headlines", "adGroupAd", _texts("headlines", [f"No {n}" for n in range(16)]), "TOO_MANY"),
    _rule("google-ads.rsa-headline-thirty", "adGroupAd", _texts("headlines", ["One", "Two", _LONG]), "TOO_LONG"),
    _rule("google-ads.rsa-two-descriptions", "adGroupAd", _texts("descriptions", ["One."]), "TOO_FEW"),
    _rule("google-ads.rsa-four-descriptions", "adGroupAd", _texts("descriptions", [f"No {n}." for n in range(5)]), "TOO_MANY"),
    _rule("google-ads.rsa-description-ninety", "adGroupAd", _texts("descriptions", ["One.", "x" * 91]), "TOO_LONG"),
    _rule("google-ads.rsa-unique-texts", "adGroupAd", _texts("headlines", ["One", "One", "Two"]), "DUPLICATE_ASSET"),
    _rule(
        "google-ads.budget-whole-unit",
        "campaignBudget",
        _set("campaignBudget", amountMicros="12345678"),
        "NON_MULTIPLE_OF_MINIMUM_CURRENCY_UNIT",
    ),
    _rule(
        "google-ads.dates-on-the-day",
        "campaign",
        _set("campaign", endDateTime="2036-01-01 12:00:00"),
        "DATE_RANGE_ERROR",
    ),
    _rule(
        "google-ads.end-after-start",
        "campaign",
        _set("campaign", startDateTime="2036-01-02 00:00:00", endDateTime="2036-01-01 23:59:59"),
        "START_DATE_AFTER_END_DATE",
    ),
    _rule(
        "google-ads.no-past-dates",
        "campaign",
        _set("campaign", startDateTime="2020-01-01 00:00:00"),
        "CANNOT_SET_DATE_TO_PAST",
    ),
    _rule("google-ads.parameter-key-sixteen", "campaign", _overlong("k" * 17), "URL_CUSTOM_PARAMETER"),
    _rule(
        "google-ads.suffix-without-question-mark",
        "campaign",
        _set("campaign", finalUrlSuffix="?kcid={_kcid}"),
        "FINAL_URL_SUFFIX",
    ),
    _rule(
        "google-ads.final-url-required",
        "adGroupAd",
        change("adGroupAd", lambda r: r["ad"].pop("finalUrls")),
        "REQUIRED",
    ),
    _rule(
        "google-ads.keyword-eighty",
        "adGroupCriterion",
        _set("adGroupCriterion", keyword={"text": "x" * 81, "matchType": "EXACT"}),
        "KEYWORD",
    ),
    _rule(
        "google-ads.keyword-ten-words",
        "adGroupCriterion",
        _set("adGroupCriterion", keyword={"text": "a b c d e f g h i j k", "matchType": "EXACT"}),
        "KEYWORD",
    ),
    _rule(
        "google-ads.no-positive-id-at-create",
        "campaign",
        _set("campaign", resourceName="customers/1234567890/campaigns/2"),
        "CANNOT_SET_ID_FOR_CREATE",
    ),
    _rule(
        "google-ads.temporary-id-before-use",
        "campaignBudget",
        _at("campaignBudget", lambda all, n: all.append(all.pop(n))),
        "RESOURCE_NOT_FOUND",
    ),
    _rule("google-ads.duplicate-ad-group-name", "adGroup", _at("adGroup", _ad_group_twice), "DUPLICATE_ADGROUP_NAME"),
    _rule(
        "google-ads.parameter-value-200",
        "campaign",
        _set("campaign", urlCustomParameters=[{"key": "kcid", "value": "x" * 201}]),
        "TOO_LONG",
    ),
    _rule(
        "google-ads.path2-needs-path1",
        "adGroupAd",
        change("adGroupAd", _path2_alone),
        "CANNOT_SET_PATH2_WITHOUT_PATH1",
    ),
    Plant(
        "a campaign's name once more",
        "google-ads",
        "google-ads.mutate",
        _only_the_campaign_again,
        "sandbox",
        _has("campaign", "create"),
        first=before(lambda request: request),
        because="DUPLICATE_CAMPAIGN_NAME",
        rule="google-ads.duplicate-campaign-name",
    ),
    Plant(
        "a removed campaign is changed",
        "google-ads",
        "google-ads.mutate",
        lambda request: None,
        "sandbox",
        _has("campaign", "update"),
        first=before(_removal),
        because="OPERATION_NOT_PERMITTED_FOR_REMOVED_RESOURCE",
        rule="google-ads.removed-is-final",
    ),
    Plant(
        "another channel for a campaign",
        "google-ads",
        "google-ads.mutate",
        _also("campaign", "advertisingChannelType", "DISPLAY"),
        "sandbox",
        _has("campaign", "update"),
        because="IMMUTABLE_FIELD",
        rule="google-ads.channel-immutable",
    ),
    Plant(
        "another period for a budget",
        "google-ads",
        "google-ads.mutate",
        _also("campaignBudget", "period", "CUSTOM_PERIOD"),
        "sandbox",
        _has("campaignBudget", "update"),
        because="IMMUTABLE_FIELD",
        rule="google-ads.budget-period-immutable",
    ),
    _rule(
        "google-ads.temporary-ids-once",
        "label",
        _set("label", resourceName="customers/1234567890/labels/-1"),
        "DUPLICATE_TEMP_IDS",
    ),
]
