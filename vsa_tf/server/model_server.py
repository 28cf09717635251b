"""The server as a whole: the work of `vsa_tf.serve`."""

import logging
import os
import signal
import socket
import threading
import time

import tensorflow as tf
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from vsa_tf.errors import VsaTfError
from vsa_tf.server.grpc_server import GrpcServer
from vsa_tf.server.model_catalog import ModelCatalog
from vsa_tf.server.request_limits import MAX_CONNECTIONS, RequestLimits, RequestPool
from vsa_tf.server.rest_application import create_application

# Until running requests must have ended, once the server is to stop.
_STOP_SECONDS = 5
# As many threads again as requests that are computed or wait: for status and health, and to say
# that the server is busy.
_SPARE_THREADS = 4
# Between two looks at what is still being answered, once the server is to stop.
_PAUSE_SECONDS = 0.02
# Of those where nothing is being answered, so many are closed when all are taken.
_NUM_CLOSED = MAX_CONNECTIONS // 8
# At a time, between two looks at all connections.
_NUM_ACCEPTED = 16
_LOGGER = logging.getLogger(__name__)


class ModelServer:
    """Answers TensorFlow Serving's REST and gRPC requests from SavedModels.

    It knows nothing of what they compute: any SavedModel with signatures is served. Use it as a
    context: it starts there, and stops at the end.

    Args:
        configs: list of `ModelConfig`.
        limits: `RequestLimits`.
        host: address to listen on.
        port: of gRPC; 0: any free one.
        rest_port: of HTTP, likewise.
        pages: makes the WSGI application for paths that are no model's (`create_application`), of
            the `ModelCatalog` and the `RequestPool`; None: there is none.
        poll_seconds: between two looks at the model's folders.
        settle_seconds: a version folder is left alone until nothing in it has changed for so long.

    Attributes:
        catalog: the `ModelCatalog`.

    Raises:
        OSError: an address cannot be had.
    """

    def __init__(
        self,
        configs,
        limits=RequestLimits(),
        host="127.0.0.1",
        port=0,
        rest_port=0,
        pages=None,
        poll_seconds=1.0,
        settle_seconds=2.0,
    ):
        self.catalog = ModelCatalog(configs, poll_seconds, settle_seconds)
        self._pool = RequestPool(limits)
        application = create_application(
            self.catalog, self._pool, limits, pages and pages(self.catalog, self._pool)
        )
        self._grpc = GrpcServer(self.catalog, self._pool, limits, host, port)
        self._http = HttpServer(application, host, rest_port, limits)

    @property
    def port(self):
        """The port of gRPC."""
        return self._grpc.port

    @property
    def rest_port(self):
        """The port of HTTP."""
        return self._http.port

    def __enter__(self):
        self.catalog.start()
        self._http.start()
        self._grpc.start()
        return self

    def __exit__(self, *_):
        """Refuses new requests, and ends running ones after five seconds."""
        self.catalog.stop()
        self._pool.stop()
        ended = self._grpc.stop(_STOP_SECONDS)
        self._http.stop(_STOP_SECONDS)
        ended.wait()
        self.catalog.close()


def serve_models(configs, limits, **options):
    """Serves models until the process is told to stop (SIGINT, SIGTERM), and ends it.

    Args:
        configs: list of `ModelConfig`.
        limits: `RequestLimits`.
        **options: the other arguments of `ModelServer`.

    Raises:
        VsaTfError: an address cannot be had.
    """
    stop = threading.Event()
    _run_first_session()
    try:
        server = ModelServer(configs, limits, **options)
    except OSError as error:
        raise VsaTfError(
            f"{error}: choose another --port or --rest_port, or --host of this machine"
        ) from error

    def end(*_):
        stop.set()
        server.catalog.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with server:
        if not stop.is_set():
            _LOGGER.info("REST at port %d, gRPC at port %d", server.rest_port, server.port)
            stop.wait()
        _LOGGER.info("stopping")
    # Not by Python's own end, which would take down TensorFlow while it computes or loads.
    logging.shutdown()
    os._exit(0)


def _run_first_session():
    """TensorFlow's first session tells that MLIR is off, past every level of logging: to nobody."""
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            session.run(tf.constant(0))
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


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
        """Refuses new connections, and closes each when all that came over it is answered.

        Those that are left after `seconds` are closed as they are.
        """
        deadline = time.monotonic() + seconds
        self._in_its_thread(self._close_listener, deadline)
        while self._server.active_channels and time.monotonic() < deadline:
            # What had been sent is read before.
            self._in_its_thread(lambda: None, deadline)
            self._in_its_thread(self._close_still_ones, deadline)
            time.sleep(_PAUSE_SECONDS)
        self._server.task_dispatcher.shutdown(timeout=max(deadline - time.monotonic(), 0.1))
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._connections))
        self._thread.join(1)

    def _in_its_thread(self, function, deadline):
        """Calls it in the thread that polls all connections, once it has looked at each anew."""
        done = threading.Event()
        self._server.trigger.pull_trigger(lambda: (function(), done.set()))
        done.wait(max(deadline - time.monotonic(), 0))

    def _close_listener(self):
        self._server.handle_accept()  # who came before
        wasyncore.dispatcher.close(self._server)

    def _close_still_ones(self):
        for channel in self._server.still_channels():
            channel.handle_close()


class _Server(TcpWSGIServer):
    """waitress's, which takes no new connection while there are as many as the limit."""

    def readable(self):
        if len(self._map) >= self.adj.connection_limit:
            still = sorted(self.still_channels(), key=lambda channel: channel.last_activity)
            for channel in still[:_NUM_CLOSED]:
                channel.will_close = True
        return super().readable()

    def still_channels(self):
        """Returns the connections where nothing is being answered."""
        return [
            channel
            for channel in self.active_channels.values()
            if not (channel.requests or channel.total_outbufs_len)
        ]

    def handle_accept(self):
        for _ in range(_NUM_ACCEPTED):  # none, where there are fewer
            super().handle_accept()
