"""Signing in by an OpenID Connect provider: the authorization code flow with PKCE, state and nonce, by Authlib."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bioimageit_core.web.security.users import is_user_name

if TYPE_CHECKING:
    from bioimageit_core.web.settings import OidcSettings

__all__ = ["FLOW_AGE", "FLOW_COOKIE", "Provider", "RefusedError"]

logger = logging.getLogger(__name__)

FLOW_COOKIE = "bioimageit-flow"
FLOW_AGE = 10 * 60  # seconds between leaving for the provider and coming back
_PATIENCE = 10.0  # seconds that the provider has for an answer


class RefusedError(Exception):
    """Somebody comes back from the provider, and is not let in.

    Attributes
    ----------
    reason
        ``failed``: the provider did not say who it is; ``stale``: this browser did not ask for it, or long ago.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Provider:
    """A provider, as its own metadata describe it (OpenID Connect Discovery 1.0).

    What must be remembered while somebody is there travels in a signed cookie of its own: the cookie of the session is
    ``SameSite=strict``, so browsers do not send it when another site leads back here.

    Parameters
    ----------
    secret
        What that cookie is signed with.
    """

    def __init__(self, settings: OidcSettings, secret: bytes) -> None:
        from itsdangerous import URLSafeTimedSerializer

        self._settings = settings
        self._signed = URLSafeTimedSerializer(secret, salt="provider")
        self._app: Any = None

    async def begin(self, callback: str) -> tuple[str, str]:
        """Return where to send somebody, and the cookie that he takes along.

        Raises
        ------
        RefusedError
            The provider cannot be asked.
        """
        try:
            app = await self._described()
            asked = await app.create_authorization_url(callback)
        except Exception as error:
            logger.warning("the provider cannot be asked: %s: %s", type(error).__name__, error)
            raise RefusedError("failed") from error
        kept = {name: asked[name] for name in ("state", "nonce", "code_verifier")}
        return str(asked["url"]), str(self._signed.dumps(kept))

    async def finish(self, cookie: str, told: Mapping[str, str], callback: str) -> str:
        """Return the name of whoever came back.

        Parameters
        ----------
        cookie
            That of `begin`.
        told
            Query parameters with which the provider sent him back.

        Raises
        ------
        RefusedError
            He did not leave from here with this browser, or the provider does not vouch for him.
        """
        from itsdangerous import BadData

        try:
            kept = self._signed.loads(cookie, max_age=FLOW_AGE)
        except BadData as error:
            raise RefusedError("stale") from error
        if not hmac.compare_digest(kept["state"].encode(), told.get("state", "").encode()):
            raise RefusedError("stale")
        if "code" not in told or told.get("iss", self._settings.issuer) != self._settings.issuer:  # RFC 9207
            logger.warning("the provider says %s", told.get("error", "nothing")[:100])
            raise RefusedError("failed")
        try:
            claims = await self._claims(told["code"], kept, callback)
        except Exception as error:
            logger.warning("the provider's answer is refused: %s: %s", type(error).__name__, error)
            raise RefusedError("failed") from error
        return self._name_in(claims)

    async def _claims(self, code: str, kept: Mapping[str, str], callback: str) -> Mapping[str, Any]:
        """Trade the code for an ID token, and check that: signature, issuer, audience, times, nonce."""
        app = await self._described()
        token = await app.fetch_access_token(redirect_uri=callback, code=code, code_verifier=kept["code_verifier"])
        expected = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
        }
        claims = await app.parse_id_token(token, nonce=kept["nonce"], claims_options=expected)
        if claims is None:
            raise ValueError("it has no ID token")
        if self._settings.claim not in claims and "userinfo_endpoint" in app.server_metadata:
            more = await app.userinfo(token=token)
            if more.get("sub") != claims["sub"]:
                raise ValueError("its user information is about somebody else")
            claims = {**more, **claims}
        return claims  # type: ignore[no-any-return]

    def _name_in(self, claims: Mapping[str, Any]) -> str:
        claim = self._settings.claim
        name = claims.get(claim)
        is_unproven = claim == "email" and claims.get("email_verified") is not True
        if not isinstance(name, str) or not is_user_name(name) or is_unproven:
            logger.warning("the provider's claim %r names nobody, or an address that was not verified", claim)
            raise RefusedError("failed")
        return name

    async def _described(self) -> Any:
        """Return the client of Authlib, the provider's metadata read at the first call."""
        if self._app is None:
            from authlib.integrations.starlette_client import OAuth

            app = OAuth().register(
                "provider",
                client_id=self._settings.client_id,
                client_secret=self._settings.client_secret or None,
                server_metadata_url=f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration",
                client_kwargs={
                    "scope": "openid profile email",
                    "code_challenge_method": "S256",
                    "timeout": _PATIENCE,
                    **({} if self._settings.client_secret else {"token_endpoint_auth_method": "none"}),
                },
            )
            said = (await app.load_server_metadata()).get("issuer")
            if said != self._settings.issuer:
                raise ValueError(f"it calls itself {said!r}")
            self._app = app
        return self._app
