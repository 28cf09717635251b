"""What requests may ask of the server, the threads that compute answers, and how it refuses."""

import concurrent.futures
import dataclasses
import queue
import threading
import time

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
_LATE = "DEADLINE_EXCEEDED"
# gRPC sends messages as headers, and refuses large ones.
_LONGEST_MESSAGE = 2000
# Of HTTP, and as many of gRPC. One that only listens or sends slowly takes no thread, only a file
# descriptor; a process often has 1024 of them.
MAX_CONNECTIONS = 400


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


class RequestPool:
    """Computes answers in a fixed number of threads, with a bounded queue before them.

    HTTP and gRPC share one, so that neither many connections nor a slow model make memory grow:
    only as many requests as there are threads are unpacked at a time.

    A computation that outlives its time limit gives its turn to the next: another thread takes the
    place of its own. TensorFlow ends it between two of its operations, since `LoadedVersion.run`
    is given the deadline; one long operation goes on, and keeps the request's place in the queue
    until it ends, so that the number of those is bounded too.

    Args:
        limits: `RequestLimits`.
    """

    def __init__(self, limits):
        self._limits = limits
        self._places = threading.BoundedSemaphore(limits.max_requests)
        self._jobs = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._num_threads = 0  # they start as they are needed
        self._stopped = False

    def run(self, function, timeout_seconds=None):
        """Returns `function(deadline)`, computed in one of the threads.

        Args:
            function: of the `time.monotonic()` at which nobody waits for its result any more.
            timeout_seconds: the client's own, where it is shorter than that of the limits.

        Raises:
            ServingError: UNAVAILABLE where the queue is full, DEADLINE_EXCEEDED after the timeout.
        """
        limit = self._limits.timeout_seconds
        if timeout_seconds is not None:
            limit = max(min(limit, timeout_seconds), 0)
        job = _Job(function, time.monotonic() + limit)
        del function
        try:
            self._begin(job)
            concurrent.futures.wait([job.future], limit)
            if job.future.cancel():  # its turn has not come
                raise _late(limit)
            with self._lock:
                job.is_late = not job.future.done()
            if job.is_late:
                self._start_thread()
                raise _late(limit)
            if _is_late(job.future.exception()):
                raise _late(limit)
            return job.future.result()
        finally:
            # Else an error, which knows this frame, would keep the request in memory.
            del job

    def _begin(self, job):
        if self._stopped:
            raise _stopping()
        if not self._places.acquire(blocking=False):
            raise ServingError(
                "UNAVAILABLE",
                f"The server is busy with {self._limits.max_requests} requests. Try again later",
            )
        job.future.add_done_callback(lambda _: self._places.release())
        with self._lock:
            if self._stopped:  # meanwhile; nobody takes more out of the queue
                job.end(None, _stopping())
                return
            if self._num_threads < self._limits.num_threads:
                self._num_threads += 1
                self._start_thread()
            self._jobs.put(job)

    def stop(self):
        """Refuses new work; what waits is dropped, what runs may finish."""
        with self._lock:
            self._stopped = True
            for _ in range(self._limits.num_threads):
                self._jobs.put(None)

    def _start_thread(self):
        # A daemon: an operation that does not end does not keep the process from its end.
        threading.Thread(target=self._compute_jobs, name="requests", daemon=True).start()

    def _compute_jobs(self):
        while job := self._jobs.get():
            if not job.future.set_running_or_notify_cancel():
                continue
            try:
                if self._stopped:
                    raise _stopping()
                result, error = job.function(job.deadline), None
            except BaseException as caught:  # whoever waits for it is told
                result, error = None, caught
            with self._lock:
                job.end(result, error)
                is_late = job.is_late
            del job, result, error  # not held until the next one comes
            if is_late:
                return


class _Job:
    def __init__(self, function, deadline):
        self.function = function
        self.deadline = deadline
        self.future = concurrent.futures.Future()
        self.is_late = False

    def end(self, result, error):
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


def _stopping():
    return ServingError("UNAVAILABLE", "The server is shutting down")


def _late(limit):
    return ServingError(_LATE, f"No answer within {limit:g} seconds")


def _is_late(error):
    return isinstance(error, ServingError) and error.code == _LATE


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
