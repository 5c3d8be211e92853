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

    def refuse_guessing(self, client: str, *, is_wrong: bool = False) -> None:
        """Refuse a client that has given too many wrong tokens, right ones too; `is_wrong` counts another.

        Raises
        ------
        ProblemError
            There were too many within a minute.
        """
        if is_wrong:
            self._window.hit(self._of_client, "token", client)
        elif not self._window.test(self._of_client, "token", client):
            raise _too_many()

    def check(self, client: str, name: str) -> None:
        """Count an attempt.

        Raises
        ------
        ProblemError
            There were too many within a minute.
        """
        is_free = self._window.hit(self._of_client, "client", client)
        if not (self._window.hit(self._of_name, "name", name, client) and is_free):
            raise _too_many()


def _too_many() -> ProblemError:
    return ProblemError(429, "too many attempts: try again in a minute", {"Retry-After": "60"})
