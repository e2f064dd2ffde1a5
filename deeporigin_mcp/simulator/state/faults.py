"""Scheduled misbehaviour of the network, the proxy and the platform.

A rule is one line: a method (`*` for any), a path glob, then effects. Rules are tried in order and the first one that
fires decides a request.

    POST */executions status=504 html after=work times=1
    GET  */executions/* reset skip=2 times=1
    *    /data-platform/* delay=3
    GET  */executions* status=429 retry-after=7 times=2

| effect | meaning |
|---|---|
| `status=N` | answer N, with a JSON body in the platform's shape |
| `html` | make the body an nginx-like page (implies `status=502` when no status is given) |
| `delay=SECONDS` | answer later, simulated seconds |
| `reset` | reset the connection instead of answering |
| `half` | send the headers and half of the body, then close the connection |
| `retry-after=SECONDS` or `retry-after=date` | add the header; `date` is an HTTP date 5 s ahead (implies 429) |
| `after=work` | let the platform do the work first, so that only the answer is lost or replaced |
| `times=N` | fire N times, then never again |
| `skip=N` | let the first N matching requests pass |
| `every=N` | fire on every Nth matching request |
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from http import HTTPStatus

_FORM = (
    "METHOD PATH-GLOB EFFECT... with effects status=N, html, delay=SECONDS, reset, half, "
    "retry-after=SECONDS|date, after=work, times=N, skip=N, every=N; "
    "for example: POST */executions status=504 html after=work times=1"
)
_METHODS = {"*", "GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"}
RETRY_DATE_SECONDS = 5.0
"""How far ahead `retry-after=date` points."""


@dataclass(slots=True)
class FaultRule:
    """One rule and how often it has matched and fired; the fields are the effects of the grammar above."""

    method: str
    path: str
    status: int | None = None
    html: bool = False
    delay_seconds: float = 0.0
    reset: bool = False
    half: bool = False
    retry_after: str | None = None
    after_work: bool = False
    times: int | None = None
    skip: int = 0
    every: int = 1
    matched: int = 0
    fired: int = 0

    @property
    def replaces_answer(self) -> bool:
        """Whether the platform's own answer is not sent."""
        return self.status is not None

    def fires(self, method: str, path: str) -> bool:
        """Whether this request is hit; counts the match."""
        if self.method not in {"*", method} or not fnmatchcase(path, self.path):
            return False
        self.matched += 1
        if self.matched <= self.skip or (self.times is not None and self.fired >= self.times):
            return False
        if (self.matched - self.skip) % self.every:
            return False
        self.fired += 1
        return True

    def body(self) -> tuple[bytes, str]:
        """The replacing body and its content type."""
        status = self.status or 500
        phrase = HTTPStatus(status).phrase
        if self.html:
            page = (
                f"<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>\r\n"
                f"<center><h1>{status} {phrase}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
            )
            return page.encode(), "text/html"
        return f'{{"statusCode":{status},"message":"{phrase}"}}'.encode(), "application/json"

    def retry_after_header(self, now: datetime) -> str | None:
        """The header's value: seconds, or an HTTP date."""
        if self.retry_after == "date":
            return format_datetime(now + timedelta(seconds=RETRY_DATE_SECONDS), usegmt=True)
        return self.retry_after


def parse_fault(text: str) -> FaultRule:
    """Read one rule of the grammar in this module's docstring.

    Raises:
        ValueError: With the valid form.
    """
    words = text.split()
    if len(words) < 3:
        raise ValueError(f"a fault needs a method, a path and an effect, got {text!r}. The form is: {_FORM}")
    method, path, *effects = words
    if method.upper() not in _METHODS:
        raise ValueError(f"{method!r} is not a method. The form is: {_FORM}")
    rule = FaultRule(method.upper(), path)
    for effect in effects:
        name, _, value = effect.partition("=")
        try:
            rule = _with_effect(rule, name, value)
        except ValueError as error:
            raise ValueError(f"{effect!r} is not an effect. The form is: {_FORM}") from error
    if rule.status is None and rule.retry_after is not None:
        rule = replace(rule, status=429)
    if rule.status is None and rule.html:
        rule = replace(rule, status=502)
    if not (rule.status or rule.delay_seconds or rule.reset or rule.half):
        raise ValueError(f"{text!r} changes nothing. The form is: {_FORM}")
    return rule


def _with_effect(rule: FaultRule, name: str, value: str) -> FaultRule:
    match name, value:
        case "reset", "":
            return replace(rule, reset=True)
        case "half", "":
            return replace(rule, half=True)
        case "html", "":
            return replace(rule, html=True)
        case "after", "work":
            return replace(rule, after_work=True)
        case "status", _ if 200 <= int(value) <= 599:
            return replace(rule, status=int(value))
        case "delay", _ if float(value) >= 0:
            return replace(rule, delay_seconds=float(value))
        case "retry-after", _ if value == "date" or float(value) >= 0:
            return replace(rule, retry_after=value)
        case "times", _ if int(value) >= 1:
            return replace(rule, times=int(value))
        case "every", _ if int(value) >= 1:
            return replace(rule, every=int(value))
        case "skip", _ if int(value) >= 0:
            return replace(rule, skip=int(value))
        case _:
            raise ValueError(name)
