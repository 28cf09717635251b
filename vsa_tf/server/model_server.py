"""The server as a whole: the work of `vsa_tf.serve`."""

import logging
import os
import signal
import threading

import tensorflow as tf

from vsa_tf.errors import VsaTfError
from vsa_tf.server.grpc_server import GrpcServer
from vsa_tf.server.http_server import HttpServer
from vsa_tf.server.model_catalog import ModelCatalog
from vsa_tf.server.request_limits import RequestLimits, RequestPool
from vsa_tf.server.rest_application import create_application

# Until running requests must have ended, once the server is to stop.
_STOP_SECONDS = 5
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
