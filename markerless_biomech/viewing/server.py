"""A viser server for one page: on loopback, without a word of its own, and never shared over the internet."""

from __future__ import annotations

import contextlib
import io
import socket
from typing import Any
from urllib.parse import urlsplit

from ..errors import InputError

HOST, PORT = "127.0.0.1", 8080
LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::", "")


def open_server(host: str = HOST, port: int = PORT, title: str = "markerless_biomech") -> Any:
    """A running ViserServer; port 0: any that is free.

    Raises InputError when viser is missing, or when the port or the host cannot be had.
    """
    try:
        import viser
    except ModuleNotFoundError as error:
        raise InputError(
            f"the page needs the Python package {error.name}, which is not installed; run 'pip install viser'"
        ) from error
    check_free(host, port)
    with contextlib.redirect_stdout(io.StringIO()):  # viser greets on standard output, where our answers go
        server = viser.ViserServer(host, port, label=title, verbose=False)
    if port and server.get_port() != port:
        server.stop()
        raise InputError(taken(host, port))
    _refuse_strangers(server, host)
    server.request_share_url = _refuse_to_share  # type: ignore[method-assign]
    server.gui.configure_theme(show_logo=False, show_share_button=False, brand_color=(33, 92, 138))
    return server


def close_server(server: Any) -> None:
    """Stop it; browsers are told and wait for another one."""
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


def address(server: Any) -> str:
    """The page's URL."""
    host = "localhost" if server.get_host() in EVERYWHERE else server.get_host()
    return f"http://{f'[{host}]' if ':' in host else host}:{server.get_port()}"


def check_free(host: str, port: int) -> None:
    """Raise InputError unless the port can be listened at. viser itself would take the next one, or wait for ever."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen(1)
    except socket.gaierror as error:
        raise InputError(f"host '{host}' is not known; expected an address of this machine, such as {HOST}") from error
    except PermissionError as error:
        raise InputError(f"port {port} is kept for the system's own programs; give --port 1024 or higher") from error
    except OSError as error:
        raise InputError(
            taken(host, port) if _is_of_this_machine(host) else f"cannot listen at {host}:{port} ({error.strerror})"
        ) from error


def taken(host: str, port: int) -> str:
    """The sentence for a port that another program has."""
    return f"port {port} of {host} is taken by another program; end that, or give another --port, such as {port + 1}"


def _is_of_this_machine(host: str) -> bool:
    """Whether it is an address of this machine: only the port can be the trouble."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def _refuse_strangers(server: Any, host: str) -> None:
    """Turn away pages of other origins that are open in a browser on this machine, before they are sent anything.

    viser has no setting for it; without, any web page could listen in. A test holds what is used of its inside.
    """
    sockets = server._websock_server

    async def check(connection: Any) -> None:
        socket_of_client = sockets._live_connections[connection.client_id]
        headers = socket_of_client.request.headers
        if not is_ours(headers.get("Origin"), headers.get("Host", ""), host):
            await socket_of_client.close(1008, "this page is served to itself alone")

    sockets.on_client_connect(check)


def is_ours(origin: str | None, asked: str, host: str) -> bool:
    """Whether a connection comes from our own page (or from no page at all).

    `origin`, `asked`: its Origin and Host headers; `host`: where we listen. On loopback the name asked for must be one
    of loopback's, lest somebody gives this machine a name of his own.
    """
    if origin is None:
        return True
    if urlsplit(origin).netloc != asked:
        return False
    return host not in LOOPBACK or urlsplit(f"//{asked}").hostname in LOOPBACK


def _refuse_to_share(verbose: bool = True) -> None:
    """viser's page can ask its server for a tunnel through a machine on the internet: not with people's movements."""
