"""Commands of the server: serve, users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bioimageit_core.cli.examples import examples
from bioimageit_core.cli.experiments import JsonOption
from bioimageit_core.cli.session import session_of

if TYPE_CHECKING:
    from bioimageit_core.web.security.users import Users

__all__ = ["register", "users_app"]

users_app = typer.Typer(help="The users of a server, and their roles.", no_args_is_help=True)

_MADE = "auto"
UsersOption = Annotated[
    str,
    typer.Option("--users", metavar="FILE", envvar="BIOIMAGEIT_SERVE_USERS", help="The file of users and roles."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        short_help="Serve the page and its HTTP API.",
        epilog=examples(
            "serve", "serve --port 8080 --open", "serve --host 0.0.0.0 --host-name lab.example --users users.json"
        ),
    )(serve)
    app.add_typer(users_app, name="users")


def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="0 for one that is free.")] = 8787,
    token: Annotated[
        str,
        typer.Option(
            "--token",
            envvar="BIOIMAGEIT_SERVE_TOKEN",
            show_envvar=True,
            help="Ask for it; 'auto' makes one. Others can see the command line: rather set the variable.",
        ),
    ] = "",
    users: UsersOption = "",
    host_name: Annotated[
        list[str] | None, typer.Option("--host-name", metavar="NAME", help="A name under which browsers ask for it.")
    ] = None,
    state: Annotated[
        str, typer.Option("--state", metavar="DIR", help="Where secret, audit log and cached files are.")
    ] = "",
    max_upload: Annotated[float, typer.Option("--max-upload", metavar="GIB", min=0, help="The largest upload.")] = 64,
    https: Annotated[bool, typer.Option("--https", help="Browsers reach it through HTTPS, by a proxy.")] = False,
    proxy: Annotated[
        list[str] | None,
        typer.Option("--proxy", metavar="ADDRESS", help="A proxy that is believed whom it asks for (X-Forwarded-For)."),
    ] = None,
    oidc_issuer: Annotated[
        str, typer.Option("--oidc-issuer", metavar="URL", help="Let this OpenID Connect provider say who somebody is.")
    ] = "",
    oidc_client: Annotated[
        str,
        typer.Option(
            "--oidc-client", metavar="ID", help="Our id there; our secret comes from BIOIMAGEIT_SERVE_OIDC_SECRET."
        ),
    ] = "",
    oidc_claim: Annotated[
        str, typer.Option("--oidc-claim", metavar="NAME", help="The claim that is the user's name here.")
    ] = "preferred_username",
    oidc_role: Annotated[
        str, typer.Option("--oidc-role", help="The role of those who are in no users file; else they are refused.")
    ] = "",
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve the page and its HTTP API, by default for this machine alone.

    For any other address it asks who somebody is: by --token, by --users FILE, or by --oidc-issuer.
    """
    import os
    import secrets

    from bioimageit_core.core.exceptions import ConfigError

    try:
        from bioimageit_core.web.serving import run_server
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'bioimageit-core[web]'") from error
    from bioimageit_core.web.settings import LOOPBACK, OidcSettings, Settings, default_state_dir, is_every_address

    if users and not os.path.isfile(users):
        raise ConfigError(f"there is no users file {users!r}: bioimageit users add NAME --users {users} makes it")
    is_made = token == _MADE
    secret = os.environ.get("BIOIMAGEIT_SERVE_OIDC_SECRET", "")
    settings = Settings(
        token=secrets.token_urlsafe(32) if is_made else token,
        users_file=users,
        oidc=OidcSettings(oidc_issuer, oidc_client, secret, oidc_claim, oidc_role) if oidc_issuer else None,
        hosts=(*LOOPBACK, *(host_name or ()), *(() if is_every_address(host) else (host,))),
        state_dir=state or default_state_dir(),
        max_upload=int(max_upload * 2**30),
        is_https=https,
        proxies=tuple(proxy or ()),
    )
    settings.check_address(host)
    run_server(session_of(ctx).request, settings, host, port, shows_token=is_made, opens=open_page, say=typer.echo)


FileOption = Annotated[
    str,
    typer.Option("--users", metavar="FILE", envvar="BIOIMAGEIT_SERVE_USERS", show_envvar=True, help="The users file."),
]


@users_app.command("add", epilog=examples("users add grace --role annotator --users users.json"))
def add_user(
    name: Annotated[str, typer.Argument(help="Letters, digits and . _ @ + -")],
    users: FileOption,
    role: Annotated[str, typer.Option("--role", help="reader, annotator or owner.")] = "reader",
    no_password: Annotated[
        bool, typer.Option("--no-password", help="One who signs in by a token or the provider alone.")
    ] = False,
) -> None:
    """Add a user; the password is asked for (or read from a pipe), and kept as an Argon2id hash."""
    from bioimageit_core.cli.output import show_text

    password = "" if no_password else typer.prompt("Password", hide_input=True, confirmation_prompt=_is_typed())
    user = _users(users).add(name, role, password)
    show_text(f"{user.name} is {user.role} now")


@users_app.command("remove", epilog=examples("users remove grace --users users.json"))
def remove_user(name: Annotated[str, typer.Argument()], users: FileOption) -> None:
    """Remove a user; sessions and tokens end at once."""
    from bioimageit_core.cli.output import show_text

    _users(users).remove(name)
    show_text(f"{name} is removed")


@users_app.command("token", epilog=examples("users token grace --users users.json"))
def new_token(name: Annotated[str, typer.Argument()], users: FileOption) -> None:
    """Make a token with which a script or another home asks as this user; it is shown this once."""
    from bioimageit_core.cli.output import show_text

    show_text(_users(users).new_token(name))


@users_app.command("list", epilog=examples("users list --users users.json"))
def list_users(users: FileOption, as_json: JsonOption = False) -> None:
    """List users and roles."""
    from bioimageit_core.cli.output import show_json, show_table

    rows = [(user.name, user.role, "yes" if user.password else "no", len(user.tokens)) for user in _users(users).all()]
    if as_json:
        show_json({"users": [{"name": name, "role": role} for name, role, *_ in rows]})
    else:
        show_table(["user", "role", "password", "tokens"], rows, count=len(rows))


def _users(path: str) -> Users:
    from bioimageit_core.core.exceptions import ConfigError

    try:
        from bioimageit_core.web.security.users import Users
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'bioimageit-core[web]'") from error
    return Users(path)


def _is_typed() -> bool:
    import sys

    return sys.stdin.isatty()
