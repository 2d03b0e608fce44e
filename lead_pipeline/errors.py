"""What can go wrong, by what the caller does about it.

    LeadPipelineError
    ├── ConfigurationError          stop: the user has to change a setting
    │   └── ProviderNotInstalled    a provider that this installation does not have
    ├── RetryableError              ask again, a bounded number of times
    │   ├── MalformedPage           the server answered, but not with a page
    │   └── StoreUnavailable        a team's database or object store does not answer
    ├── QuotaExhausted              save the checkpoint and come back later
    ├── CrawlError                  stop this crawl, keep what has landed
    │   ├── AccessRefused           401, 403: the key or its rights
    │   ├── RequestRefused          any other 4xx: asking again is useless
    │   │   └── CursorRefused       400 on a page other than the first
    │   ├── PaginationStuck         the pages lead nowhere
    │   ├── DoubtfulCrawl           far less came than ever before
    │   ├── Fenced                  another worker has taken the crawl over
    │   └── WrongTenant           the key showed another tenant's records
    ├── ErasureIncomplete           persons who are erased in part: the same command goes on
    ├── LoadError                   landed files that cannot be loaded
    ├── PublishError                a build that must not reach readers
    └── LakeError                   a publication that the lake has not taken

Messages say what happened, where, and what to do. They never hold a secret, a
record, or a response body; of what a library says, `lead_pipeline.causes` knows
what is safe. Reasons for rejecting one record are not exceptions that travel:
they are values, see `lead_pipeline.landing.records`.
"""

from __future__ import annotations


class LeadPipelineError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigurationError(LeadPipelineError):
    """A setting is missing or wrong. The message names the variable and the remedy."""


class ProviderNotInstalled(ConfigurationError, KeyError):
    """A provider that neither this package nor an installed one has."""

    def __init__(self, slug: str, installed: tuple[str, ...]) -> None:
        super().__init__(
            f"There is no provider {slug!r}; installed are {', '.join(installed)}. Install the "
            "package that brings it."
        )

    def __str__(self) -> str:
        # KeyError would show the message in quotes.
        return str(self.args[0])


class RetryableError(LeadPipelineError):
    """A request that may succeed when asked again: connection, timeout, 5xx, 429.

    `retry_after` is how long the server's answer makes us wait, in seconds, or None.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MalformedPage(RetryableError):
    """A 200 that is not the documented page: HTML, cut off, too large, other keys, oddly packed."""


class StoreUnavailable(RetryableError):
    """A team's database or object store does not answer. Nothing is lost; the same can be run again."""


class QuotaExhausted(LeadPipelineError):
    """The quota refills only after the longest single wait allowed; `seconds` from now."""

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class CrawlError(LeadPipelineError):
    """A crawl that cannot continue. What has landed stays landed."""


class AccessRefused(CrawlError):
    """The server does not accept the key, or the key lacks the right (401, 403)."""


class RequestRefused(CrawlError):
    """The server will not answer this request however often it is asked (other 4xx, 3xx)."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class CursorRefused(CrawlError):
    """A cursor that the server once gave is no longer taken (400)."""


class PaginationStuck(CrawlError):
    """A repeated cursor, or pages without anything new: following them would never end."""


class DoubtfulCrawl(CrawlError):
    """A crawl came to its end with far less than those before it; it lands and proves nothing."""


class Fenced(CrawlError):
    """Another worker has taken over what this one was writing: it must write nothing more.

    What this one has landed stays landed, and the other one goes on from there.
    """


class WrongTenant(CrawlError):
    """Records of another tenant came back; they were rejected, all others landed.

    `crawl_id` names the crawl, which is complete for all other records.
    """

    def __init__(self, message: str, *, crawl_id: str) -> None:
        super().__init__(message)
        self.crawl_id = crawl_id


class ErasureIncomplete(LeadPipelineError):
    """An erasure that is not complete. The message says what is left and how to go on."""


class LoadError(LeadPipelineError):
    """Landed files that the normalized tables cannot be built from."""


class PublishError(LeadPipelineError):
    """A candidate that readers must not see; the last published file stays."""


class LakeError(LeadPipelineError):
    """A publication that the lake has not taken; readers of the file have it."""
