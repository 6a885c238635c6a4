"""A server of chat completions in this process, which answers as a test wants it to."""

import contextlib
import io
import itertools
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from data_gen.rewrite import main
from physlm.models.text_generator import EndpointWriter


def faithful(asked):
    """A biography with all that a prompt gives."""
    name = re.search(r"(?:of|about|Describe) ([A-Z]\S* [A-Z]\S* [A-Z][\w']*)", asked)[1]
    return f'"{name}: {"; ".join(re.findall(r"^- (.*)$", asked, re.M))}."'


N_CALLS = itertools.count()


def forgetful(asked):
    """Every other time, a fact is missing."""
    text = faithful(asked)
    return text if next(N_CALLS) % 2 else re.sub(r"majored in [^;.]*", "studied", text)


class Endpoint(BaseHTTPRequestHandler):
    """Chat completions; ``behaviour`` is a list of what to do next, ``says`` when it is empty."""

    behaviour: list = []  # noqa: RUF012 - set by each test
    requests: list = []  # noqa: RUF012
    says = staticmethod(forgetful)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, body, self.headers.get("Authorization")))
        status, answer, *headers = self.behaviour.pop(0) if self.behaviour else (200, None)
        if answer is None:
            answer = message(type(self).says(body["messages"][0]["content"]))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(answer.encode())

    def log_message(self, *_):
        """Silent."""


def message(content, finish_reason="stop", **more):
    choice = {"message": {"content": content, **more}, "finish_reason": finish_reason}
    return json.dumps({"choices": [choice]})


@contextlib.contextmanager
def serving():
    """The address of the server, while it is up."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    Endpoint.behaviour, Endpoint.requests, Endpoint.says = [], [], staticmethod(forgetful)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def writer(address, **values):
    return EndpointWriter(address, model="m", max_tokens=9, temperature=0.5, **values)


def command(*words):
    """The exit status and what is printed."""
    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["rewrite", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as exited:
        return exited.code, out.getvalue(), err.getvalue()
    finally:
        sys.argv = argv
    return 0, out.getvalue(), err.getvalue()
