"""Where our services listen: on the loopback address, and nowhere else."""

import errno
import socket

from stillwatch.errors import UsageError

HOST = "127.0.0.1"
_BACKLOG = 2048


def listen(port: int, option: str) -> socket.socket:
    """Return a listening socket; `option` is the flag that the port came by, 0 takes a free one.

    Raises:
        UsageError: the port is taken.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise UsageError(f"port {port} is taken", hint=f"give another one with {option}") from error
    return listening
