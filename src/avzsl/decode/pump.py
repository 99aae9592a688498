"""Keeps the decoding workers busy: one thread of the parent.

    clips ──► next ──► in hand, one a worker ──► results, by number ──► consumer, in order
               ▲                                     │
               └──────── while there is room ◄───────┘

A worker that ends or does not answer in time costs the clip that it had in hand; another worker
takes its place.
"""

from __future__ import annotations

import contextlib
import multiprocessing.connection
import os
import pickle
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from avzsl.decode.arena import Parcel
from avzsl.decode.process import START_SECONDS, Worker
from avzsl.decode.task import DecodeTask, Payload
from avzsl.decode.worker import Answer
from avzsl.types import ClipRef, Failure

_REORDER_CLIPS = 4096
"""How far decoding may run ahead in clips; failures take no memory that ``ahead_bytes`` counts."""
_START_ATTEMPTS = 3
Stage: TypeAlias = Literal["missing", "no-stream", "too-short", "decode", "timeout", "crash"]


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What became of one clip: exactly one of ``payload`` and ``failure`` is not None."""

    clip: ClipRef
    payload: Payload | None = None
    """The decoded clip. Its arrays lie in memory that is used again once nobody refers to them."""
    failure: Failure | None = None


@dataclass
class DecodeStatistics:
    """Where the time went; counts up while clips are decoded."""

    clips: int = 0
    """Clips that were taken."""
    failures: int = 0
    """Of these, clips without a payload."""
    wait_seconds: float = 0.0
    """How long the consumer waited for the next clip."""
    decode_seconds: float = 0.0
    """Time in the decoder, summed over the workers."""
    payload_bytes: int = 0
    """Size of all payloads."""
    restarts: int = 0
    """Workers that were replaced."""


class Pump:
    """Decodes clips in worker processes, running ahead of whoever takes them.

    Args:
        clips: In the order in which they are taken.
        task: What to decode from each.
        workers: Number of processes.
        timeout_seconds: How long one clip may take.
        ahead_bytes: How much decoded data may wait, the clips in hand counted as of mean size.
            Memory that is kept for later clips comes on top, at most as much again.
    """

    def __init__(
        self,
        clips: Sequence[ClipRef],
        task: DecodeTask,
        *,
        workers: int,
        timeout_seconds: float,
        ahead_bytes: int,
    ) -> None:
        self.statistics = DecodeStatistics()
        self._clips = clips
        self._task = pickle.dumps(task)
        self._library_path = task.decoder.library_path
        self._wanted_workers = workers
        self._timeout_seconds = timeout_seconds
        self._ahead_bytes = ahead_bytes
        # Of the pump's thread alone.
        self._next = 0
        self._workers: list[Worker] = []
        self._failed_starts = 0
        self._payloads = 0
        # Shared with the consumer, under the lock of ``_changed``.
        self._changed = threading.Condition()
        self._results: dict[int, tuple[Decoded, int]] = {}
        self._waiting_bytes = 0
        self._wanted = 0
        self._stopped = False
        self._error: BaseException | None = None
        self._bell, self._bell_push = socket.socketpair()
        self._bell_push.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="decode-ahead", daemon=True)

    def start(self) -> None:
        """Start the thread, and with it the workers."""
        self._thread.start()

    def stop(self) -> None:
        """Kill the workers and wait until they and the thread have ended."""
        with self._changed:
            self._stopped = True
        self._wake()
        self._thread.join()
        self._bell.close()
        self._bell_push.close()
        self._results.clear()

    def take(self, number: int) -> Decoded:
        """Wait for the result of a clip; clips are taken in their order, each once.

        Raises:
            RuntimeError: If the workers cannot work at all, or were not started or are stopped.
        """
        if self._stopped or self._thread.ident is None:
            raise RuntimeError("Clips are decoded only within the `with` statement.")
        begin = time.perf_counter()
        with self._changed:
            self._wanted = number
            self._wake()
            while number not in self._results and self._error is None:
                self._changed.wait()
            if number not in self._results:
                raise RuntimeError(f"Decoding stopped: {self._error}") from self._error
            decoded, size = self._results.pop(number)
            self._waiting_bytes -= size
            self._wanted = number + 1
        self._wake()
        self.statistics.wait_seconds += time.perf_counter() - begin
        self.statistics.clips += 1
        self.statistics.failures += decoded.failure is not None
        return decoded

    def _wake(self) -> None:
        """Make the pump look around."""
        # A full socket means that it will look around anyway.
        with contextlib.suppress(BlockingIOError):
            self._bell_push.send(b"!")

    def _run(self) -> None:
        """Drive the workers until all clips are decoded or the consumer stops."""
        try:
            while not self._stopped and (self._next < len(self._clips) or self._in_hand()):
                self._dispatch()
                self._listen()
        except BaseException as error:  # the consumer raises it
            with self._changed:
                self._error = error
        finally:
            for worker in self._workers:
                worker.kill()
            self._workers.clear()
            with self._changed:
                self._changed.notify_all()

    def _in_hand(self) -> int:
        return sum(worker.number is not None for worker in self._workers)

    def _dispatch(self) -> None:
        """Give a clip to every worker that has none, while there are clips and there is room."""
        while self._next < len(self._clips) and self._has_room():
            clip = self._clips[self._next]
            if clip.stamp == "missing" or not os.path.exists(clip.path):  # noqa: PTH110
                self._fail(self._next, "missing", f"{clip.path}: there is no such file.")
                self._next += 1
                continue
            idle = [w for w in self._workers if w.ready and w.number is None]
            if not idle:
                self._hire()
                return
            try:
                save = sum(w.memory_bytes for w in self._workers) > 2 * self._ahead_bytes
                idle[0].give(self._next, clip, timeout_seconds=self._timeout_seconds, save=save)
            except OSError:
                # It ended while it had nothing to do; the clip goes to another one.
                idle[0].number = None
                self._lose(idle[0], "crash", idle[0].end())
                continue
            self._next += 1

    def _has_room(self) -> bool:
        """Return whether one more clip may be decoded now; the wanted one always may."""
        mean = self.statistics.payload_bytes / max(1, self._payloads)
        with self._changed:
            ahead = self._next - self._wanted
            expected = self._waiting_bytes + (self._in_hand() + 1) * mean
            return ahead == 0 or (ahead < _REORDER_CLIPS and expected <= self._ahead_bytes)

    def _hire(self) -> None:
        """Start the workers that are wanted and that the clips left can occupy."""
        left = len(self._clips) - self._next + self._in_hand()
        while len(self._workers) < min(self._wanted_workers, left):
            self._workers.append(Worker(self._task, library_path=self._library_path))

    def _listen(self) -> None:
        """Wait until a worker says something, one is late, or the consumer rings."""
        busy = [w for w in self._workers if not w.ready or w.number is not None]
        deadline = min((w.deadline for w in busy), default=None)
        patience = None if deadline is None else max(0.0, deadline - time.monotonic())
        speakers: list[Any] = [self._bell, *(w.connection for w in self._workers)]
        heard = multiprocessing.connection.wait(speakers, patience)
        if self._bell in heard:
            self._bell.recv(4096)
        for worker in self._workers.copy():
            if worker.connection in heard:
                self._hear(worker)
            # An answer that came just now is in time, however late this thread looks.
            elif (
                worker in busy
                and worker.deadline <= time.monotonic()
                and not worker.connection.poll()
            ):
                self._time_out(worker)

    def _hear(self, worker: Worker) -> None:
        """Take what a worker says, or note that it has ended."""
        try:
            message = worker.receive()
        except (OSError, EOFError):
            self._lose(worker, "crash", worker.end())
            return
        if isinstance(message, Answer):
            self._take_answer(worker, message)
        elif message:
            raise RuntimeError(f"a decoding worker cannot start.\n{message}")
        else:
            worker.ready = True
            self._failed_starts = 0

    def _take_answer(self, worker: Worker, answer: Answer) -> None:
        """Put a worker's answer on the shelf."""
        assert worker.number is not None, "an answer to no question"
        number, worker.number = worker.number, None
        self.statistics.decode_seconds += answer.seconds
        if isinstance(answer.result, Parcel):
            size = answer.result.size
            self._payloads += 1
            self.statistics.payload_bytes += size
            payload = worker.unpack(answer.result)
            self._put(number, Decoded(clip=self._clips[number], payload=payload), size)
        else:
            worker.keep_arena()
            self._fail(number, *answer.result)

    def _time_out(self, worker: Worker) -> None:
        """Kill a worker that did not answer in time."""
        worker.kill()
        if not worker.ready:
            raise RuntimeError(f"a decoding worker did not start within {START_SECONDS:g} s.")
        self._lose(
            worker, "timeout", f"took longer than {self._timeout_seconds:g} s and was killed"
        )

    def _lose(self, worker: Worker, stage: Literal["crash", "timeout"], how: str) -> None:
        """Go on without a worker that has ended."""
        self._workers.remove(worker)
        self.statistics.restarts += 1
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts == _START_ATTEMPTS:
                raise RuntimeError(
                    f"{_START_ATTEMPTS} decoding workers did not start: the last {how}."
                )
        elif worker.number is not None:
            path = self._clips[worker.number].path
            self._fail(worker.number, stage, f"{path}: the decoder {how}.")

    def _fail(self, number: int, stage: Stage, reason: str) -> None:
        """Put a clip without a payload on the shelf."""
        clip = self._clips[number]
        failure = Failure(video_id=clip.video_id, stage=stage, reason=reason)
        self._put(number, Decoded(clip=clip, failure=failure), 0)

    def _put(self, number: int, decoded: Decoded, size: int) -> None:
        with self._changed:
            self._results[number] = decoded, size
            self._waiting_bytes += size
            self._changed.notify_all()
