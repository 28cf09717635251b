import io

from tfrecords_tools.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(stream):
    times = iter([0.0, 1.0, 5.0, 6.0, 10.0, 10.0, 10.0])
    progress = Progress(100, stream, clock=lambda: next(times))
    for _ in range(4):
        progress.add(20)
    progress.close()
    return stream.getvalue()


def test_plain_lines_come_every_five_seconds():
    # 40 images after 5 s, 8 a second, 60 left; 80 after 10 s.
    assert run(io.StringIO()).splitlines() == [
        "40/100 images, 8.0 images/s, 0:07 left",
        "80/100 images, 8.0 images/s, 0:02 left",
    ]


def test_terminal_shows_one_line_that_is_redrawn():
    text = run(Terminal())
    assert text.count("\n") == 1 and text.count("\r") == 5
    # 80 of 100 fill 24 of 30 places.
    assert f"[{'#' * 24}{'.' * 6}] 80/100 images" in text


def test_no_stream_is_silent_and_counts():
    progress = Progress(3, None)
    progress.add(3)
    progress.close()
    assert progress.done == 3


def test_the_unit_and_a_note_are_shown():
    times, stream = iter([0.0, 5.0]), io.StringIO()
    progress = Progress(20, stream, clock=lambda: next(times), unit="steps")
    progress.add(10, "loss 0.5")
    assert stream.getvalue() == "10/20 steps, 2.0 steps/s, 0:05 left, loss 0.5\n"
