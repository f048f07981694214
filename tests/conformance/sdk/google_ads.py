"""Google Ads: requests built from the `google-ads` package's messages, answers read into them.

The package's own client speaks gRPC only, so that it cannot call a REST server. What is left of it is what matters here: its
messages say what is sent and read every answer, strictly.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from google.ads.googleads.v26.errors.types.errors import GoogleAdsFailure
from google.ads.googleads.v26.services.types import campaign_service, customer_service, google_ads_service
from google.protobuf import json_format

from sandbox import Sandbox
from sdk import Steps

_CUSTOMER = "1234567890"


class Refusal(Exception):
    """What the package's client would raise as a `GoogleAdsException`: a failure that could be read."""

    def __init__(self, status: int, failure: Any) -> None:
        """Keeps the HTTP status and the parsed failure."""
        super().__init__(f"{status}: {failure}")
        self.status, self.failure = status, failure

    def codes(self) -> list[str]:
        """`campaign_error.DUPLICATE_CAMPAIGN_NAME`."""
        errors = GoogleAdsFailure.pb(self.failure).errors
        read = [json_format.MessageToDict(error.error_code, preserving_proto_field_name=True) for error in errors]
        return [f"{family}.{code}" for each in read for family, code in each.items()]


class Client:
    """The REST interface with the package's messages on both sides."""

    def __init__(self, sandbox: Sandbox, token: str = "sandbox-token-conformance") -> None:
        """Speaks to this sandbox with this token."""
        self._base, self._token = f"{sandbox.url}/google-ads/v26", token

    def call(self, path: str, request: Any, response: Any) -> Any:
        """Sends a message as JSON and reads the answer into another; unknown fields in it are an error."""
        body = json_format.MessageToDict(type(request).pb(request))
        # The customer stands in the path.
        body.pop("customerId", None)
        sent = urllib.request.Request(
            f"{self._base}/customers/{_CUSTOMER}{path}",
            data=json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self._token}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(sent, timeout=10) as answer:
                content = json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refusal(error.code, _failure(json.load(error))) from None
        message = response()
        json_format.ParseDict(content, response.pb(message), ignore_unknown_fields=False)
        return message

    def mutate(self, *operations: dict, **options: Any) -> Any:
        """`googleAds:mutate`, atomic."""
        request = google_ads_service.MutateGoogleAdsRequest(
            customer_id=_CUSTOMER, mutate_operations=list(operations), **options
        )
        return self.call("/googleAds:mutate", request, google_ads_service.MutateGoogleAdsResponse)

    def search(self, query: str) -> list[Any]:
        """`googleAds:search`."""
        request = google_ads_service.SearchGoogleAdsRequest(customer_id=_CUSTOMER, query=query)
        return list(self.call("/googleAds:search", request, google_ads_service.SearchGoogleAdsResponse).results)


def _failure(body: dict[str, Any]) -> Any:
    error = body["error"]
    if not isinstance(error["code"], int) or not isinstance(error["status"], str):
        raise TypeError(f"not an error as Google sends it: {body}")
    failure = GoogleAdsFailure()
    for detail in error.get("details", []):
        if detail["@type"].endswith("GoogleAdsFailure"):
            fields = {k: v for k, v in detail.items() if k != "@type"}
            json_format.ParseDict(fields, GoogleAdsFailure.pb(failure), ignore_unknown_fields=False)
    return failure


