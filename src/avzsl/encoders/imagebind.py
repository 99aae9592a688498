"""What the three towers of ImageBind share: checkpoint, sizes, and unit vectors out of views.

ImageBind (Girdhar et al., CVPR 2023) embeds pictures, sound and text, among others, into one space.
One file holds all its towers; each of the encoders ``imagebind-vision``, ``imagebind-audio`` and
``imagebind-text`` reads its own and names all others as dropped.

Published outputs are unit vectors times a scale (20 for sound, a learned one for text, none for
pictures), averaged over the views of a clip. The scale is the same for all clips and only weighs a
modality in the sum of losses; it is left out here: views become unit vectors, their mean a unit
vector again.

Checkpoints: https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth, and in safetensors under
the same names. Weights are CC BY-NC-SA 4.0: no commercial use.

Shapes: B windows, V views of a window, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from avzsl.encoders.pretrained import Pretrained
from avzsl.sources.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TowerName = Literal["vision", "audio", "text"]

LICENCE = "CC BY-NC-SA 4.0, no commercial use"
PAPER = "girdhar2023imagebind"
CHECKPOINT_FILES = "*.pth|*.pt|*.safetensors|*.bin"

HEAD_SIZE: dict[TowerName, int] = {"vision": 80, "audio": 64, "text": 64}
"""Width of one attention head; the checkpoint does not tell."""
VIEWS_AT_ONCE = 64
"""Views of one forward pass: bounds the memory, and fills a GPU."""
PICTURES = 2
"""Pictures that a view of a video has."""
AUDIO_STRIDE = 10
"""From one patch of a spectrogram to the next; the checkpoint does not tell."""
SECONDS = 2.0
"""Length of a clip of sound or video that the towers see at once."""

_OTHERS: dict[TowerName, str] = {
    "vision": "audio|text|depth|thermal|imu",
    "audio": "vision|text|depth|thermal|imu",
    "text": "vision|audio|depth|thermal|imu",
}


@dataclass(frozen=True, kw_only=True)
class TowerSizes:
    """How large a tower is."""

    tower: TowerName
    width: int
    layers: int
    heads: int
    out: int
    """Length of a feature vector."""
    places: int
    """Learned positions: patches and a class token, or tokens of a text."""
    patch: int = 0
    """Side of a patch in pixels, or in mel bands and steps of 10 ms."""
    vocabulary: int = 0
    """Known tokens of text."""


class ImageBind(Pretrained[TowerSizes]):
    """One tower of an ImageBind checkpoint."""

    tower: ClassVar[TowerName]
    sources = ("imagebind-huge",)
    files: ClassVar[tuple[str, ...]] = (CHECKPOINT_FILES,)

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return self.sizes.out

    def read_sizes(self, checkpoint: Checkpoint) -> TowerSizes:
        """Return the sizes by the shapes of the checkpoint's tensors.

        Raises:
            ValueError: If the file holds another network.
        """
        from avzsl.encoders.states import depth_of, read_tensors

        shapes = {
            name: tuple(tensor.shape)
            for name, tensor in read_tensors(
                checkpoint.files[CHECKPOINT_FILES], wrapped_in=("state_dict",), shapes_only=True
            ).items()
        }
        head, inside = f"modality_heads.{self.tower}", f"modality_preprocessors.{self.tower}"
        blocks = rf"modality_trunks\.{self.tower}\.blocks\.(\d+)\."
        places = "pos_embed" if self.tower == "text" else "pos_embedding_helper.pos_embed"
        projection = f"{head}.proj.1.weight" if self.tower == "text" else f"{head}.2.weight"
        stem = f"{inside}.rgbt_stem.proj{'.1' if self.tower == 'vision' else ''}.weight"
        try:
            out, width = shapes[projection]
            return TowerSizes(
                tower=self.tower,
                width=width,
                layers=depth_of(shapes, blocks),
                heads=self._heads(width),
                out=out,
                places=shapes[f"{inside}.{places}"][1],
                patch=0 if self.tower == "text" else shapes[stem][-1],
                vocabulary=(
                    shapes[f"{inside}.token_embedding.weight"][0] if self.tower == "text" else 0
                ),
            )
        except KeyError as error:
            raise ValueError(
                f"{self.kind} from {checkpoint.label}: the file has no tensor {error}; "
                "it is not a checkpoint of ImageBind."
            ) from None

    def build(self, sizes: TowerSizes) -> torch.nn.Module:
        """Return the network."""
        from avzsl.encoders.networks.imagebind import build_tower

        return build_tower(sizes)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """Return the tensors of this tower; those of the others, and the scale, are dropped."""
        from avzsl.encoders.states import read_tensors, renamed

        own = self.tower
        return renamed(
            read_tensors(
                checkpoint.files[CHECKPOINT_FILES],
                wrapped_in=("state_dict",),
                only=rf"modality_\w+\.{own}\..*",
            ),
            [
                (rf"^modality_preprocessors\.{own}\.", "preprocessor."),
                (rf"^modality_trunks\.{own}\.", "trunk."),
                (rf"^modality_heads\.{own}\.", "head."),
            ],
            dropped=[
                rf"modality_(preprocessors|trunks|heads|postprocessors)\.({_OTHERS[own]})\..*",
                rf"modality_postprocessors\.{own}\.1\.log_logit_scale",
                r"modality_preprocessors\.text\.mask",  # the causal mask
            ],
        )

    def unit_vectors(self, inputs: Tensor) -> Tensor:
        """Return [B, D], one vector of unit length for each input of the network, float32."""
        import torch
        from torch.nn import functional

        with self.arithmetic():
            parts = [self.network(piece) for piece in inputs.split(VIEWS_AT_ONCE)]
        return functional.normalize(torch.cat(parts).float(), dim=-1)

    def mean_of_views(self, windows: Tensor) -> Tensor:
        """Return [B, D] of unit length: the mean of the unit vectors of [B, V, ...] views."""
        from torch.nn import functional

        unit_BVD = self.unit_vectors(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        return functional.normalize(unit_BVD.mean(1), dim=-1)

    def _heads(self, width: int) -> int:
        size = HEAD_SIZE[self.tower]
        if width % size:
            raise ValueError(
                f"{self.kind}: a width of {width} is no multiple of ImageBind's {size} per head."
            )
        return width // size
