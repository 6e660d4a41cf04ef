"""Sources elsewhere: a file by http(s) or in object storage, a query to a database.

What is fetched is written below ``data/runs/<dataset>/fetched/`` whole, in place of what was
fetched before, and then read like any other file. URLs may name secrets; no message repeats them.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.config.settings import DatasetConfig
from pipeline.errors import ConfigError, SourceError
from pipeline.secrets import NAME, hide, reveal
from pipeline.sources.locating import locate
from pipeline.storage.disk import TEMPORARY, explaining, fsync_directory, make_directory
from pipeline.storage.store import Store

if TYPE_CHECKING:
    from sqlalchemy import URL

WEB = ("http", "https")
OBJECTS = ("s3", "gs", "gcs", "abfs", "abfss")
CHUNK = 1 << 20
TIMEOUT_SECONDS = 60.0
ROWS = 10_000
# SQLite calls these operational, as it does a locked file.
WRONG_QUERY = r"no such (table|column|function)|syntax error"


class SourceUnavailable(SourceError):
    """A server did not answer, or not now; trying again can help."""


def is_elsewhere(source: str) -> bool:
    """Tell whether a source is a URL, or a secret that holds one."""
    return "://" in source or NAME.fullmatch(source) is not None


def fetch(store: Store, config: DatasetConfig) -> Path:
    """Fetch the source from where its URL leads.

    Returns
    -------
    Path
        The file; its suffix tells its kind.

    Raises
    ------
    ConfigError
        If the URL is of an unknown kind, names a secret that is not set, or holds a password.
    SourceUnavailable
        If the server can't be reached or fails for now.
    SourceError
        If it refuses, or the query is wrong.
    """
    url = reveal(config.source, "source")
    parts = urlsplit(url)
    kind = parts.scheme.casefold()
    if config.query is not None or kind.split("+")[0] in ("postgresql", "mysql", "sqlite", "mssql"):
        return _place(store, f"{config.dataset}.csv", lambda out: _query(url, store, config, out))
    name = Path(parts.path).name or config.dataset
    if kind in WEB:
        return _place(store, name, lambda out: _download(url, out))
    if kind in OBJECTS:
        return _place(store, name, lambda out: _copy_object(url, out))
    known = ", ".join((*WEB, *OBJECTS))
    raise ConfigError(
        "config", f"source is a URL of the kind {hide(kind)!r}",
        f"Give one of {known}, or of a database together with `query`",
    )  # fmt: skip


def _place(store: Store, name: str, write: Callable[[Path], None]) -> Path:
    folder = store.runs / "fetched"
    temporary = folder / f"{TEMPORARY}{os.getpid()}-{name}"
    with explaining("fetch", folder):
        make_directory(folder)
        try:
            write(temporary)
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, folder / name)
            fsync_directory(folder)
        finally:
            temporary.unlink(missing_ok=True)
    return folder / name


def _download(url: str, out: Path) -> None:
    import httpx

    with (
        _explaining_failure(httpx.TransportError, "the server can't be reached"),
        httpx.stream("GET", url, follow_redirects=True, timeout=TIMEOUT_SECONDS) as answer,
        out.open("wb") as file,
    ):
        _check_status(answer.status_code, answer.reason_phrase)
        for chunk in answer.iter_bytes(CHUNK):
            file.write(chunk)


def _check_status(status: int, reason: str) -> None:
    if status < 400:
        return
    if status in (408, 425, 429) or status >= 500:
        raise SourceUnavailable(
            "fetch", f"the server of the source answered {status} {reason}", "Try again later"
        )
    raise SourceError(
        "fetch", f"the server of the source answered {status} {reason}",
        "Correct `source`, or the secret that it names",
    )  # fmt: skip


def _copy_object(url: str, out: Path) -> None:
    from pyarrow import ArrowException, fs

    try:
        files, path = fs.FileSystem.from_uri(url)
        with files.open_input_stream(path) as stream, out.open("wb") as file:
            while chunk := stream.read(CHUNK):
                file.write(chunk)
    except (OSError, ArrowException) as error:
        final = isinstance(error, FileNotFoundError | ArrowException) or "DENIED" in str(error)
        kind = SourceError if final else SourceUnavailable
        raise kind(
            "fetch", f"the object can't be read: {_shorten(error)}",
            "Correct `source`, or the secrets that it names",
        ) from None  # fmt: skip


def _query(url: str, store: Store, config: DatasetConfig, out: Path) -> None:
    """Write the rows of a query as CSV; a null becomes an empty field."""
    if config.query is None:
        raise ConfigError(
            "config", "source is a database, and `query` is missing",
            "Add, say, query: select * from measurements order by id",
        )  # fmt: skip
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError

    try:
        engine = sqlalchemy.create_engine(_place_file(sqlalchemy.make_url(url), store))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            "fetch", f"the database of the source can't be used: {_shorten(error)}",
            "Correct its URL, or install its driver into this environment",
        ) from None  # fmt: skip
    try:
        with (
            _explaining_failure(OperationalError, "the database failed", WRONG_QUERY),
            engine.connect() as connection,
            out.open("w", encoding="utf-8", newline="") as file,
        ):
            lines = csv.writer(file)
            query = sqlalchemy.text(config.query)
            result = connection.execution_options(stream_results=True).execute(query)
            lines.writerow(result.keys())
            for rows in result.partitions(ROWS):
                lines.writerows(rows)
    except SQLAlchemyError as error:
        raise SourceError(
            "fetch", f"the database refused the query: {_shorten(error)}", "Correct `query`"
        ) from None
    finally:
        engine.dispose()


def _place_file(url: URL, store: Store) -> URL:
    """Find the file of a SQLite database: relative to dataset.yaml, inside the project."""
    name = url.database
    if url.get_backend_name() != "sqlite" or not name or name == ":memory:":
        return url
    path = locate(store, name)
    if not path.is_file():
        raise SourceError(
            "fetch", f"the database {path} was not found",
            f"Correct `source` in {store.config_path}",
        )  # fmt: skip
    return url.set(database=str(path))


@contextmanager
def _explaining_failure(
    kind: type[Exception] | tuple[type[Exception], ...], what: str, final: str = "(?!)"
) -> Iterator[None]:
    """Take an error for one that may pass, unless its words are of the final kind."""
    try:
        yield
    except kind as error:
        if re.search(final, str(error)):
            raise
        raise SourceUnavailable(
            "fetch", f"{what}: {_shorten(error)}", "See that it is up, and that `source` is right"
        ) from None


def _shorten(error: Exception) -> str:
    """Say the first line of an error, without secrets."""
    text = str(error).strip() or type(error).__name__
    return hide(text.splitlines()[0])[:200]
