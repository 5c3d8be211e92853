"""An SFTP server on loopback for the tests: asyncssh's, in a process of its own.

Usage: sftp_server.py ROOT PORT_FILE, with user and password in the environment.
"""

from __future__ import annotations

import asyncio
import os
import sys

import asyncssh


class Door(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (os.environ["SFTP_USER"], os.environ["SFTP_PASSWORD"])


async def serve(root: str, port_file: str) -> None:
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Door,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=root.encode()),
    )
    with open(port_file + ".new", "w", encoding="ascii") as file:
        file.write(str(server.get_port()))
    os.replace(port_file + ".new", port_file)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
