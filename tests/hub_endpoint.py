"""A Hugging Face hub in memory, served on this machine: the part of its API by which models are pushed and loaded.

It follows what the client `huggingface_hub` asks for: creating a repository, looking at it, the three steps of a commit
(which files are large, uploading those, the commit itself) and downloads. Large files lie in a storage of its own under
another host name, as on the hub, and no token may be sent there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOKENS = {"hf_owner": "owner", "hf_reader": "reader"}
"""Who bears which token. `owner` may write into repositories named owner/...; nobody else may write anywhere."""


@dataclass
class Repository:
    """What lies under a name.

    Attributes:
        private: whether only its owner sees it.
        gated: whether nobody but its owner may read its files.
        broken: whether the hub fails when it is asked for it.
        commits: the files of each commit by the commit's id, in order; `main` is the last.
        titles: of the commits.
    """

    private: bool = False
    gated: bool = False
    broken: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)

    @property
    def main(self) -> str:
        return list(self.commits)[-1]

    @property
    def files(self) -> dict[str, bytes]:
        """Those of `main`."""
        return self.commits[self.main]

    def commit(self, files: dict[str, bytes], title: str) -> str:
        """Add a commit with these files, and return its id."""
        parts = [str(len(self.commits)), *(f"{name} {_sha1(files[name])}" for name in sorted(files))]
        name = _sha1("\n".join(parts).encode())
        self.commits[name] = dict(files)
        self.titles.append(title)
        return name


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _blob_id(content: bytes) -> str:
    """The id that git gives to a file."""
    return _sha1(b"blob %d\0" % len(content) + content)


def is_large(path: str) -> bool:
    """Whether the hub keeps a file in its storage of large files, by its name."""
    return path.endswith((".safetensors", ".bin"))


class Endpoint:
    """The hub: its repositories, and what it was asked.

    Attributes:
        url: the address, for HF_ENDPOINT.
        repositories: by name.
        asked: method and path of each request, in order.
        leaked: paths in the storage of large files to which a token was sent.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.storage: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.leaked: list[str] = []
        self.url = self.storage_url = ""

    def add(self, name: str, files: dict[str, bytes], **traits: bool) -> Repository:
        """Put a repository there, as if somebody had pushed it."""
        made = self.repositories[name] = Repository(**traits)
        made.commit(files, "initial commit")
        self.storage |= {hashlib.sha256(content).hexdigest(): content for content in files.values()}
        return made


