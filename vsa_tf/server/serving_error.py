"""A request that cannot be answered, and why."""

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
