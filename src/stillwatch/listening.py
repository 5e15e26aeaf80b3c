"""Where our services listen: on the loopback address unless they are told another."""

import errno
import socket

from stillwatch.errors import UsageError

HOST = "127.0.0.1"
_BACKLOG = 2048


def listen(port: int, option: str = "--port", host: str = HOST) -> socket.socket:
    """Return a listening socket.

    Args:
        port: 0 takes a free one.
        option: the flag that the port came by.
        host: an address of this machine.

    Raises:
        UsageError: the port is taken or not for this user, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), backlog=_BACKLOG, family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port} is taken", hint=f"give another one with {option}") from error
        if error.errno == errno.EACCES:
            raise UsageError(f"port {port} is not for this user", hint=f"give one from 1024 with {option}") from error
        hint = "the host is to be an address of this machine"
        raise UsageError(f"nothing can listen on {host}: {error.strerror}", hint=hint) from error
