"""Clips to one feature shard: decode ahead, encode chunk by chunk, write, keep for reuse."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from avzsl.decode.ahead import DecodeAhead, DecodeTask
from avzsl.decode.choice import DecoderChoice, choose_decoder
from avzsl.encoders.base import AudioEncoder, VisualEncoder
from avzsl.extraction.chunks import (
    Chunk,
    keep_for_reuse,
    parts_folder,
    plan_chunks,
    remove_parts,
    unchanged_rows,
)
from avzsl.extraction.clips import ClipEncoder
from avzsl.extraction.progress import Progress
from avzsl.extraction.report import ExtractionReport, Timings
from avzsl.extraction.settings import ExtractionSettings
from avzsl.locks import exclusive
from avzsl.options import as_dict
from avzsl.provenance import digest
from avzsl.shards.failures import check_failures
from avzsl.shards.layout import Header
from avzsl.shards.writer import write_shard
from avzsl.types import ClipFeatures, ClipRef, Failure

_log = logging.getLogger(__name__)


def extract(
    clips: Sequence[ClipRef],
    encoder: AudioEncoder | VisualEncoder,
    out: Path,
    *,
    dataset: str,
    encoder_name: str,
    members_id: str,
    settings: ExtractionSettings,
    device: torch.device,
    reuse: Path | None = None,
    threads: int = 1,
    lock_seconds: float = 60.0,
) -> ExtractionReport:
    """Encode clips into a feature shard.

    A clip that cannot be decoded or encoded costs that clip: it becomes a row of the shard's
    failures. A job that was killed goes on where it was and gives the same bits
    (``avzsl.extraction.chunks`` says how).

    Args:
        clips: The clips of the shard, in any order.
        encoder: Not loaded yet; it is loaded only if there is something to encode.
        out: The shard; it appears whole or not at all.
        dataset: Name of the dataset in the configuration.
        encoder_name: Name of the encoder in the configuration.
        members_id: Digest of ``clips``; kept in the shard.
        settings: How to decode and batch.
        device: Where to preprocess and encode.
        reuse: Side copy of the shard: unchanged clips are taken from it, and it is renewed.
        threads: What the job may use, decoding processes and torch together.
        lock_seconds: How long to wait for another process that writes the same shard.

    Raises:
        ValueError: If a clip is there twice, or more clips failed than the settings allow; what
            was computed is kept for the next run.
        OSError: If the disk is full, another process writes the shard, or the GPU lacks the
            memory for a single window.
    """
    clips = sorted(clips, key=lambda clip: clip.video_id)
    twice = {a.video_id for a, b in itertools.pairwise(clips) if a.video_id == b.video_id}
    if twice:
        raise ValueError(f"{out}: clips that are listed twice: {', '.join(sorted(twice)[:10])}.")
    lock = out.with_name(f".{out.name}.lock")
    with exclusive(lock, wait_seconds=lock_seconds, what=str(out)):
        choice = _choose_decoder(encoder, settings, device)
        header = Header(
            dataset=dataset,
            encoder=encoder_name,
            encoder_kind=encoder.kind,
            modality=encoder.modality,
            fingerprint=encoder.fingerprint,
            options=as_dict(encoder.options),
            members_id=members_id,
            dim=encoder.dim,
            decoders=(f"{choice.version} on {choice.device.partition(':')[0]}",),
        )
        job = _Job(encoder, out, header, choice, settings, device, threads)
        with _torch_threads(settings.encoding_threads(threads)):
            return job.run(clips, reuse)


def _choose_decoder(
    encoder: AudioEncoder | VisualEncoder, settings: ExtractionSettings, device: torch.device
) -> DecoderChoice:
    if isinstance(encoder, AudioEncoder):  # no codec of sound is decoded on a GPU
        return choose_decoder("pyav", "cpu")
    choice = choose_decoder(settings.decoder, str(device))
    _log.info("%s", choice)
    return choice


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads; more than are free cost it half its speed."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class _Job:
    """One shard in the making."""

    encoder: AudioEncoder | VisualEncoder
    out: Path
    header: Header
    choice: DecoderChoice
    settings: ExtractionSettings
    device: torch.device
    threads: int
    timings: Timings = field(default_factory=Timings)

    def run(self, clips: Sequence[ClipRef], reuse: Path | None) -> ExtractionReport:
        """Make the shard; what is finished survives whatever stops it."""
        started = time.perf_counter()
        kept, decoders = unchanged_rows(clips, reuse, self.header.fingerprint)
        chunks = self._plan(clips, kept)
        resumed = [row for chunk in chunks for row in chunk.finished]
        encoded, failures = self._encode(chunks, clips=len(clips))
        self.timings.wall_seconds = time.perf_counter() - started
        own = self.header.decoders if encoded or resumed else ()
        header = replace(self.header, decoders=tuple(sorted({*own, *decoders})))
        rows = [*kept, *resumed, *encoded]
        with self.timings.measure("write"):
            write_shard(self.out, header, rows, failures, timings=self.timings.as_dict())
            if reuse is not None:
                keep_for_reuse(self.out, reuse)
            remove_parts(parts_folder(self.out))
        self.timings.wall_seconds = time.perf_counter() - started
        return ExtractionReport(
            encoded=len(encoded),
            resumed=len(resumed),
            reused=len(kept),
            failures=tuple(failures),
            timings=self.timings,
        )

    def _plan(self, clips: Sequence[ClipRef], kept: Sequence[ClipFeatures]) -> list[Chunk]:
        reused = {row.video_id for row in kept}
        to_encode = [clip for clip in clips if clip.video_id not in reused]
        circumstances = digest(
            self.header.fingerprint,
            self.header.decoders,
            self.device.type,
            self.settings.windows_per_batch(self.device.type),
        )
        folder = parts_folder(self.out) / circumstances
        return plan_chunks(to_encode, folder, self.header.fingerprint)

    def _encode(
        self, chunks: Sequence[Chunk], *, clips: int
    ) -> tuple[list[ClipFeatures], list[Failure]]:
        """Encode what the chunks lack and write their parts; stop when too many clips fail."""
        todo = [clip for chunk in chunks for clip in chunk.todo]
        if not todo:
            return [], []
        settings = self.settings
        task = DecodeTask(
            modality="audio" if isinstance(self.encoder, AudioEncoder) else "visual",
            windows=self.encoder.windows,
            decoder=self.choice,
        )
        ahead = DecodeAhead(
            todo,
            task,
            workers=settings.decoding_processes(self.threads),
            timeout_seconds=settings.timeout_seconds,
            ahead_bytes=settings.ahead_megabytes * 2**20,
        )
        label = f"{self.header.encoder} {self.out.stem}"
        all_rows: list[ClipFeatures] = []
        all_failures: list[Failure] = []
        with ahead, Progress(len(todo), label) as progress:
            decoded = iter(ahead)
            clip_encoder = ClipEncoder(
                self.encoder,
                device=self.device,
                batch_windows=settings.windows_per_batch(self.device.type),
                timings=self.timings,
                done=progress.advance,
            )
            for chunk in chunks:
                if not chunk.todo:
                    continue
                rows, failures = clip_encoder.encode(itertools.islice(decoded, len(chunk.todo)))
                assert len(rows) + len(failures) == len(chunk.todo), "the decoder lost a clip"
                self._write_part(chunk, [*chunk.finished, *rows], failures)
                all_rows += rows
                all_failures += failures
                self._check(all_failures, clips=clips)
        return all_rows, all_failures

    def _write_part(
        self, chunk: Chunk, rows: Sequence[ClipFeatures], failures: Sequence[Failure]
    ) -> None:
        with self.timings.measure("write"):
            write_shard(
                chunk.path, replace(self.header, members_id=chunk.members_id), rows, failures
            )

    def _check(self, failures: Sequence[Failure], *, clips: int) -> None:
        check_failures(
            failures,
            clips=clips,
            max_failure_rate=self.settings.max_failure_rate,
            what=(
                f"Shard {self.out.stem} of dataset {self.header.dataset}, encoder "
                f"{self.header.encoder}"
            ),
        )
