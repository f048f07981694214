"""The sandbox as a process of its own: started on a free port, told what to be like, ended.

Must not know any vendor; only `/control/*` is spoken here.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from records import REDACTED, Request

_REPOSITORY = Path(__file__).resolve().parents[2]
_BINARY = _REPOSITORY / "target" / "debug" / "campaign-execution"
_BOUNDARY = "conformance"


class Sandbox:
    """A running sandbox; use it as a context manager."""

    def __init__(self, record: Path | None = None) -> None:
        """With a `record`, every request is also written to a file in that folder."""
        self._record = record
        self._process: subprocess.Popen[str] | None = None
        #: `http://127.0.0.1:1234`.
        self.url = ""

    def __enter__(self) -> Sandbox:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CAMPAIGN_EXECUTION_")}
        if self._record is not None:
            environment["CAMPAIGN_EXECUTION_SANDBOX_RECORD"] = str(self._record)
        command = [str(_BINARY), "sandbox", "--listen", "127.0.0.1:0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said.startswith("sandbox: http://"):
            raise RuntimeError(f"the sandbox did not start: {said!r}")
        self.url = said.split()[1].rsplit("/", 1)[0]
        self._process.stdout.readline()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call of `/control/…`."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/control/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def world(self, **switches: Any) -> None:
        """Sets switches of the world."""
        self.control("POST", "world", switches)

    def fault(self, **fault: Any) -> None:
        """Arms one fault that strikes once."""
        self.control("POST", "faults", {"times": 1, **fault})

    def mend(self) -> None:
        """Disarms every fault."""
        self.control("DELETE", "faults")

    def reset(self) -> None:
        """An empty world again."""
        self.control("POST", "reset")

    def send(self, request: Request, token: str) -> Request:
        """Sends a request as it stands, with this token where its credentials were, and gives it back with its answer."""
        query = [(name, value) for name, value in request.query if value != REDACTED]
        url = f"{self.url}/{request.vendor}{request.path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        data, headers = _body(request)
        kept = {"login-customer-id", "accept"}
        headers |= {k: v for k, v in request.headers.items() if k in kept}
        headers |= {"access-token": token, "authorization": f"Bearer {token}"}
        sent = urllib.request.Request(url, data=data, headers=headers, method=request.http_method)
        try:
            with urllib.request.urlopen(sent, timeout=10) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        try:
            parsed = json.loads(content)
        except ValueError:
            parsed = None
        return replace(request, status=status, answer=parsed)


def _body(request: Request) -> tuple[bytes | None, dict[str, str]]:
    """A body's bytes and the header that says what they are."""
    if request.json is not None:
        return json.dumps(request.json).encode(), {"content-type": "application/json"}
    if request.form is not None:
        fields = [(name, value) for name, value in request.form if value != REDACTED]
        return urllib.parse.urlencode(fields).encode(), {"content-type": "application/x-www-form-urlencoded"}
    if request.parts is not None:
        return _multipart(request.parts), {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
    return None, {}


def _multipart(parts: list[dict[str, Any]]) -> bytes:
    """A multipart body again; a file's content, which the record leaves out, is as many zeros."""
    pieces = []
    for part in parts:
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{part["name"]}"'
        if "filename" in part:
            head += f'; filename="{part["filename"]}"\r\nContent-Type: application/octet-stream'
        content = bytes(part["bytes"]) if "bytes" in part else part["text"].encode()
        pieces.append(head.encode() + b"\r\n\r\n" + content + b"\r\n")
    return b"".join(pieces) + f"--{_BOUNDARY}--\r\n".encode()
