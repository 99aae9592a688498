"""The demo dataset on paper: which clips there are, without making any of them.

A class is a combination of five words, such as "red square spinning, low siren": colour, shape,
motion, pitch and sound. An unseen class is a new combination of words that training shows, so
that knowledge can transfer by composition and by nothing else.

The combinations were fixed before any feature was computed, by these rules (tests check them):

* Training (12 classes) is a covering array of strength two: every pair of words from two
  different parts occurs. Colour meets shape, motion and sound in each pair exactly once.
* The main effects of all parts can be told apart: the 12 indicator rows have rank 11, which is
  1 + 3 + 2 + 2 + 2 + 1, all that an additive model of these parts holds.
* An unseen class shares at most three of its five words with any training class.
* Validation and test have 6 unseen classes each, with every word in both, as evenly as 6 allow;
  two unseen classes of a set share at most two words.

Imports neither torch nor av: Snakemake calls it on every parse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from avzsl.options import options
from avzsl.provenance import digest

Role = Literal["train", "val_unseen", "test_unseen"]
Damage = Literal["truncated", "empty", "no-sound", "short-sound"]

GENERATOR_REVISION = 1
"""Raised by hand whenever the generator draws, renders or encodes a clip differently."""

PARTS: dict[str, tuple[str, ...]] = {
    "colour": ("red", "green", "blue", "yellow"),
    "shape": ("square", "triangle", "star"),
    "motion": ("spinning", "bouncing", "pulsing"),
    "pitch": ("low", "high"),
    "sound": ("siren", "beeps", "rattle"),
}
"""The words of each part, in the order in which a class name says them."""

CLASSES: dict[Role, tuple[str, ...]] = {
    "train": (
        "red square spinning, low siren",
        "red triangle bouncing, low beeps",
        "red star pulsing, high rattle",
        "green square spinning, high siren",
        "green triangle bouncing, low rattle",
        "green star pulsing, low beeps",
        "blue square bouncing, high beeps",
        "blue triangle pulsing, high siren",
        "blue star spinning, low rattle",
        "yellow square pulsing, low rattle",
        "yellow triangle spinning, high beeps",
        "yellow star bouncing, high siren",
    ),
    "val_unseen": (
        "red square spinning, high beeps",
        "red square bouncing, low rattle",
        "green triangle spinning, low siren",
        "green triangle pulsing, high beeps",
        "blue star bouncing, high rattle",
        "yellow star pulsing, low siren",
    ),
    "test_unseen": (
        "red square bouncing, high siren",
        "green square spinning, low beeps",
        "blue triangle pulsing, low beeps",
        "blue star spinning, high siren",
        "yellow triangle pulsing, high rattle",
        "yellow star bouncing, low rattle",
    ),
}
"""All class names by the use of the class."""

CONTAINERS = ("mp4", "avi", "webm")
"""MP4 with H.264 and AAC, AVI with MPEG-4 and MP3 (as UCF101 has), WebM with VP9 and Opus."""

DAMAGES: dict[Damage, str] = {
    "truncated": "the file ends early and has lost its index",
    "empty": "the file holds zero bytes",
    "no-sound": "the file has no sound track",
    "short-sound": "the sound ends after 0.3 s, before one window is full",
}
"""What is wrong with each of the damaged clips."""


@options
class DemoOptions:
    """How the demo dataset is generated; its classes are fixed."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of all that varies from clip to clip."""
    clips_per_class: Annotated[int, Field(ge=2, le=999)] = 24
    """Intact clips of each of the 24 classes."""
    damaged: bool = True
    """Add one truncated, one empty, one mute and one nearly mute clip to training classes."""


@dataclass(frozen=True, kw_only=True)
class DemoClip:
    """One clip of the plan; everything in its file follows from these values."""

    video_id: str
    """Unique; a few begin with ``-``, as ids of real sites do."""
    path: str
    """Relative to the dataset's folder; the suffix names the container."""
    class_name: str
    role: Role
    """The use of its class."""
    seed: int
    """The options' seed."""
    damage: Damage | None = None
    """A key of ``DAMAGES``, or None for an intact clip."""

    @property
    def stamp(self) -> str:
        """The id of the content: it changes when the file that belongs here does.

        Versions of the codec libraries are left out: they change bytes, not the clip.
        """
        made_from = (self.seed, self.video_id, self.path, self.class_name, self.damage)
        return digest("demo", GENERATOR_REVISION, made_from)

    @property
    def parts(self) -> dict[str, str]:
        """The word of each part: ``{"colour": "red", "shape": "square", ...}``."""
        return parts_of(self.class_name)


def parts_of(class_name: str) -> dict[str, str]:
    """Return the word of each part in the name of a demo class.

    Raises:
        ValueError: If the name is not made of one word of each part, in their order.
    """
    words = class_name.replace(",", "").split()
    if len(words) != len(PARTS) or any(
        word not in known for word, known in zip(words, PARTS.values(), strict=True)
    ):
        raise ValueError(
            f"{class_name!r} is no demo class; expected one word of each of "
            + ", ".join(f"{part} ({'/'.join(known)})" for part, known in PARTS.items())
            + "."
        )
    return dict(zip(PARTS, words, strict=True))


def demo_plan(options: DemoOptions) -> list[DemoClip]:
    """Return all clips of the demo dataset in a fixed order: training classes first."""
    plan: list[DemoClip] = []
    for class_number, (class_name, role) in enumerate(
        (name, role) for role, names in CLASSES.items() for name in names
    ):
        for number in range(options.clips_per_class):
            # Turning the containers with the class keeps codec and class apart.
            container = CONTAINERS[(class_number + number) % len(CONTAINERS)]
            video_id = f"{_slug(class_name)}-{number:03d}"
            if number == 0 and class_number % 6 == 0:
                video_id = f"-{video_id}"
            plan.append(
                DemoClip(
                    video_id=video_id,
                    path=f"videos/{video_id}.{container}",
                    class_name=class_name,
                    role=role,
                    seed=options.seed,
                )
            )
    return plan + (_damaged_clips(options.seed) if options.damaged else [])


def _damaged_clips(seed: int) -> list[DemoClip]:
    """Return one clip for each kind of damage, each of another training class."""
    clips = []
    for class_name, damage in zip(CLASSES["train"], DAMAGES, strict=False):
        video_id = f"{_slug(class_name)}-{damage}"
        clips.append(
            DemoClip(
                video_id=video_id,
                path=f"videos/{video_id}.mp4",
                class_name=class_name,
                role="train",
                seed=seed,
                damage=damage,
            )
        )
    return clips


def _slug(class_name: str) -> str:
    return class_name.replace(",", "").replace(" ", "-")
