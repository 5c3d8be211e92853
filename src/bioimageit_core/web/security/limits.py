"""How often one may try to sign in."""

from __future__ import annotations

from bioimageit_core.web.problems import ProblemError

__all__ = ["LoginLimiter"]


class LoginLimiter:
    """Counts attempts of each client and for each name, in a window that moves.

    Parameters
    ----------
    per_minute
        Attempts for one name; a client may make four times as many in all.
    """

    def __init__(self, per_minute: int) -> None:
        from limits import RateLimitItemPerMinute
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._of_name = RateLimitItemPerMinute(per_minute)
        self._of_client = RateLimitItemPerMinute(4 * per_minute)

    def check(self, client: str, name: str) -> None:
        """Count an attempt.

        Raises
        ------
        ProblemError
            There were too many within a minute.
        """
        is_free = self._window.hit(self._of_client, "client", client)
        if not (self._window.hit(self._of_name, "name", name, client) and is_free):
            raise ProblemError(429, "too many attempts: try again in a minute", {"Retry-After": "60"})
