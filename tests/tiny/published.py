"""A tiny archive of features, in both layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write(folder: Path) -> dict[str, dict[str, Any]]:
    """Write the archive; return the options that use it."""
    import numpy as np

    from avzsl.datasets.archives import write_class_file

    for modality in ("audio", "video"):
        for suffix, layout in ((".h5", "avca"), (".pkl", "tcaf")):
            stage = folder / "UCF" / "features" / "cls_features" / modality / "stage_1_train"
            write_class_file(
                stage / f"Archery{suffix}", layout, [("v_1", np.ones((2, 3), np.float32))]
            )
    return {kind: {"folder": str(folder)} for kind in ("published-audio", "published-visual")}