@contextmanager
def served() -> Iterator[Endpoint]:
    """A hub that answers while the context lasts."""
    endpoint = Endpoint()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": endpoint}))
    server.daemon_threads = True
    port = server.server_address[1]
    endpoint.url, endpoint.storage_url = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Refused(Exception):
    """An answer that is an error.

    Args:
        status: of the answer.
        code: its X-Error-Code.
        more: the body beside the message.
    """

    def __init__(self, status: int, message: str, code: str = "", **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.body = status, code, {"error": message, **more}


class _Handler(BaseHTTPRequestHandler):
    """Answers one request by the route that its method and path match."""

    hub: Endpoint
    protocol_version = "HTTP/1.1"
    routes = (
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/validate-yaml", "validate"),
        ("GET", r"/api/models/([^/]+/[^/]+)", "info"),
        ("GET", r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", "info"),
        ("GET", r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", "tree"),
        ("POST", r"/api/models/([^/]+/[^/]+)/preupload/([^/]+)", "preupload"),
        ("POST", r"/api/models/([^/]+/[^/]+)/commit/([^/]+)", "commit"),
        ("POST", r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", "batch"),
        ("PUT", r"/storage/([0-9a-f]{64})", "store"),
        ("GET", r"/storage/([0-9a-f]{64})", "stored"),
        ("HEAD", r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
        ("GET", r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
    )

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path))
        self.body = self._whole_body()
        try:
            for method, pattern, name in self.routes:
                if method == self.command and (found := re.fullmatch(pattern, path)):
                    getattr(self, f"_{name}")(*found.groups())
                    return
            raise _Refused(404, f"no such page: {path}")
        except _Refused as refused:
            more = {"X-Error-Code": refused.code, "X-Error-Message": str(refused)} if refused.code else {}
            self._send(refused.status, json.dumps(refused.body).encode(), **more)

    def _whole_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    do_GET = do_HEAD = do_POST = do_PUT = _answer

    def log_message(self, *given: object) -> None:
        """Say nothing."""

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), **{"Content-Type": "application/json"})

    def _user(self) -> str | None:
        """Who asks; None without a token."""
        given = self.headers.get("Authorization")
        if given is None:
            return None
        if given.removeprefix("Bearer ") not in TOKENS:
            raise _Refused(401, "Invalid credentials in Authorization header")
        return TOKENS[given.removeprefix("Bearer ")]

    def _readable(self, name: str) -> Repository:
        """A repository that the asker may see."""
        user, found = self._user(), self.hub.repositories.get(name)
        if found is None or (found.private and user != name.split("/")[0]):
            raise _Refused(404 if user else 401, "Repository not found", "RepoNotFound")
        if found.broken:
            raise _Refused(503, "Service Unavailable")
        return found

    def _writable(self, name: str) -> Repository:
        user = self._user()
        if user is None:
            raise _Refused(401, "Invalid username or password.")
        if user != name.split("/")[0]:
            raise _Refused(403, f"You don't have the rights to write into {name}")
        return self._readable(name)

    def _commit_of(self, repository: Repository, revision: str) -> str:
        if revision != "main" and revision not in repository.commits:
            raise _Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repository.main if revision == "main" else revision

    def _create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if self._user() is None:
            raise _Refused(401, "Invalid username or password.")
        if self._user() != asked["organization"]:
            raise _Refused(403, f"You don't have the rights to create a model under {asked['organization']}")
        url = f"{self.hub.url}/{name}"
        if name in self.hub.repositories:
            raise _Refused(409, "You already created this model repo", url=url)
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.add(name, {".gitattributes": b"*.safetensors filter=lfs\n"}, private=private)
        self._json({"url": url, "name": name})

    def _validate(self) -> None:
        """The metadata of a model card."""
        _, head, _ = json.loads(self.body)["content"].split("---\n", 2)
        try:
            data = yaml.safe_load(head)
        except yaml.YAMLError as error:
            raise _Refused(400, "Invalid metadata", errors=[{"message": str(error)}]) from None
        if not isinstance(data, dict) or not isinstance(data.get("license"), str):
            raise _Refused(400, "Invalid metadata", errors=[{"message": '"license" must be a string'}])
        self._json({"errors": [], "warnings": []})

    def _info(self, name: str, revision: str = "main") -> None:
        found = self._readable(name)
        commit = self._commit_of(found, revision)
        siblings = [{"rfilename": path} for path in found.commits[commit]]
        self._json(
            {
                "id": name,
                "modelId": name,
                "sha": commit,
                "private": found.private,
                "gated": "manual" if found.gated else False,
                "tags": [],
                "siblings": siblings,
            }
        )

    def _tree(self, name: str, revision: str) -> None:
        found = self._readable(name)
        listed: list[dict[str, Any]] = []
        for path, content in found.commits[self._commit_of(found, revision)].items():
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": _blob_id(content)}
            if is_large(path):
                oid = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 130}
            listed.append(entry)
        self._json(listed)

    def _preupload(self, name: str, revision: str) -> None:
        found = self._writable(name)
        there = found.commits[self._commit_of(found, revision)]
        listed = []
        for file in json.loads(self.body)["files"]:
            path = file["path"]
            entry = {"path": path, "uploadMode": "lfs" if is_large(path) else "regular", "shouldIgnore": False}
            if path in there:
                large = hashlib.sha256(there[path]).hexdigest()
                entry["oid"] = large if is_large(path) else _blob_id(there[path])
            listed.append(entry)
        self._json({"files": listed})

    def _batch(self, name: str) -> None:
        self._writable(name)
        objects = []
        for one in json.loads(self.body)["objects"]:
            entry = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.storage:
                entry["actions"] = {"upload": {"href": f"{self.hub.storage_url}/storage/{one['oid']}"}}
            objects.append(entry)
        self._json({"transfer": "basic", "objects": objects})

    def _store(self, oid: str) -> None:
        self._note_token()
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise _Refused(400, "another content than was announced")
        self.hub.storage[oid] = self.body
        self._send(200, b"")

    def _stored(self, oid: str) -> None:
        self._note_token()
        self._send(200, self.hub.storage[oid], ETag=f'"{oid}"')

    def _note_token(self) -> None:
        if "Authorization" in self.headers:
            self.hub.leaked.append(self.path)

    def _commit(self, name: str, revision: str) -> None:
        found = self._writable(name)
        files, title = dict(found.commits[self._commit_of(found, revision)]), ""
        for line in self.body.splitlines():
            said = json.loads(line)
            value = said["value"]
            match said["key"]:
                case "header":
                    title = value["summary"]
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.hub.storage[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
                case other:
                    raise _Refused(400, f"cannot {other}")
        commit = found.commit(files, title)
        self._json({"success": True, "commitOid": commit, "commitUrl": f"{self.hub.url}/{name}/commit/{commit}"})

    def _resolve(self, name: str, revision: str, path: str) -> None:
        found = self._readable(name)
        if found.gated and self._user() != name.split("/")[0]:
            raise _Refused(403, f"Access to model {name} is restricted", "GatedRepo")
        commit = self._commit_of(found, revision)
        if path not in found.commits[commit]:
            raise _Refused(404, "Entry not found", "EntryNotFound")
        content = found.commits[commit][path]
        if not is_large(path):
            self._send(200, content, **{"ETag": f'"{_blob_id(content)}"', "X-Repo-Commit": commit})
            return
        oid = hashlib.sha256(content).hexdigest()
        headers = {"X-Repo-Commit": commit, "X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(content))}
        self._send(302, b"", Location=f"{self.hub.storage_url}/storage/{oid}", **headers)
