"""The HTTP side of the server: connections, and the threads that answer what comes by them."""

import logging
import socket
import threading

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

# As many threads again as requests that are computed or wait: for status and health, and to say
# that the server is busy.
_SPARE_THREADS = 4
# Connections that only listen or send slowly take no thread, only a file descriptor; a process
# often has 1024 of them, and gRPC has as many.
MAX_CONNECTIONS = 400
# Of those where nothing is being answered, so many are closed when all are taken.
_NUM_CLOSED = MAX_CONNECTIONS // 8
# At a time, between two looks at all connections.
_NUM_ACCEPTED = 16


class HttpServer:
    """Serves a WSGI application with waitress, in threads.

    One thread reads and writes all connections, so that slow clients and those that hang hold up
    nobody; large bodies wait in temporary files. Where there are too many connections, those that
    have been still for the longest make room.

    Args:
        application: WSGI application.
        host: address to listen on.
        port: 0: any free one.
        limits: `RequestLimits`.

    Attributes:
        port: the port in use.

    Raises:
        OSError: the address cannot be had.
    """

    def __init__(self, application, host, port, limits):
        # How many wait is known, and refused above the limit; no need to log each.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        # Bound here: waitress would start its threads before it finds the port taken.
        listener = socket.create_server((host, port))
        self._connections = {}
        adjustments = Adjustments(
            sockets=[listener],
            threads=limits.max_requests + _SPARE_THREADS,
            connection_limit=MAX_CONNECTIONS,
            asyncore_use_poll=True,
            # waitress refuses bodies of just this length too.
            max_request_body_size=limits.max_body_bytes + 1,
            channel_timeout=max(round(limits.idle_seconds), 1),
            cleanup_interval=max(round(limits.idle_seconds / 4), 1),
            ident=None,
        )
        self._server = _Server(
            application,
            map=self._connections,
            _sock=listener,
            adj=adjustments,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        self.port = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run, name="http", daemon=True)

    def start(self):
        """Begins to answer."""
        self._thread.start()

    def stop(self, seconds):
        """Closes all connections, once running requests are answered, but after `seconds`."""
        self._server.accepting = False
        self._server.task_dispatcher.shutdown(timeout=seconds)
        # In the server's own thread, which may be polling what is to be closed.
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._connections))
        self._thread.join(1)


class _Server(TcpWSGIServer):
    """waitress's, which takes no new connection while there are as many as the limit."""

    def readable(self):
        if len(self._map) >= self.adj.connection_limit:
            still = [
                channel
                for channel in self.active_channels.values()
                if not (channel.requests or channel.total_outbufs_len)
            ]
            for channel in sorted(still, key=lambda channel: channel.last_activity)[:_NUM_CLOSED]:
                channel.will_close = True
        return super().readable()

    def handle_accept(self):
        for _ in range(_NUM_ACCEPTED):  # none, where there are fewer
            super().handle_accept()
