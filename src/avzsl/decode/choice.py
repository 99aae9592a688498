"""Which decoder runs, and why: one line for the log.

Why PyAV on the CPU: it gives the pixels of torchcodec in less time (16 of the 300 pictures of a
720p clip in 340 ms of processor time against 584 ms, ``benchmarks/decoders.py``), carries its own
FFmpeg, and needs no torch. A worker with PyAV takes 50 MB and starts in 0.3 s; torch adds 1.3 s
and 190 MB (CPU build) to 460 MB (CUDA build).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

import av

from avzsl.decode.ffmpeg_links import library_path

DecoderName = Literal["auto", "torchcodec", "pyav", "decord"]
_CHECK_SECONDS = 120
"""Importing torch for the first time from a network drive can take a minute."""


@dataclass(frozen=True, kw_only=True)
class DecoderChoice:
    """What decodes the pictures of a run. Sound is always decoded by PyAV."""

    name: Literal["torchcodec", "pyav", "decord"]
    device: str = "cpu"
    """``cpu``, or the CUDA device whose NVDEC is used."""
    reason: str = ""
    """Why this one."""
    version: str = ""
    """Of the decoder and of the FFmpeg that it uses; belongs into what is written."""
    library_path: str = ""
    """``LD_LIBRARY_PATH`` that the decoding processes must start with; empty for none."""

    def __str__(self) -> str:
        where = "" if self.device == "cpu" else f" on {self.device}"
        return f"decoder: {self.name}{where} ({self.reason})"


class _Unusable(Exception):  # noqa: N818 - never leaves this file
    """A decoder does not work here; the text says why."""


def choose_decoder(name: DecoderName, device: str) -> DecoderChoice:
    """Return what decodes the pictures.

    Args:
        name: A decoder that must be used, or ``auto``: torchcodec with NVDEC where the encoder
            runs on a GPU and both work, else PyAV on the CPU.
        device: Where the encoder runs: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ValueError: If ``name`` is unknown, or names a decoder that does not work here.
    """
    try:
        if name == "auto":
            return _best(device)
        if name == "pyav":
            return _pyav("as configured")
        if name == "torchcodec":
            return _torchcodec(device)
        if name == "decord":
            return _decord()
    except _Unusable as problem:
        raise ValueError(f"decoder: {name} does not work here: {problem}") from None
    raise ValueError(f"decoder must be auto, torchcodec, pyav or decord, got {name!r}.")


def _best(device: str) -> DecoderChoice:
    if not device.startswith("cuda"):
        return _pyav(f"no CUDA device; its wheel carries FFmpeg {av.ffmpeg_version_info}")
    try:
        choice = _torchcodec(device)
    except _Unusable as problem:
        return _pyav(f"no NVDEC without torchcodec: {problem}")
    return _pyav(choice.reason) if choice.device == "cpu" else choice


def _pyav(reason: str) -> DecoderChoice:
    version = f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}"
    return DecoderChoice(name="pyav", reason=reason, version=version)


def _torchcodec(device: str) -> DecoderChoice:
    """Return torchcodec on ``device``, or on the CPU where there is no NVDEC."""
    _need("torchcodec")
    path = library_path()
    fallback = _run(["-m", "avzsl.decode.torchcodec_check", device], path)
    ffmpeg = f"FFmpeg {av.ffmpeg_version_info} of PyAV" if path else "FFmpeg of the system"
    return DecoderChoice(
        name="torchcodec",
        device="cpu" if fallback else device,
        reason=f"no NVDEC: {fallback}" if fallback else f"{_way(device)}, {ffmpeg}",
        version=f"torchcodec {importlib.metadata.version('torchcodec')}, {ffmpeg}",
        library_path=path,
    )


def _decord() -> DecoderChoice:
    _need("decord")
    _run(["-c", "import decord"], "")
    version = f"decord {importlib.metadata.version('decord')}, its own FFmpeg"
    return DecoderChoice(name="decord", reason="as configured", version=version)


def _way(device: str) -> str:
    return "as configured, on the CPU" if device == "cpu" else "NVDEC"


def _need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise _Unusable(f"it is not installed: pip install 'avzsl[{package}]'.")


def _run(arguments: list[str], path: str) -> str:
    """Run Python as the workers are started, and return what it prints.

    Raises:
        _Unusable: If it fails, with its last word.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            env={**os.environ, **({"LD_LIBRARY_PATH": path} if path else {})},
            capture_output=True,
            text=True,
            timeout=_CHECK_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _Unusable(f"it does not load within {_CHECK_SECONDS} s.") from None
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise _Unusable(words[-1][:300])
    return done.stdout.strip()
