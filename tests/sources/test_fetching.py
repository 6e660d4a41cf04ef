"""Sources elsewhere: fetched whole, from a real server and a real database, secrets kept."""

from __future__ import annotations

import http.server
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.tasks import fetch as fetch_with_retries
from pipeline.config.settings import DatasetConfig
from pipeline.errors import ConfigError, SourceError
from pipeline.runs.run import prepare
from pipeline.secrets import hide, looking_up, reveal
from pipeline.sources.fetching import SourceUnavailable, fetch, is_elsewhere
from pipeline.steps.ingest import ingest
from pipeline.storage.store import Store

CSV = "a,y\n" + "1,p\n2,q\n" * 50
SECRET = "s3cr3t/p@ss word"


class Files(http.server.BaseHTTPRequestHandler):
    """Answers as its server's list of answers says, the last one for good."""

    def do_GET(self) -> None:
        """Give the next answer."""
        self.server.asked.append((self.path, self.headers["Authorization"]))  # type: ignore[attr-defined]
        answers: list[int] = self.server.answers  # type: ignore[attr-defined]
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        body = CSV.encode() if status == 200 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Any]:
    """Serve files on the loopback interface."""
    made: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    made.answers, made.asked = [200], []
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def declare(store: Store, source: str, query: str | None = None) -> DatasetConfig:
    """Declare a data set with a source elsewhere."""
    store.config_path.parent.mkdir(parents=True, exist_ok=True)
    more = f"query: {query}\n" if query else ""
    text = f"dataset: d\nsource: {source}\ntarget: y\n{more}runs: {{settle_seconds: 0}}\n"
    store.config_path.write_text(text)
    return DatasetConfig(dataset="d", source=source, target="y", query=query)


def test_what_is_elsewhere() -> None:
    """A URL or a secret is fetched; a path is not."""
    assert [is_elsewhere(s) for s in ("http://h/x.csv", "${DB}", "x.csv", "../x/y.csv")] == [
        True, True, False, False
    ]  # fmt: skip


def test_a_file_comes_from_a_web_server(
    tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is fetched with the secret's value, whole, and read like a file of the project."""
    monkeypatch.setenv("TOKEN", SECRET)
    store = Store(tmp_path, "d")
    host = f"127.0.0.1:{server.server_port}"
    declare(store, f"http://user:${{TOKEN}}@{host}/daily.csv")
    run = prepare(tmp_path, "d")
    assert run.source == store.runs / "fetched" / "daily.csv"
    assert run.source.read_text() == CSV
    import base64

    expected = base64.b64encode(f"user:{SECRET}".encode()).decode()
    assert server.asked == [("/daily.csv", f"Basic {expected}")]
    ingest(run)
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(written) > 5
    forms = (SECRET, "s3cr3t", expected)
    assert not [p for p in written if any(form.encode() in p.read_bytes() for form in forms)]


def test_what_can_be_tried_again_is(tmp_path: Path, server: Any) -> None:
    """A server that fails for now is asked again; one that refuses is not."""
    store = Store(tmp_path, "d")
    url = f"http://127.0.0.1:{server.server_port}/daily.csv"
    config = declare(store, url)
    server.answers = [503, 200]
    assert fetch_with_retries(store, config).read_text() == CSV
    assert len(server.asked) == 2
    server.answers = [403]
    with pytest.raises(SourceError, match="answered 403") as caught:
        fetch_with_retries(store, config)
    assert not isinstance(caught.value, SourceUnavailable)
    assert len(server.asked) == 3
    assert store.runs.joinpath("fetched", "daily.csv").read_text() == CSV
    assert [p.name for p in (store.runs / "fetched").iterdir()] == ["daily.csv"]


def test_a_server_that_is_down_is_named_without_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what is wrong, and holds no secret in any form."""
    monkeypatch.setenv("TOKEN", SECRET)
    config = declare(Store(tmp_path, "d"), "http://user:${TOKEN}@127.0.0.1:9/x.csv")
    with pytest.raises(SourceUnavailable, match="can't be reached") as caught:
        fetch(Store(tmp_path, "d"), config)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_rows_come_from_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a query, nulls as gaps; a wrong query or driver is told as what it is."""
    store = Store(tmp_path / "project", "d")
    database = store.home / "data" / "sales.db"
    database.parent.mkdir(parents=True)
    with sqlite3.connect(database) as connection:
        connection.execute("create table t (a real, y text)")
        connection.executemany(
            "insert into t values (?, ?)", [(1.5, "p"), (None, "q"), (2.5, "q")] * 40
        )
    monkeypatch.setenv("DB", "sqlite:///../sales.db")  # relative to dataset.yaml
    config = declare(store, "${DB}", "select a, y from t order by rowid")
    path = fetch(store, config)
    assert path.name == "d.csv"
    assert path.read_text().splitlines()[:3] == ["a,y", "1.5,p", ",q"]
    assert ingest(prepare(store.home, "d")).path.is_dir()
    with pytest.raises(ConfigError, match="query` is missing"):
        fetch(store, declare(store, "${DB}"))
    with pytest.raises(SourceError, match=r"refused the query.*no such table"):
        fetch(store, declare(store, "${DB}", "select * from u"))
    with pytest.raises(SourceError, match=r"nowhere\.db was not found"):
        fetch(store, declare(store, "sqlite:///nowhere.db", "select 1"))
    with pytest.raises(ConfigError, match="outside of the project"):
        fetch(store, declare(store, f"sqlite:///{tmp_path}/other.db", "select 1"))
    monkeypatch.setenv("DB", "oracle+nothing://h/x")
    with pytest.raises(ConfigError, match="can't be used"):
        fetch(store, declare(store, "${DB}", "select 1"))


def test_unknown_kinds_are_refused(tmp_path: Path) -> None:
    """The kinds that are known are listed."""
    store = Store(tmp_path, "d")
    with pytest.raises(ConfigError, match=r"kind 'gopher'.*http, https, s3"):
        fetch(store, declare(store, "gopher://h/x"))


def test_secrets_are_named_and_never_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found in the environment or where a flow looks; hidden in every form they may take."""
    monkeypatch.setenv("TOKEN", SECRET)
    assert reveal("https://u:${TOKEN}@h", "source") == "https://u:s3cr3t%2Fp%40ss%20word@h"
    assert reveal("${TOKEN}", "source") == SECRET
    said = f"failed at {SECRET} and s3cr3t%2Fp%40ss%20word and s3cr3t%2Fp%40ss+word"
    assert hide(said) == "failed at ${TOKEN} and ${TOKEN} and ${TOKEN}"
    with pytest.raises(ConfigError, match="needs the secret OTHER, and it is not set"):
        reveal("x${OTHER}", "source")
    with looking_up({"OTHER": "blockvalue"}.get):
        assert reveal("x${OTHER}", "source") == "xblockvalue"
    assert hide("x blockvalue") == "x ${OTHER}"
    monkeypatch.setenv("WHOLE", "postgresql://me:hunter22@h/db")
    reveal("${WHOLE}", "source")
    assert hide("login of me with hunter22 failed") == "login of me with ${WHOLE} failed"
    with pytest.raises(ConfigError, match="a password of 8 characters in clear") as caught:
        reveal("https://me:hunter22@h", "source")
    assert "hunter" not in str(caught.value)