def _tree() -> list[dict]:
    base = f"customers/{_CUSTOMER}"
    campaign, group = f"{base}/campaigns/-2", f"{base}/adGroups/-3"
    return [
        {
            "campaign_budget_operation": {
                "create": {
                    "resource_name": f"{base}/campaignBudgets/-1",
                    "name": "SDK budget",
                    "amount_micros": 50_000_000,
                    "delivery_method": "STANDARD",
                    "explicitly_shared": False,
                }
            }
        },
        {
            "campaign_operation": {
                "create": {
                    "resource_name": campaign,
                    "name": "SDK campaign",
                    "status": "PAUSED",
                    "advertising_channel_type": "SEARCH",
                    "campaign_budget": f"{base}/campaignBudgets/-1",
                    "manual_cpc": {},
                    "network_settings": {"target_google_search": True},
                    "contains_eu_political_advertising": "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING",
                }
            }
        },
        {
            "ad_group_operation": {
                "create": {
                    "resource_name": group,
                    "name": "SDK ad group",
                    "status": "PAUSED",
                    "campaign": campaign,
                    "type_": "SEARCH_STANDARD",
                    "cpc_bid_micros": 1_200_000,
                }
            }
        },
        {
            "ad_group_criterion_operation": {
                "create": {
                    "ad_group": group,
                    "status": "ENABLED",
                    "keyword": {"text": "running shoes", "match_type": "PHRASE"},
                }
            }
        },
        {
            "ad_group_ad_operation": {
                "create": {
                    "ad_group": group,
                    "status": "PAUSED",
                    "ad": {
                        "final_urls": ["https://shop.acme.example/"],
                        "responsive_search_ad": {
                            "headlines": [{"text": t} for t in ("Light shoes", "Fast shoes", "Shoes of air")],
                            "descriptions": [{"text": t} for t in ("Light as air.", "Spring is here.")],
                        },
                    },
                }
            }
        },
    ]


def drive(sandbox: Sandbox, steps: Steps) -> None:
    """One campaign from its making to its end, then the errors."""
    client = Client(sandbox)
    steps.does("validate only", lambda: client.mutate(*_tree(), validate_only=True), lambda r: not r.mutate_operation_responses)
    made = steps.does(
        "create a campaign whole", lambda: client.mutate(*_tree()), lambda r: len(r.mutate_operation_responses) == 5
    )
    answers = [google_ads_service.MutateOperationResponse.pb(r).ListFields()[0] for r in made.mutate_operation_responses]
    campaign = next(result.resource_name for field, result in answers if field.name == "campaign_result")
    by_name = (
        "SELECT campaign.resource_name, campaign.id, campaign.name, campaign.status, campaign.primary_status, "
        "campaign_budget.amount_micros FROM campaign WHERE campaign.name = 'SDK campaign' AND campaign.status != 'REMOVED'"
    )
    steps.does(
        "find it by name",
        lambda: client.search(by_name),
        lambda rows: [r.campaign.resource_name for r in rows] == [campaign],
    )
    of_campaign = f"WHERE campaign.resource_name = '{campaign}'"
    steps.does(
        "read its ads",
        lambda: client.search(
            "SELECT ad_group_ad.resource_name, ad_group_ad.status, ad_group_ad.policy_summary.approval_status, "
            f"ad_group_ad.ad.responsive_search_ad.headlines FROM ad_group_ad {of_campaign}"
        ),
        lambda rows: len(rows) == 1 and len(rows[0].ad_group_ad.ad.responsive_search_ad.headlines) == 3,
    )
    steps.does(
        "read its keywords",
        lambda: client.search(f"SELECT ad_group_criterion.keyword.text FROM ad_group_criterion {of_campaign}"),
        lambda rows: [r.ad_group_criterion.keyword.text for r in rows] == ["running shoes"],
    )
    _changes(client, steps, campaign, by_name)
    _errors(sandbox, client, steps)


def _update(resource: dict, mask: str) -> dict:
    return {"campaign_operation": {"update": resource, "update_mask": {"paths": mask.split(",")}}}


