"""Figures as images inside the page, with words for those who cannot see them."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

from avzsl.report.page.records import Picture

PNG_BEGIN = b"\x89PNG\r\n\x1a\n"
ALTS = {
    "methods": "Chart of S, U, HM and ZSL of every method; its numbers are in the result table.",
    "training": "Curves of training loss and of validation HM over epochs, for every method and "
    "seed, the chosen epoch marked.",
    "confusion": "Matrices of true against predicted class, for every method.",
    "bias": "Curves of S, U and HM over the bias, for every method, the chosen bias marked.",
    "per_class": "Chart of the accuracy of every class, for every method.",
    "bars": "Bars of HM of every row of a study, ours beside published; the numbers are in "
    "its table.",
    "sweep": "Curves over the weight alpha and over the margin; the numbers are in the table.",
    "embeddings": "Map of test clips and class embeddings in two dimensions, for every method.",
}
"""Figure -> what it shows."""


def read_picture(path: Path, name: str, kind: str, caption: str) -> Picture:
    """Return a PNG file as part of the page.

    Args:
        path: The file.
        name: Of the table or study that it belongs to.
        kind: What it shows, see ``ALTS``.
        caption: What a reader must know.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no PNG.
    """
    content = path.read_bytes()
    if not content.startswith(PNG_BEGIN) or len(content) < 24:
        raise ValueError(f"{path} is no PNG image; make it anew with: snakemake -f {path}")
    width, height = struct.unpack(">II", content[16:24])
    return Picture(
        uri=f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}",
        width=width,
        height=height,
        alt=f"{name}: {ALTS.get(kind, caption)}",
        caption=f"{name}, {caption}",
    )
