"""What Google's clients have in common here: credentials of `google-auth` that are renewed at the sandbox's token endpoint.

So the token endpoint is judged as well, by the library that everybody uses. Must not hold a real credential.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials

from sandbox import Sandbox
from sdk import Steps


def credentials(sandbox: Sandbox, token: str | None = None) -> Credentials:
    """An authorized user's; without a token the first call fetches one."""
    return Credentials(
        token=token,
        refresh_token="conformance",
        token_uri=f"{sandbox.url}/oauth/token",
        client_id="conformance",
        client_secret="conformance",
    )


def place(sandbox: Sandbox, part: str, token: str | None = None) -> dict[str, Any]:
    """The arguments of a REST transport that point it at a part of the sandbox."""
    host = f"{sandbox.url.removeprefix('http://')}/{part}"
    return {"host": host, "url_scheme": "http", "credentials": credentials(sandbox, token)}


def tokens(sandbox: Sandbox, steps: Steps, vendor: str, call: Callable[[str | None], Any]) -> None:
    """What becomes of expired tokens and revoked grants; `call` makes a new client with a token and reads with it."""
    steps.does("a token that is not valid is renewed", lambda: call("nobody's"))
    sandbox.world(token_expired={vendor: 1})
    steps.does("an expired token is renewed", lambda: call("sandbox-token-conformance"))
    sandbox.world(revoke=["*"])
    steps.refused("a grant that was revoked", lambda: call(None), RefreshError, lambda e: "invalid_grant" in str(e))
    sandbox.world(restore_tokens=True)
