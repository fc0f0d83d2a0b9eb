"""HTTP to the daemon: over its unix socket, or TCP with the token. httpx is imported when first needed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from blockedge_node.cli.failures import Failed, TimedOut, of_problem
from blockedge_node.errors import BlockEdgeError, Unreachable

if TYPE_CHECKING:
    import httpx

ANSWER = 30.0  # seconds for an ordinary answer
HEARTBEAT = 15.0  # between two words of a node that has nothing to tell
CHAIN_ANSWER = 180.0  # for one that waits until a transaction is confirmed


class Client:
    """Calls of one command. `target` is a socket's path or an http URL; `timeout` in seconds or None."""

    def __init__(self, target: str, *, token: str = "", timeout: float | None = None) -> None:
        import httpx

        self.target = target
        self._timeout = timeout
        self._httpx = httpx
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if target.startswith(("http://", "https://")):
            self._http = httpx.Client(base_url=target, headers=headers)
        else:
            # Nothing to verify on a unix socket, and loading the system's certificates takes 60 ms a command.
            transport = httpx.HTTPTransport(uds=target, verify=False)
            self._http = httpx.Client(transport=transport, base_url="http://blockedge", headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        return self._call("GET", path, params=params).json()

    def post(
        self, path: str, body: Any = None, *, wait: float = ANSWER, headers: Mapping[str, str] | None = None
    ) -> Any:
        return self._call("POST", path, json=body, wait=wait, headers=headers).json()

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path).json()

    def upload(self, data: bytes | Path) -> str:
        """Store a blob; a file is streamed. Returns its root."""
        if isinstance(data, Path):
            with data.open("rb") as file:
                answer = self._call("POST", "/api/v1/blobs", content=file, wait=CHAIN_ANSWER)
        else:
            answer = self._call("POST", "/api/v1/blobs", content=data, wait=CHAIN_ANSWER)
        return str(answer.json()["root"])

    def download(self, path: str, **params: Any) -> Iterator[bytes]:
        """The body in chunks. Raises like every other call, before the first chunk."""
        with (
            self._translated(),
            self._http.stream("GET", path, params=params, timeout=self._limit(ANSWER)) as answer,
        ):
            if answer.status_code >= 400:
                answer.read()
                self._check(answer)
            yield from answer.iter_bytes()

    @contextmanager
    def follow(self) -> Iterator[Iterator[dict[str, Any] | None]]:
        """The node's events from now on, server-sent; None for every while in which nothing happened."""
        limit = self._httpx.Timeout(ANSWER, read=2 * HEARTBEAT)
        with self._translated(), self._http.stream("GET", "/api/v1/events", timeout=limit) as answer:
            if answer.status_code >= 400:
                answer.read()
                self._check(answer)
            yield _events(answer.iter_lines())

    def _call(self, method: str, path: str, *, wait: float = ANSWER, **request: Any) -> httpx.Response:
        with self._translated():
            answer = self._http.request(method, path, timeout=self._limit(wait), **request)
        self._check(answer)
        return answer

    def _limit(self, wait: float) -> float:
        return wait if self._timeout is None else self._timeout

    def _translated(self) -> _Translated:
        return _Translated(self._httpx, self.target)

    @staticmethod
    def _check(answer: httpx.Response) -> None:
        if answer.status_code < 400:
            return
        try:
            problem = answer.json()
        except ValueError:
            raise Failed(f"http-{answer.status_code}", f"the node answered {answer.status_code}") from None
        raise of_problem(problem)


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any] | None]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))
        elif line.startswith(":"):
            yield None


class _Translated:
    """httpx's errors as ours: a sentence and an exit code."""

    def __init__(self, httpx_module: Any, target: str) -> None:
        self._httpx = httpx_module
        self._target = target
        self._since = time.monotonic()

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        translated = None if error is None else self._translate(error)
        if translated is not None:
            raise translated from None

    def _translate(self, error: BaseException) -> BlockEdgeError | None:
        if isinstance(error, self._httpx.ConnectError | self._httpx.ConnectTimeout):
            return Unreachable(
                f"no daemon answers at {self._target}: start one with `blockedge-node run`, or point --api at it"
            )
        if isinstance(error, self._httpx.TimeoutException):
            waited = time.monotonic() - self._since
            return TimedOut(
                f"the daemon at {self._target} did not answer within {waited:.0f} s: see --timeout"
            )
        if isinstance(error, self._httpx.TransportError | self._httpx.InvalidURL):
            return Unreachable(f"the daemon at {self._target} broke off: {error or type(error).__name__}")
        return None
