import threading
import time

import pytest

from vsa_tf.server.request_limits import RequestLimits, RequestPool, ServingError


def _raise(_):
    raise KeyError("answer")


def _refusal(pool, **options):
    with pytest.raises(ServingError) as error:
        pool.run(lambda _: None, **options)
    return error.value


def _wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


def test_results_and_errors_come_back():
    pool = RequestPool(RequestLimits())
    assert pool.run(lambda _: 5) == 5
    with pytest.raises(KeyError, match="answer"):
        pool.run(_raise)


def test_a_late_answer_is_dropped_and_holds_up_nobody():
    before = threading.enumerate()
    pool = RequestPool(RequestLimits(num_threads=1))
    release = threading.Event()
    with pytest.raises(ServingError, match="No answer within 0.05 seconds") as error:
        pool.run(lambda _: release.wait(), timeout_seconds=0.05)
    assert (error.value.code, error.value.http_status) == ("DEADLINE_EXCEEDED", 504)
    # In the place of the thread that is held up comes another, and it goes when it may.
    assert pool.run(lambda _: 5) == 5
    held = [thread for thread in threading.enumerate() if thread not in before]
    assert len(held) == 2
    release.set()
    _wait_until(lambda: sum(thread.is_alive() for thread in held) == 1)
    assert pool.run(lambda _: 5) == 5


def test_late_answers_that_do_not_end_keep_their_places():
    pool = RequestPool(RequestLimits(num_threads=1, max_waiting=1))
    release = threading.Event()
    for _ in range(2):
        with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
            pool.run(lambda _: release.wait(), timeout_seconds=0.01)
    assert _refusal(pool).code == "UNAVAILABLE"
    release.set()

    def answers():
        try:
            return pool.run(lambda _: 5) == 5
        except ServingError:
            return False

    _wait_until(answers)


def test_what_waits_in_vain_never_begins():
    pool = RequestPool(RequestLimits(num_threads=1))
    release = threading.Event()
    begun = threading.Event()
    client = threading.Thread(target=pool.run, args=(lambda _: begun.set() or release.wait(),))
    client.start()
    begun.wait()
    late = []
    with pytest.raises(ServingError, match="No answer within 0.05 seconds"):
        pool.run(lambda _: late.append(1), timeout_seconds=0.05)
    release.set()
    client.join()
    assert pool.run(lambda _: 5) == 5
    assert late == []


def test_the_deadline_is_told_and_who_ends_by_it_is_late_too():
    pool = RequestPool(RequestLimits())

    def end_by(deadline):
        assert 0 < deadline - time.monotonic() <= 7
        raise ServingError("DEADLINE_EXCEEDED", "Timed out in a library's words")

    with pytest.raises(ServingError, match="No answer within 7 seconds"):
        pool.run(end_by, timeout_seconds=7)


def test_the_limit_s_own_timeout_holds_too():
    pool = RequestPool(RequestLimits(num_threads=1, timeout_seconds=0.05))
    release = threading.Event()
    with pytest.raises(ServingError, match="0.05"):
        pool.run(lambda _: release.wait(), timeout_seconds=1000)
    release.set()


def test_a_full_queue_is_refused_and_places_come_free():
    pool = RequestPool(RequestLimits(num_threads=1, max_waiting=1))
    release = threading.Event()
    clients = [
        threading.Thread(target=pool.run, args=(lambda _: release.wait(),)) for _ in range(2)
    ]
    for client in clients:
        client.start()
    error = _refusal(pool, timeout_seconds=0.01)
    while error.code == "DEADLINE_EXCEEDED":  # the second client has not come yet
        error = _refusal(pool, timeout_seconds=0.01)
    assert (error.code, error.http_status) == ("UNAVAILABLE", 503)
    assert "busy with 2 requests" in error.message
    release.set()
    for client in clients:
        client.join()
    assert pool.run(lambda _: 5) == 5


def test_a_stopped_pool_refuses():
    pool = RequestPool(RequestLimits())
    pool.stop()
    assert _refusal(pool).code == "UNAVAILABLE"
