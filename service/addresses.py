"""TCP addresses to listen on."""

import socket


class AddressTakenError(Exception):
    """Somebody listens there already, or nobody may; the message says what to do."""


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(host: str, port: int) -> None:
    """Check that nobody listens on the address: granian shares a port without a word.

    Raises:
        AddressTakenError: it is taken, or not ours to take.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        msg = f"cannot listen on {host}:{port}: {why}; see --host and --port"
        raise AddressTakenError(msg) from error
