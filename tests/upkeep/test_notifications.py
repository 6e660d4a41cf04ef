"""Notifications: who hears of a gate stop, a failure, a success after it; a real receiver."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from pipeline.config.dataset_yaml import load_config, load_notifications
from pipeline.config.upkeep import NotificationsConfig
from pipeline.errors import ConfigError
from pipeline.upkeep.notifications import Notice, notify
from tests.conftest import copy_sample

NOTICE = Notice("failed", "d", "it broke", "2026-01-01", "host", None, None, "d: it broke")
SPEED = ["training.epochs=1", "training.compare_unrepaired=false", "training.bootstrap=100"]


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted."""

    def do_POST(self) -> None:
        """Keep a message, and answer as the server's list says."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.append((self.path, json.loads(body)))  # type: ignore[attr-defined]
        answers: list[int] = self.server.answers  # type: ignore[attr-defined]
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Any]:
    """Receive on the loopback interface."""
    made: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    made.answers, made.messages = [204], []
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.mark.slow
def test_each_end_that_matters_is_told(
    home: Path, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate stop, a failure and the first success after them; not a success after a success."""
    monkeypatch.setenv("HOOK", "t0ken")
    copy_sample(home, "hypothyroid")
    declaration = home / "data/hypothyroid/dataset.yaml"
    url = f"http://127.0.0.1:{receiver.server_port}/${{HOOK}}"
    text = declaration.read_text() + f"\nnotifications:\n  webhook: {url}\n"
    declaration.write_text(text)
    run = ["run", "hypothyroid", *(arg for item in SPEED for arg in ("--set", item))]
    assert main(run) == 0
    assert receiver.messages == []

    source = home / "data/hypothyroid/hypothyroid.csv"
    whole = source.read_text()
    source.write_text(whole.replace("TSH,T3_measured", "TSHH,T3_measured", 1))
    assert main(run) == 1
    source.unlink()
    assert main(run) == 2
    declaration.write_text(text + "nonsense: 1\n")
    assert main(run) == 2
    declaration.write_text(text)
    assert main([*run, "--set", "mistyped=1"]) == 2  # which its author reads on the terminal
    source.write_text(whole)
    assert main(run) == 0
    assert main(run) == 0
    mark = home / "data/runs/hypothyroid/running.json"  # as kill -9 leaves it
    mark.write_text('{"started": "2026-01-01T00:00:00+00:00", "process": 0}')
    assert main(run) == 0

    assert {path for path, _ in receiver.messages} == {"/t0ken"}
    told = [message for _, message in receiver.messages]
    assert [m["event"] for m in told] == [
        "stopped", "failed", "failed", "recovered", "failed", "recovered",
    ]  # fmt: skip
    assert "TSH: the column is there; found absent" in told[0]["message"]
    assert Path(told[0]["report"]).is_file()
    assert "was not found" in told[1]["text"]
    assert "nonsense" in told[2]["message"]
    assert "did not finish" in told[4]["text"]
    assert told[3]["version"] == (home / "data/published/hypothyroid/current").readlink().name
    assert not [p for p in (home / "data").rglob("*") if p.is_file() and b"t0ken" in p.read_bytes()]


def test_a_receiver_that_fails_for_now_is_asked_again(receiver: Any) -> None:
    """Two failures are survived; a refusal is final; what went wrong is returned, not raised."""
    url = f"http://127.0.0.1:{receiver.server_port}/"
    receiver.answers = [500, 429, 200]
    assert notify(NOTICE, NotificationsConfig(webhook=url), Path()) == []
    assert len(receiver.messages) == 3
    receiver.answers = [404]
    assert notify(NOTICE, NotificationsConfig(webhook=url), Path()) == [
        "notifications: the webhook answered 404"
    ]
    assert len(receiver.messages) == 4


def test_a_receiver_that_is_down_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of its URL is in no message."""
    monkeypatch.setenv("HOOK", "s3cret")
    config = NotificationsConfig(webhook="http://u:${HOOK}@127.0.0.1:9/${HOOK}")
    (problem,) = notify(NOTICE, config, Path())
    assert "can't be reached" in problem
    assert "s3cret" not in problem
    monkeypatch.delenv("HOOK")
    assert "needs the secret HOOK" in notify(NOTICE, config, Path())[0]


def test_a_command_gets_the_notice_as_json(tmp_path: Path) -> None:
    """It runs in the project, without a shell; its failure is told, not raised."""
    code = "import sys, pathlib; pathlib.Path('out.json').write_text(sys.stdin.read())"
    config = NotificationsConfig(command=(sys.executable, "-c", code))
    assert notify(NOTICE, config, tmp_path) == []
    assert json.loads((tmp_path / "out.json").read_text())["text"] == "d: it broke"
    config = NotificationsConfig(command=(sys.executable, "-c", "raise SystemExit('no mail')"))
    (problem,) = notify(NOTICE, config, tmp_path)
    assert problem.endswith("ended with 1: no mail")
    assert "failed" in notify(NOTICE, NotificationsConfig(command=("/no/such",)), tmp_path)[0]


def test_what_is_declared_is_checked(home: Path) -> None:
    """`on` may be a word or a list, and is no truth value; wrong ways are refused."""
    copy_sample(home, "hypothyroid")
    path = home / "data/hypothyroid/dataset.yaml"
    text = path.read_text()
    path.write_text(text + "\nnotifications: {on: failed, command: mail}\n")
    assert load_config(path).notifications.on == ("failed",)
    assert load_notifications(path).command == ("mail",)
    for wrong in ("{on: [never]}", "{webhook: ftp://x}", "{block: x}"):
        path.write_text(text + f"\nnotifications: {wrong}\n")
        with pytest.raises(ConfigError, match=r"notifications\."):
            load_config(path)
        assert load_notifications(path) == NotificationsConfig()
    assert main(["notify", "hypothyroid"]) == 2


def test_a_data_set_without_notifications_has_none_to_try(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`assay notify` says what is not declared, and which settings declare it."""
    copy_sample(home, "hypothyroid")
    assert main(["notify", "hypothyroid"]) == 2
    said = capsys.readouterr().err
    assert "notifications: hypothyroid declares no notification. Set notifications.webhook" in said
