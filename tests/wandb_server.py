"""A small server with the part of W&B's API that its client needs, on the loopback."""

import gzip
import json
import re
import sys
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

import pytest
import wandb

KEY = "0123456789abcdef" * 3
ENTITY = "lab"


@dataclass
class Run:
    """What arrived of one run."""

    labels: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    artifacts: dict[str, "Artifact"] = field(default_factory=dict)
    exit_code: int | None = None


@dataclass
class Artifact:
    """What arrived of one artifact."""

    kind: str
    is_committed: bool = False
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Arrived:
    """Everything that arrived at the server: runs by id, views, and requests that failed here."""

    runs: dict[str, Run] = field(default_factory=lambda: defaultdict(Run))
    views: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    is_answering: Event = field(default_factory=Event)  # requests wait until it is set


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        body = self._body()
        self.server.arrived.is_answering.wait()
        with self.server.arrived.lock:
            if self.path == "/graphql":
                self._send(self._graphql(json.loads(body)))
            elif self.path.endswith("/file_stream"):
                self._stream(self.path.split("/")[-2], json.loads(body))
                self._send({})
            else:
                self._send({}, status=404)

    def do_PUT(self) -> None:
        """An upload to an address that the server has given out."""
        body = self._body()
        with self.server.arrived.lock:
            _, kind, owner, name = self.path.split("/", maxsplit=3)
            place = self._run(owner).files if kind == "runfile" else self._artifact(owner).files
            place[name] = body
        self._send({})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _send(self, content: dict[str, Any], status: int = 200) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""

    def _run(self, run_id: str) -> Run:
        return self.server.arrived.runs[run_id]

    def _artifact(self, number: str) -> Artifact:
        return self.server.artifacts[int(number)]

    def _url(self, kind: str, owner: object, name: str) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host}:{port}/{kind}/{owner}/{name}"

    def _graphql(self, request: dict[str, Any]) -> dict[str, Any]:
        name = re.search(r"(?:query|mutation)\s+(\w+)", request["query"])
        answer = getattr(self, f"_{name and name[1]}", None)
        if answer is None:
            self.server.arrived.faults.append(request["query"])
            return {"data": {}}
        return {"data": answer(request.get("variables") or {})}

    def _Viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        team = {"edges": [{"node": {"name": ENTITY}}]}
        return {"viewer": {"id": "u", "entity": ENTITY, "username": "u", "teams": team}}

    def _RunResumeStatus(self, values: dict[str, Any]) -> dict[str, Any]:
        run = self.server.arrived.runs.get(values["name"])
        if run is None:
            return {"model": None}
        tail = run.history[-1:]
        bucket = {
            "id": values["name"],
            "name": values["name"],
            "summaryMetrics": json.dumps(run.summary),
            "historyLineCount": len(run.history),
            "eventsLineCount": 0,
            "logLineCount": 0,
            "historyTail": json.dumps([json.dumps(row) for row in tail]),
            "eventsTail": "[]",
            "config": json.dumps(run.config),
            "tags": [],
            "wandbConfig": json.dumps(run.config.get("_wandb", {}).get("value", {})),
        }
        owner = {"id": ENTITY, "name": ENTITY}
        return {"model": {"id": "m", "name": values["project"], "entity": owner, "bucket": bucket}}

    def _UpsertBucket(self, values: dict[str, Any]) -> dict[str, Any]:
        is_new = values["name"] not in self.server.arrived.runs
        run = self._run(values["name"])
        given = {name: value for name, value in values.items() if value is not None}
        run.config |= json.loads(given.pop("config", "{}"))
        run.labels |= given
        bucket = {"id": values["name"], "name": values["name"], "historyLineCount": 0}
        owner = {"id": ENTITY, "name": ENTITY}
        bucket["project"] = {"id": "p", "name": values["project"], "entity": owner}
        return {"upsertBucket": {"bucket": bucket, "inserted": is_new}}

    def _stream(self, run_id: str, sent: dict[str, Any]) -> None:
        run = self._run(run_id)
        files = sent.get("files") or {}
        for line in files.get("wandb-history.jsonl", {}).get("content", []):
            run.history.append(json.loads(line))
        for line in files.get("wandb-summary.json", {}).get("content", []):
            run.summary |= json.loads(line)
        if sent.get("complete"):
            run.exit_code = sent["exitcode"]

    def _GetDefaultEntity(self, values: dict[str, Any]) -> dict[str, Any]:
        return self._Viewer(values)

    def _UpsertView2(self, values: dict[str, Any]) -> dict[str, Any]:
        view = values | {"id": values.get("id") or f"view-{len(self.server.arrived.views)}"}
        self.server.arrived.views.append(view)
        named = {"id": view["id"], "name": view["name"]}
        return {"upsertView": {"view": named, "inserted": "id" not in values}}

    def _View(self, values: dict[str, Any]) -> dict[str, Any]:
        found = [v for v in self.server.arrived.views if v["name"] == values["viewName"]]
        edges = [{"node": view} for view in found[-1:]]
        return {"project": {"allViews": {"edges": edges}}}

    def _ServerFeaturesQuery(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _OrganizationCoreWeaveOrganizationID(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"entity": {"organization": None}}

    def _ArtifactType(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"artifact": None}}

    def _CreateRunFiles(self, values: dict[str, Any]) -> dict[str, Any]:
        run_id = values["run"]
        files = [{"name": n, "uploadUrl": self._url("runfile", run_id, n)} for n in values["files"]]
        return {"createRunFiles": {"runID": run_id, "uploadHeaders": [], "files": files}}

    def _CreateArtifact(self, values: dict[str, Any]) -> dict[str, Any]:
        given = values["input"]
        number = len(self.server.artifacts)
        made = Artifact(given["artifactTypeName"])
        self.server.artifacts.append(made)
        self._run(given["runName"]).artifacts[given["artifactCollectionName"]] = made
        sequence = {"latestArtifact": None}
        return {
            "createArtifact": {
                "artifact": {"id": str(number), "state": "PENDING", "artifactSequence": sequence}
            }
        }

    def _CreateArtifactManifest(self, values: dict[str, Any]) -> dict[str, Any]:
        return {
            "createArtifactManifest": {"artifactManifest": self._manifest(values["artifactID"])}
        }

    def _UpdateArtifactManifest(self, values: dict[str, Any]) -> dict[str, Any]:
        return {
            "updateArtifactManifest": {
                "artifactManifest": self._manifest(values["artifactManifestID"])
            }
        }

    def _manifest(self, number: str) -> dict[str, Any]:
        name = "wandb_manifest.json"
        file = {
            "id": "f",
            "name": name,
            "displayName": name,
            "uploadUrl": self._url("artifact", number, name),
            "uploadHeaders": [],
        }
        return {"id": number, "file": file}

    def _CreateArtifactFiles(self, values: dict[str, Any]) -> dict[str, Any]:
        return {
            "createArtifactFiles": {
                "files": {
                    "edges": [{"node": self._file(f)} for f in values["input"]["artifactFiles"]]
                }
            }
        }

    def _file(self, given: dict[str, Any]) -> dict[str, Any]:
        number, name = given["artifactID"], given["name"]
        return {
            "id": name,
            "name": name,
            "displayName": name,
            "uploadUrl": self._url("artifact", number, name),
            "uploadHeaders": [],
            "storagePath": "",
            "uploadMultipartUrls": None,
            "artifact": {"id": number},
        }

    def _CommitArtifact(self, values: dict[str, Any]) -> dict[str, Any]:
        self._artifact(values["artifactID"]).is_committed = True
        return {"commitArtifact": {"artifact": {"id": values["artifactID"], "digest": "d"}}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrived = Arrived()
        self.arrived.is_answering.set()
        self.artifacts: list[Artifact] = []

    def handle_error(self, *_: object) -> None:
        """The client may close its connections at any time; anything else is a fault of ours."""
        if not isinstance(error := sys.exception(), ConnectionError):
            self.arrived.faults.append(repr(error))


@contextmanager
def serving():
    """A running server: its address, and what arrives at it."""
    server = _Server()
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.arrived
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def logged_in():
    """A server at which this process is logged in; what arrives at it."""
    with pytest.MonkeyPatch.context() as patched, serving() as (url, arrived):
        for name, value in {"BASE_URL": url, "API_KEY": KEY, "MODE": "online"}.items():
            patched.setenv(f"WANDB_{name}", value)
        patched.setenv("WANDB_SILENT", "true")
        wandb.teardown()  # or it would keep earlier settings
        yield arrived
        wandb.teardown()
        assert arrived.faults == []
