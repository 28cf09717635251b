"""What requests may ask of the server, and how it refuses."""

import dataclasses

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
        max_waiting: requests that may wait for their turn; more are refused.
        max_batch_size: rows of one request, where a signature leaves their number open.
        max_body_bytes: bytes of a request, and of every tensor in it.
        max_text_bytes: bytes of each string, except in inputs named `*_bytes`.
        max_values: numbers, texts, lists and objects in the JSON of a request, messages in that of
            gRPC. Each takes up to a hundred bytes of memory, where two can name it.
        timeout_seconds: from a request's arrival to its answer.
        idle_seconds: after which an HTTP connection that sends and takes nothing is closed.
    """

    num_threads: int = 2
    max_waiting: int = 32
    max_batch_size: int = 64
    max_body_bytes: int = 32 << 20
    max_text_bytes: int = 65536
    max_values: int = 1_000_000
    timeout_seconds: float = 60.0
    idle_seconds: float = 60.0

    @property
    def max_requests(self):
        """Requests that are held at a time, computed and waiting ones."""
        return self.num_threads + self.max_waiting


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