def _changes(client: Client, steps: Steps, campaign: str, by_name: str) -> None:
    for status in ("ENABLED", "PAUSED"):
        steps.does(
            f"set it {status}",
            lambda s=status: client.mutate(_update({"resource_name": campaign, "status": s}, "status")),
        )
        steps.does("read its status", lambda: client.search(by_name), lambda rows, s=status: rows[0].campaign.status.name == s)
    steps.does(
        "rename it through the campaign service",
        lambda: client.call(
            "/campaigns:mutate",
            campaign_service.MutateCampaignsRequest(
                customer_id=_CUSTOMER,
                operations=[
                    {
                        "update": {"resource_name": campaign, "name": "SDK campaign 2"},
                        "update_mask": {"paths": ["name"]},
                    }
                ],
            ),
            campaign_service.MutateCampaignsResponse,
        ),
        lambda r: r.results[0].resource_name == campaign,
    )
    steps.does(
        "turn auto-tagging on",
        lambda: client.call(
            ":mutate",
            customer_service.MutateCustomerRequest(
                customer_id=_CUSTOMER,
                operation={
                    "update": {"resource_name": f"customers/{_CUSTOMER}", "auto_tagging_enabled": True},
                    "update_mask": {"paths": ["auto_tagging_enabled"]},
                },
            ),
            customer_service.MutateCustomerResponse,
        ),
    )
    steps.does("remove it", lambda: client.mutate({"campaign_operation": {"remove": campaign}}))
    steps.does(
        "it is gone from look-ups",
        lambda: client.search(by_name.replace("SDK campaign", "SDK campaign 2")),
        lambda rows: not rows,
    )
    partial = steps.does(
        "partial failure",
        lambda: client.mutate(
            _tree()[0], _update({"resource_name": campaign, "status": "PAUSED"}, "status"), partial_failure=True
        ),
        lambda r: r.partial_failure_error.code == 3,
    )
    steps.does(
        "its details read",
        lambda: partial.partial_failure_error.details[0].type_url,
        lambda u: u.endswith("GoogleAdsFailure"),
    )


def _errors(sandbox: Sandbox, client: Client, steps: Steps) -> None:
    def code(wanted: str) -> Callable[[Any], bool]:
        return lambda refusal: wanted in refusal.codes()

    def spoilt(**changes: Any) -> Callable[[], Any]:
        tree = _tree()
        tree[1]["campaign_operation"]["create"].update(changes)
        tree[0]["campaign_budget_operation"]["create"]["name"] = "SDK budget 2"
        return lambda: client.mutate(*tree)

    steps.refused("no EU declaration", spoilt(contains_eu_political_advertising=0), Refusal, code("field_error.REQUIRED"))
    steps.refused("no budget", spoilt(campaign_budget=""), Refusal, lambda r: r.status == 400 and r.codes())
    steps.refused(
        "a query that does not read",
        lambda: client.search("SELECT campaign.nme FROM campaign"),
        Refusal,
        lambda r: r.status == 400 and r.codes(),
    )
    gone = {"resource_name": f"customers/{_CUSTOMER}/campaigns/1", "status": "PAUSED"}
    steps.refused(
        "an object that never was",
        lambda: client.mutate(_update(gone, "status")),
        Refusal,
        code("mutate_error.RESOURCE_NOT_FOUND"),
    )
    sandbox.fault(vendor="google-ads", method="mutate", error="quotaError.RESOURCE_TEMPORARILY_EXHAUSTED")
    steps.refused(
        "throttled",
        spoilt(),
        Refusal,
        lambda r: r.status == 429 and r.failure.errors[0].details.quota_error_details.retry_delay.seconds > 0,
    )
    sandbox.fault(vendor="google-ads", method="mutate", error="databaseError.CONCURRENT_MODIFICATION")
    steps.refused("changed by somebody else meanwhile", spoilt(), Refusal, code("database_error.CONCURRENT_MODIFICATION"))
    stranger = Client(sandbox, "nobody's")
    steps.refused(
        "a token that is not valid",
        lambda: stranger.search("SELECT customer.id FROM customer"),
        Refusal,
        lambda r: r.status == 401,
    )
    sandbox.world(token_expired={"google-ads": 1})
    steps.refused(
        "an expired token",
        lambda: client.search("SELECT customer.id FROM customer"),
        Refusal,
        lambda r: r.status == 401,
    )
