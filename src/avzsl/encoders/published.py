"""``published-audio`` and ``published-visual``: features that others made, taken as they are.

Nothing is decoded and no video is needed: a clip's features are looked up by its id in an archive.
The archive is a tree as AVCA (Mercea et al., CVPR 2022) and TCaF (Mercea et al., ECCV 2022) publish
it and as ``avzsl export features`` writes it:

    <folder>/<Dataset>/features/<features>/{audio,video}/<stage>/<class>.h5 or .pkl

*avca*: HDF5, ``data`` [n, D] and ``video_urls`` [n]; one vector a clip, the mean over its windows.
*tcaf*: pickles of ``features`` (n arrays [T, D]) and ``video_names``; read without running what
they hold. A window is ``step_seconds`` long, and they follow one another without a gap.

``Dataset`` is VGGSound, UCF or ActivityNet for a benchmark, else the dataset's name. The folder
``stage_2_train`` repeats the clips of others and is not read. The licence is that of the archive.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from avzsl.encoders.base import Encoder, EncoderSpec, encoders
from avzsl.options import options
from avzsl.provenance import digest
from avzsl.types import Modality

Layout = Literal["avca", "tcaf"]
SUFFIX: dict[Layout, str] = {"avca": ".h5", "tcaf": ".pkl"}
"""Of a class file."""
FOLDERS: dict[str, str] = {"audio": "audio", "visual": "video"}
"""Modality -> its folder in an archive."""
STAGES = (
    "stage_1_train",
    "stage_1_val_seen",
    "stage_1_val_unseen",
    "stage_2_test_seen",
    "stage_2_test_unseen",
)
"""Folders that hold every clip once."""


@options
class PublishedAudioOptions:
    """Options of ``published-audio``."""

    folder: str = "resources/published"
    """Folder of the archive: what holds ``VGGSound``, ``UCF`` or ``ActivityNet``."""
    layout: Layout = "avca"
    """``avca``: averaged features, an HDF5 file a class; ``tcaf``: temporal ones, pickles."""
    features: str = "cls_features"
    """Folder below ``features``: cls_features (VGGish and C3D), main_features (SeLaVi),
    cls_features_non_averaged, or another."""
    step_seconds: Annotated[float, Field(gt=0)] = 0.96
    """Length of a window of temporal features in seconds: VGGish 0.96, SeLaVi 1.0. Averaged
    features have one window, which begins at 0 and is given this length."""


@options
class PublishedVisualOptions(PublishedAudioOptions):
    """Options of ``published-visual``."""

    step_seconds: Annotated[float, Field(gt=0)] = 0.64
    """Length of a window of temporal features in seconds: C3D 0.64 (16 frames at 25 a second),
    SeLaVi 1.0. Averaged features have one window, which begins at 0 and is given this length."""


@dataclass(frozen=True)
class ClassFile:
    """One file of an archive: the clips of a class in a stage."""

    path: Path
    bytes: int
    stamp: str
    """Size and time of the file."""


@dataclass(frozen=True)
class Archive:
    """The files of one modality of one dataset, as they lie on disk now."""

    folder: Path
    layout: Layout
    files: tuple[ClassFile, ...]
    """Stage by stage, sorted by name."""

    @property
    def id(self) -> str:
        """The id of its files by name, size and time; their content is not read."""
        return digest(
            "archive", [[f"{f.path.parent.name}/{f.path.name}", f.stamp] for f in self.files]
        )

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)


class Published(Encoder):
    """What both kinds share: where the archive is, and the id of what it holds."""

    options: PublishedAudioOptions

    def archive(self, name: str) -> Archive:
        """Return the files of a dataset.

        Args:
            name: Folder of the dataset within the archive.

        Raises:
            FileNotFoundError: If there are none; the message says where they were looked for.
        """
        chosen = self.options
        root = Path(chosen.folder).expanduser()
        folder = root / name / "features" / chosen.features / FOLDERS[self.modality]
        files = [file for stage in STAGES for file in _files(folder / stage, SUFFIX[chosen.layout])]
        if not files:
            raise FileNotFoundError(
                f"{self.kind}: there is no file {folder}/<stage>/<class>{SUFFIX[chosen.layout]}. "
                "Set folder, features and layout of this encoder to where the archive lies."
            )
        return Archive(folder, chosen.layout, tuple(files))

    def fingerprint_of(self, name: str) -> str:
        """Return the id of the features of a dataset: the options, and the files of the archive.

        Raises:
            FileNotFoundError: If there are no files.
        """
        return digest(self.fingerprint, self.archive(name).id)

    @property
    def dim(self) -> int:
        """Length D of AVCA's features of that name; what an archive holds is known when read."""
        supervised = 128 if self.modality == "audio" else 4096
        return 512 if self.options.features.startswith("main_features") else supervised


def _files(folder: Path, suffix: str) -> list[ClassFile]:
    """Return the class files of a stage, sorted by name; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.name.endswith(suffix)]
            stats = [(entry, entry.stat()) for entry in found if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    files = [
        ClassFile(Path(entry.path), stat.st_size, f"{stat.st_size}-{stat.st_mtime_ns}")
        for entry, stat in stats
    ]
    return sorted(files, key=lambda file: file.path.name)


def _spec(summary: str) -> EncoderSpec:
    return EncoderSpec(
        revision=1,
        summary=summary,
        paper="mercea2022avca",
        licence="that of the archive",
        preprocessing="none: nothing is decoded, clips are looked up by id",
        output="the published vector, or one a window, as it is",
    )


@encoders.register("published-audio")
class PublishedAudio(Published):
    """Published features of sound."""

    kind = "published-audio"
    modality: ClassVar[Modality] = "audio"
    spec: ClassVar[EncoderSpec] = _spec("features of sound from a published archive (AVCA, TCaF)")
    Options: ClassVar[type[Any]] = PublishedAudioOptions


@encoders.register("published-visual")
class PublishedVisual(Published):
    """Published features of pictures."""

    kind = "published-visual"
    modality: ClassVar[Modality] = "visual"
    spec: ClassVar[EncoderSpec] = _spec(
        "features of pictures from a published archive (AVCA, TCaF)"
    )
    Options: ClassVar[type[Any]] = PublishedVisualOptions


PUBLISHED_KINDS = (PublishedAudio.kind, PublishedVisual.kind)
