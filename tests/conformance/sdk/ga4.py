"""`google-analytics-admin` and `google-analytics-data` against the sandbox, over their REST transports.

The service only reads there, so that is what is driven: a property, its streams, key events and links, and reports.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.analytics.admin_v1beta import AnalyticsAdminServiceClient
from google.analytics.admin_v1beta.services.analytics_admin_service.transports import AnalyticsAdminServiceRestTransport
from google.analytics.data_v1beta import BetaAnalyticsDataClient
from google.analytics.data_v1beta.services.beta_analytics_data.transports import BetaAnalyticsDataRestTransport
from google.analytics.data_v1beta.types import DateRange, Dimension, Filter, FilterExpression, Metric, RunReportRequest
from google.api_core import exceptions

from sandbox import Sandbox
from sdk import Steps
from sdk.google import place, tokens

_PROPERTY = "properties/360012345"


def _admin(sandbox: Sandbox, token: str | None = None) -> AnalyticsAdminServiceClient:
    return AnalyticsAdminServiceClient(transport=AnalyticsAdminServiceRestTransport(**place(sandbox, "ga4-admin", token)))


def _data(sandbox: Sandbox, token: str | None = None) -> BetaAnalyticsDataClient:
    return BetaAnalyticsDataClient(transport=BetaAnalyticsDataRestTransport(**place(sandbox, "ga4-data", token)))


def _report(metric: str = "eventCount") -> RunReportRequest:
    names = Filter.InListFilter(values=["page_view", "purchase"])
    return RunReportRequest(
        property=_PROPERTY,
        date_ranges=[DateRange(start_date="yesterday", end_date="today")],
        dimensions=[Dimension(name="eventName")],
        metrics=[Metric(name=metric)],
        dimension_filter=FilterExpression(filter=Filter(field_name="eventName", in_list_filter=names)),
        return_property_quota=True,
    )


def drive(sandbox: Sandbox, steps: Steps) -> None:
    """Everything that the tracking check reads, then the errors."""
    admin, data = _admin(sandbox), _data(sandbox)
    steps.does("read a property", lambda: admin.get_property(name=_PROPERTY), lambda p: p.name == _PROPERTY and p.time_zone)
    steps.does(
        "list its streams",
        lambda: list(admin.list_data_streams(parent=_PROPERTY)),
        lambda all: any(s.web_stream_data.measurement_id.startswith("G-") for s in all),
    )
    steps.does("list its key events", lambda: [e.event_name for e in admin.list_key_events(parent=_PROPERTY)], bool)
    steps.does("list its Ads links", lambda: list(admin.list_google_ads_links(parent=_PROPERTY)))
    steps.does(
        "run a report",
        lambda: data.run_report(_report()),
        lambda r: r.metric_headers[0].name == "eventCount" and r.property_quota.tokens_per_day.remaining > 0,
    )
    _errors(sandbox, steps, admin, data)


def _errors(sandbox: Sandbox, steps: Steps, admin: AnalyticsAdminServiceClient, data: BetaAnalyticsDataClient) -> None:
    def status(wanted: str) -> Callable[[Any], bool]:
        return lambda error: error.response.json()["error"]["status"] == wanted

    invalid = status("INVALID_ARGUMENT")
    steps.refused("a metric that is none", lambda: data.run_report(_report("evntCount")), exceptions.BadRequest, invalid)
    sandbox.world(ga4={"properties/1": "no_access"})
    no_access = status("PERMISSION_DENIED")
    steps.refused("no access", lambda: admin.get_property(name="properties/1"), exceptions.Forbidden, no_access)
    sandbox.fault(vendor="ga4-data", method="runReport", status=429)
    exhausted = status("RESOURCE_EXHAUSTED")
    steps.refused("out of quota", lambda: data.run_report(_report()), exceptions.TooManyRequests, exhausted)
    tokens(sandbox, steps, "ga4-admin", lambda token: _admin(sandbox, token).get_property(name=_PROPERTY))
