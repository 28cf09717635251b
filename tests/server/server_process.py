"""A process of `vsa_tf.serve`."""

import re
import subprocess
import sys
import threading
import time

from tests.source_imports import ROOT

MODEL = "model"
_HOST = "127.0.0.1"


class ServerProcess:
    """Serves one model from the folders of its versions, at free ports.

    Args:
        base_path: the directory of version folders.

    Attributes:
        number: of the process.
        rest_address, grpc_address: (host, port).
        lines: what it has said so far, a list of str.

    Raises:
        RuntimeError: it ends instead of serving.
    """

    def __init__(self, base_path):
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "vsa_tf.serve", f"--model_name={MODEL}"),
                *(f"--model_base_path={base_path}", "--rest_port=0", "--port=0"),
                # Two that take long leave two for all others.
                *("--settle_seconds=0", "--num_threads=4"),
            ],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.number, self.lines = self._process.pid, []
        for line in self._process.stderr:
            self.lines.append(line.rstrip())
            match = re.search(r"REST at port (\d+), gRPC at port (\d+)", line)
            if match:
                break
        else:
            raise RuntimeError("the server did not start: " + "\n".join(self.lines))
        self.rest_address, self.grpc_address = ((_HOST, int(port)) for port in match.groups())
        # Else it would wait for somebody to read.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stderr:
            self.lines.append(line.rstrip())

    def stop(self, timeout=60):
        """Tells it to stop by SIGTERM; returns its code and the seconds that it took.

        One that has not ended after `timeout` is killed.
        """
        started = time.monotonic()
        self._process.terminate()
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        seconds = time.monotonic() - started
        self._reader.join()
        return code, seconds
