"""Google's Merchant API clients against the sandbox, over their REST transports.

The service only reads there: accounts and their issues, product statuses, data sources and their uploads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.api_core import exceptions
from google.shopping.merchant_accounts_v1 import AccountIssueServiceClient, AccountsServiceClient
from google.shopping.merchant_accounts_v1.services.account_issue_service.transports import AccountIssueServiceRestTransport
from google.shopping.merchant_accounts_v1.services.accounts_service.transports import AccountsServiceRestTransport
from google.shopping.merchant_datasources_v1 import DataSourcesServiceClient, FileUploadsServiceClient
from google.shopping.merchant_datasources_v1.services.data_sources_service.transports import DataSourcesServiceRestTransport
from google.shopping.merchant_datasources_v1.services.file_uploads_service.transports import FileUploadsServiceRestTransport
from google.shopping.merchant_issueresolution_v1 import (
    AggregateProductStatusesServiceClient,
    ListAggregateProductStatusesRequest,
)
from google.shopping.merchant_issueresolution_v1.services.aggregate_product_statuses_service.transports import (
    AggregateProductStatusesServiceRestTransport,
)

from sandbox import Sandbox
from sdk import Steps
from sdk.google import place, tokens

_ACCOUNT = "accounts/5"


def drive(sandbox: Sandbox, steps: Steps) -> None:
    """Everything that the check of a feed reads, then the errors."""
    where = place(sandbox, "merchant")
    accounts = AccountsServiceClient(transport=AccountsServiceRestTransport(**where))
    issues = AccountIssueServiceClient(transport=AccountIssueServiceRestTransport(**where))
    statuses = AggregateProductStatusesServiceClient(transport=AggregateProductStatusesServiceRestTransport(**where))
    sources = DataSourcesServiceClient(transport=DataSourcesServiceRestTransport(**where))
    uploads = FileUploadsServiceClient(transport=FileUploadsServiceRestTransport(**where))
    steps.does("read an account", lambda: accounts.get_account(name=_ACCOUNT), lambda a: a.name == _ACCOUNT)
    steps.does("list its issues", lambda: list(issues.list_account_issues(parent=_ACCOUNT)))
    steps.does(
        "list product statuses of a country",
        lambda: list(
            statuses.list_aggregate_product_statuses(
                ListAggregateProductStatusesRequest(
                    parent=_ACCOUNT, filter='reporting_context = "SHOPPING_ADS" AND country = "DE"', page_size=250
                )
            )
        ),
        lambda all_: all(s.country == "DE" and s.stats.active_count > 0 for s in all_) and bool(all_),
    )
    found = steps.does("list data sources", lambda: list(sources.list_data_sources(parent=_ACCOUNT)), bool)
    # The API knows uploads of file sources only.
    files = [source for source in found if "file_input" in source]
    steps.does(
        "read a source's latest upload",
        lambda: uploads.get_file_upload(name=f"{files[0].name}/fileUploads/latest"),
        lambda u: u.processing_state.name == "SUCCEEDED",
    )
    _errors(sandbox, steps, issues, statuses)


def _errors(
    sandbox: Sandbox, steps: Steps, issues: AccountIssueServiceClient, statuses: AggregateProductStatusesServiceClient
) -> None:
    def status(wanted: str) -> Callable[[Any], bool]:
        return lambda error: error.response.json()["error"]["status"] == wanted

    steps.refused(
        "an account that is no number",
        lambda: list(issues.list_account_issues(parent="accounts/five")),
        exceptions.BadRequest,
        status("INVALID_ARGUMENT"),
    )
    steps.refused(
        "a filter that does not read",
        lambda: list(
            statuses.list_aggregate_product_statuses(ListAggregateProductStatusesRequest(parent=_ACCOUNT, filter="country ~ 1"))
        ),
        exceptions.BadRequest,
        status("INVALID_ARGUMENT"),
    )
    sandbox.fault(vendor="merchant", method="issues.list", status=429)
    steps.refused(
        "throttled",
        lambda: list(issues.list_account_issues(parent=_ACCOUNT)),
        exceptions.TooManyRequests,
        lambda e: e.code == 429,
    )

    def again(token: str | None) -> Any:
        transport = AccountsServiceRestTransport(**place(sandbox, "merchant", token))
        return AccountsServiceClient(transport=transport).get_account(name=_ACCOUNT)

    tokens(sandbox, steps, "merchant", again)
