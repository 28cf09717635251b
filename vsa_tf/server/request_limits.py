"""What requests may ask of the server, the threads that compute answers, and how it refuses."""

import concurrent.futures
import dataclasses
import threading

# Of tensorflow_serving/model_servers/http_server.cc.
_HTTP_STATUS = {
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
# gRPC sends messages as headers, and refuses large ones.
_LONGEST_MESSAGE = 2000


@dataclasses.dataclass(frozen=True)
class RequestLimits:
    """Limits of requests.

    Attributes:
        num_threads: requests that are read, computed and answered at a time.
        max_waiting: requests that may wait for a thread; more are refused.
        max_batch_size: rows of one request, where a signature leaves their number open.
        max_body_bytes: bytes of a request, and of every tensor in it.
        max_text_bytes: bytes of each string, except in inputs named `*_bytes`.
        timeout_seconds: from a request's arrival to its answer.
        idle_seconds: after which an HTTP connection that sends and takes nothing is closed.
    """

    num_threads: int = 2
    max_waiting: int = 32
    max_batch_size: int = 64
    max_body_bytes: int = 32 << 20
    max_text_bytes: int = 65536
    timeout_seconds: float = 60.0
    idle_seconds: float = 60.0

    @property
    def max_requests(self):
        """Requests that are held at a time, computed and waiting ones."""
        return self.num_threads + self.max_waiting


class RequestPool:
    """Computes answers in a fixed number of threads, with a bounded queue before them.

    HTTP and gRPC share one, so that neither many connections nor a slow model make memory grow:
    only as many requests as there are threads are unpacked at a time.

    Args:
        limits: `RequestLimits`.
    """

    def __init__(self, limits):
        self._limits = limits
        self._executor = concurrent.futures.ThreadPoolExecutor(
            limits.num_threads, thread_name_prefix="requests"
        )
        self._places = threading.BoundedSemaphore(limits.max_requests)

    def run(self, function, timeout_seconds=None):
        """Returns `function()`, computed in one of the threads.

        Args:
            function: without arguments.
            timeout_seconds: the client's own, where it is shorter than that of the limits.

        A function that has begun cannot be interrupted: after the timeout it goes on in its
        thread, and its result is dropped.

        Raises:
            ServingError: UNAVAILABLE where the queue is full, DEADLINE_EXCEEDED after the timeout.
        """
        limit = self._limits.timeout_seconds
        if timeout_seconds is not None:
            limit = min(limit, timeout_seconds)
        if not self._places.acquire(blocking=False):
            raise ServingError(
                "UNAVAILABLE",
                f"The server is busy with {self._limits.max_requests} requests. Try again later",
            )
        try:
            future = self._executor.submit(function)
        except RuntimeError as error:
            self._places.release()
            raise ServingError("UNAVAILABLE", "The server is shutting down") from error
        future.add_done_callback(lambda _: self._places.release())
        concurrent.futures.wait([future], max(limit, 0))
        if future.cancel() or not future.done():
            raise ServingError("DEADLINE_EXCEEDED", f"No answer within {limit:g} seconds")
        return future.result()

    def stop(self):
        """Refuses new work; what waits is dropped, what runs may finish."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class ServingError(Exception):
    """What the client is told: a status code and a message, as TensorFlow Serving gives them.

    Attributes:
        code: name of a gRPC status code, "INVALID_ARGUMENT".
        message: text, cut to what gRPC can send.
    """

    def __init__(self, code, message):
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:_LONGEST_MESSAGE]}..."
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @property
    def http_status(self):
        """The HTTP status code, an int; 500 for codes that say no more."""
        return _HTTP_STATUS.get(self.code, 500)
