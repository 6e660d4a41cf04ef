"""Pictures for a training while it runs: shuffled, augmented and mixed ahead of it by threads."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import numpy as np

from pipeline.augmentation.augment import augment
from pipeline.augmentation.mixing import mix_batch
from pipeline.augmentation.transform_plan import TransformPlan

Block = tuple[np.ndarray, np.ndarray, np.ndarray]
AHEAD_BYTES = 64 << 20
BLOCK_BYTES = 8 << 20
BLOCK_BATCHES = 64
CHUNK_BYTES = 1 << 20
ALIGNMENT = 64
# Smaller pictures take microseconds each: two threads would pass the interpreter's lock to and fro.
SMALL_BYTES = 6_000


class _StoppedError(Exception):
    """The consumer has gone."""


class Feeder:
    """Blocks of training rows, made ahead of their use.

    The bytes depend on the seed and the epoch alone, not on the number of workers.

    Parameters
    ----------
    read
        Takes row numbers, shape ``(m,)``, int64; returns their pictures, shape
        ``(m, height, width, channels)``, uint8. Called by several threads at once.
    keys
        Shape ``(n,)``, uint64, from `draws.key_rows`.
    targets
        Labels, shape ``(n,)``, integers from 0; or one-hot, shape ``(n, classes)``, float32.
    weights
        Shape ``(n,)``: each row's weight in the loss. A mixed row's target and weight are those
        that make its loss the sum of its parts' weighted losses.
    batch
        Rows of a batch, within which rows are mixed.
    batches
        Batches of a block, the last block of an epoch holds what is left; left out: as many as fit
        in 8 MB, 64 at most.
    classes
        Their number; a plan that mixes makes one-hot targets of labels by it.
    plan
        None: rows are shuffled and read, and nothing else.
    seed
        Root seed.
    workers
        Most threads; small pictures are made by one, which is faster for them.
    ahead_bytes
        About so many bytes of pictures are made ahead at most; one block at least.

    Attributes
    ----------
    batch, batches
        As above.
    waited_seconds
        Time for which consumers were blocked because no block was ready, over all epochs.

    Raises
    ------
    ValueError
        If lengths differ, or the plan mixes and neither targets are one-hot nor ``classes`` given.
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], np.ndarray],
        keys: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray,
        *,
        batch: int,
        batches: int | None = None,
        classes: int | None = None,
        plan: TransformPlan | None = None,
        seed: int = 0,
        workers: int = 2,
        ahead_bytes: int = AHEAD_BYTES,
    ) -> None:
        if not len(keys) == len(targets) == len(weights):
            msg = f"{len(keys)} keys, {len(targets)} targets and {len(weights)} weights differ"
            raise ValueError(msg)
        if plan is not None and plan.mixes and targets.ndim == 1:
            if classes is None:
                msg = f"a plan that mixes needs one-hot targets or classes, got {targets.shape}"
                raise ValueError(msg)
            targets = np.eye(classes, dtype=np.float32)[targets]
        self.waited_seconds = 0.0
        self.batch = batch
        self._read, self._keys, self._targets, self._weights = read, keys, targets, weights
        self._plan, self._seed = plan, seed
        self._bytes = self._measure_picture()
        self.batches = batches or min(BLOCK_BATCHES, max(1, BLOCK_BYTES // (self._bytes * batch)))
        self._workers = workers if self._bytes >= SMALL_BYTES else 1
        self._depth = max(1, ahead_bytes // (self._bytes * batch * self.batches))
        self._running: list[_Run] = []

    def epoch(self, epoch: int) -> Iterator[Block]:
        """Yield the blocks of one epoch: pictures, targets, float32 weights.

        Threads end with the iterator: when it is exhausted, closed or no longer referred to, or by
        `close`. What ``read`` raises in a thread is raised here.
        """
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._keys))
        size = self.batch * self.batches
        starts = iter(range(0, len(order), size))
        waiting: deque[Future[Block]] = deque()
        run = _Run(self._workers)
        self._running.append(run)
        try:
            while not run.stop.is_set():
                while len(waiting) < self._depth and (start := next(starts, None)) is not None:
                    rows = order[start : start + size]
                    waiting.append(run.pool.submit(self._make, rows, epoch, run.stop))
                if not waiting:
                    return
                yield self._take(waiting.popleft())
        except (CancelledError, _StoppedError):
            return  # by `close`, from another thread
        finally:
            run.end()
            self._running.remove(run)

    def close(self) -> None:
        """End the threads of all iterators, at the latest after the megabyte they are at."""
        for run in list(self._running):
            run.end()

    def _measure_picture(self) -> int:
        """Count the bytes of one picture."""
        if self._plan is not None:
            return self._plan.height * self._plan.width * self._plan.channels
        return max(1, self._read(np.arange(min(1, len(self._keys)))).nbytes)

    def _take(self, made: Future[Block]) -> Block:
        """Wait for a block, and keep the time."""
        if made.done():
            return made.result()
        started = time.perf_counter()
        try:
            return made.result()
        finally:
            self.waited_seconds += time.perf_counter() - started

    def _make(self, rows: np.ndarray, epoch: int, stop: threading.Event) -> Block:
        """Make a block chunk by chunk, so that what is read stays in a core's cache."""
        chunk = max(1, CHUNK_BYTES // self._bytes)
        pictures: np.ndarray | None = None
        targets = self._targets[rows]
        weights = self._weights[rows].astype(np.float32)
        for start in range(0, len(rows), chunk):
            if stop.is_set():
                raise _StoppedError
            part = slice(start, start + chunk)
            read = self._read(rows[part])
            if pictures is None:
                pictures = _allocate((len(rows), *read.shape[1:]), read.dtype)
            self._fill(pictures[part], read, rows[part], epoch)
        assert pictures is not None
        if self._plan is not None and self._plan.mixes:
            self._mix((pictures, targets, weights), self._keys[rows], epoch)
        return pictures, targets, weights

    def _fill(self, out: np.ndarray, read: np.ndarray, rows: np.ndarray, epoch: int) -> None:
        """Augment pictures into their place in the block."""
        if self._plan is None:
            out[:] = read
        else:
            augment(read, self._keys[rows], self._plan, seed=self._seed, epoch=epoch, out=out)

    def _mix(self, block: Block, keys: np.ndarray, epoch: int) -> None:
        """Mix each batch of a block in place."""
        assert self._plan is not None
        for start in range(0, len(keys), self.batch):
            pictures, targets, weights = (values[start : start + self.batch] for values in block)
            pictures[:], mixed = mix_batch(
                pictures,
                targets * weights[:, None],
                keys[start : start + self.batch],
                self._plan,
                seed=self._seed,
                epoch=epoch,
            )
            weights[:] = mixed.sum(axis=1)
            # A row of weight 0 counts for nothing; its target stays as it was.
            counts = weights > 0
            targets[counts] = mixed[counts] / weights[counts, None]


def _allocate(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Allocate an array at a multiple of 64 bytes: TensorFlow takes it over without a copy."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


class _Run:
    """The threads of one pass."""

    def __init__(self, workers: int) -> None:
        self.stop = threading.Event()
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="assay-feeder")

    def end(self) -> None:
        self.stop.set()
        self.pool.shutdown(wait=True, cancel_futures=True)
