"""An extraction job to be killed: ``extraction_job.py ENCODER FOLDER OUT``, with real decoding.

Each video of the folder is taken several times, as segments, so that a few small files are many
clips.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from avzsl.encoders import encoders
from avzsl.extraction import chunks
from avzsl.extraction.engine import extract
from avzsl.extraction.report import ExtractionReport
from avzsl.extraction.settings import ExtractionSettings
from avzsl.types import ClipRef

SEGMENTS = 12
CHUNK = 8


def segments(folder: Path) -> list[ClipRef]:
    """Return segments of 1 s, with ids that begin with ``-``."""
    return [
        ClipRef(
            video_id=f"-{path.stem}-{number:02d}",
            path=str(path),
            start_seconds=0.04 * number,
            end_seconds=0.04 * number + 1.0,
            stamp="1",
        )
        for path in sorted(folder.glob("*.mp4"))
        for number in range(SEGMENTS)
    ]


def extract_for_real(kind: str, clips: list[ClipRef], out: Path) -> ExtractionReport:
    """Extract with a registered encoder on the CPU."""
    torch.set_num_threads(1)
    encoder = encoders.get(kind).from_dict({})
    return extract(
        clips,
        encoder,  # type: ignore[arg-type]
        out,
        dataset="demo",
        encoder_name=kind,
        members_id="members",
        settings=ExtractionSettings(max_failure_rate=0.5, timeout_seconds=20),
        device=torch.device("cpu"),
        threads=1,
        lock_seconds=10,
    )


if __name__ == "__main__":
    chunks.CHUNK_CLIPS = CHUNK
    extract_for_real(sys.argv[1], segments(Path(sys.argv[2])), Path(sys.argv[3]))
