"""The work of `vsa_tf.serve`."""

import logging
import signal
import threading

from vsa_tf.program import ProgramError
from vsa_tf.server.model_server import ModelServer

_LOGGER = logging.getLogger(__name__)


def serve_models(configs, limits, **options):
    """Serves models until the process is told to stop (SIGINT, SIGTERM).

    Args:
        configs: list of `ModelConfig`.
        limits: `RequestLimits`.
        **options: the other arguments of `ModelServer`.

    Raises:
        ProgramError: an address cannot be had.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = ModelServer(configs, limits, **options)
    except OSError as error:
        raise ProgramError(
            f"{error}: choose another --port or --rest_port, or --host of this machine"
        ) from error
    with server:
        _LOGGER.info("REST at port %d, gRPC at port %d", server.rest_port, server.port)
        stop.wait()
        _LOGGER.info("stopping")
