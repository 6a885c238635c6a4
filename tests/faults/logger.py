"""Weights & Biases that cannot be reached, or answers slowly: the run ends as without it."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.attempts import attempt
from tests.faults.counts import Counts
from tests.faults.reference import WORDS, completed, uninterrupted

N_RUNS = 4
MOST_EXTRA_SECONDS = 60.0  # a run of seconds waits for the server only at its ends


def campaign(size: float, seed: int, folder: Path) -> Counts:
    """Runs with each kind of server, compared with a run without any."""
    counts = Counts("logger", N_RUNS)
    whole = uninterrupted(folder / "whole")
    with _silent() as silent, _slow(0.5) as slow:
        servers = {
            "a server that refuses connections": "http://127.0.0.1:9",
            "a server that never answers": silent,
            "a server that answers after half a second": slow,
            "a server without a name": "http://nothing.invalid",
        }
        for i, (what, url) in enumerate(servers.items()):
            where = folder / str(i)
            base = attempt(WORDS, where / "local").seconds
            done = attempt((*WORDS, "logger=wandb"), where / "wandb", before=_settings(url))
            extra = done.seconds - base
            wrong = completed(where / "wandb", whole)
            is_right = done.status == 0 and "Traceback" not in done.err and not wrong
            outcome = "survived" if is_right else f"{what}: {done.words} {wrong}"
            if is_right and extra > MOST_EXTRA_SECONDS:
                outcome = f"{what}: {extra:.0f} seconds longer"
            counts.note(outcome, extra)
    counts.notes.append("seconds are those that a run takes longer than its twin without W&B")
    return counts


def _settings(url: str) -> Callable[[], None]:
    values = {
        "WANDB_BASE_URL": url,
        "WANDB_API_KEY": "k" * 40,
        "WANDB_MODE": "online",
        "WANDB_SILENT": "true",
    }
    return lambda: os.environ.update(values)


@contextmanager
def _silent() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def _slow(seconds: float) -> Iterator[str]:
    """A server whose every answer is late, and an error."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    time.sleep(seconds)
                    connection.sendall(b"HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
