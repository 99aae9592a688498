"""Checkpoints of CLIP and of X-CLIP: their files, their two layouts, and how large they are.

Two layouts of the same networks are read:

- the *hub* layout of ``transformers`` (``text_model.*``, ``vision_model.*``): a folder with
  ``config.json``, which says how large the network is;
- the *original* layout of OpenAI's CLIP and of VideoX (``transformer.resblocks.*``, ``visual.*``):
  one file, whose shapes say how large the network is; a head of attention has 64 channels in all
  of them. Its tensors get the names and forms of the hub layout here.

Whichever of the two it is, a file holds both a half for texts and one for pictures; an encoder
takes one and names what it leaves out.
"""

from __future__ import annotations

import math
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avzsl.encoders.hub_files import read_json
from avzsl.encoders.states import depth_of, read_tensors, renamed
from avzsl.sources.checkpoint import Checkpoint

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "model.safetensors|pytorch_model.bin|*.safetensors|*.pth|*.pt|*.bin"
CONFIG = "?config.json"
RECIPE = "?preprocessor_config.json"

HEAD_CHANNELS = 64
"""Channels of a head of attention in every network of the original layout."""

TEXT_SIZES: dict[str, Any] = {
    "vocab_size": 49408,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
"""Text half of the base models; what a ``config.json`` does not say is as here."""
VISION_SIZES: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
"""Picture half of the base model with patches of 32 pixels."""
VIDEO_SIZES: dict[str, Any] = VISION_SIZES | {
    "mit_hidden_size": 512,
    "mit_intermediate_size": 2048,
    "mit_num_hidden_layers": 1,
    "mit_num_attention_heads": 8,
    "num_frames": 8,
}
"""The same of X-CLIP, with the transformer over frames."""
HALVES = {"text_config": TEXT_SIZES, "vision_config": VISION_SIZES, "video_config": VIDEO_SIZES}

RULES = (
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"^text_projection$", "text_projection.weight"),
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^visual\.proj$", "visual_projection.weight"),
    (r"^mit\.positional_embedding$", "mit.position_embedding"),
    (r"^mit\.resblocks\.", "mit.encoder.layers."),
    (r"(\.layers\.\d+)\.ln_", r"\1.layer_norm"),
    (r"(\.layers\.\d+)\.attn\.", r"\1.self_attn."),
    (r"(\.layers\.\d+)\.mlp\.c_fc\.", r"\1.mlp.fc1."),
    (r"(\.layers\.\d+)\.mlp\.c_proj\.", r"\1.mlp.fc2."),
)
"""From the original layout to the hub's, but for the norm before the vision transformer."""
FIRST_NORM = {"clip": "vision_model.pre_layrnorm.", "xclip": "vision_model.pre_layernorm."}
"""That norm's name on the hub, by ``model_type``; the first is spelled so there."""

NOT_NEEDED = (
    r"logit_scale",
    r"(?:input_resolution|context_length|vocab_size)",
    r"(?:text|vision)_model\.embeddings\.position_ids",
)
"""Numbers that no feature depends on, by names of either layout."""
TEXT_HALF = (r"text_model\..+", r"text_projection\.weight")
VISION_HALF = (r"vision_model\..+", r"visual_projection\.weight")


def read_config(checkpoint: Checkpoint, half: str, *, model_type: str) -> dict[str, Any]:
    """Return how large one half is: arguments of the configuration class of ``transformers``.

    Args:
        checkpoint: With the files ``WEIGHTS`` and ``CONFIG``.
        half: ``text_config``, ``vision_config``, or ``video_config`` for that of X-CLIP.
        model_type: ``clip`` or ``xclip``.

    Returns:
        ``projection_dim``, and the sizes under ``text_config`` or ``vision_config``.

    Raises:
        ValueError: If the files hold another network, or ``config.json`` is missing.
    """
    shapes = _read(checkpoint, shapes_only=True)
    if is_original(shapes):
        if model_type == "xclip":
            depth_of(shapes, r"mit\.resblocks\.(\d+)\.")  # refuses CLIP
        return _config_from_shapes(_to_hub(shapes, model_type), half, checkpoint.label)
    if CONFIG not in checkpoint.files:
        raise ValueError(
            f"{checkpoint.label}: tensors in the layout of Hugging Face need the config.json of "
            "their repository in the same folder, there is none."
        )
    config = read_json(checkpoint.file(CONFIG))
    found = config.get("model_type")
    if found != model_type:
        raise ValueError(
            f"{checkpoint.label}: expected the config.json of a model of type {model_type!r}, "
            f"got {found!r}."
        )
    place = "text_config" if half == "text_config" else "vision_config"
    told = (config.get(place) or {}) | (config.get(f"{place}_dict") or {})
    sizes = {name: told.get(name, usual) for name, usual in HALVES[half].items()}
    return {"projection_dim": config.get("projection_dim", 512), place: sizes}


def read_half(
    checkpoint: Checkpoint, *, model_type: str, dropped: Sequence[str]
) -> dict[str, Tensor]:
    """Return the tensors of one half under their names on the hub.

    Args:
        checkpoint: With the file ``WEIGHTS``.
        model_type: ``clip`` or ``xclip``.
        dropped: Regular expressions of the hub's names of what the half leaves out, besides
            ``NOT_NEEDED``.

    Raises:
        ValueError: If the file cannot be read.
    """
    tensors = _read(checkpoint, shapes_only=False)
    if is_original(tensors):
        tensors = _to_hub(tensors, model_type)
    return renamed(tensors, dropped=(*NOT_NEEDED, *dropped))


def is_original(tensors: Mapping[str, Any]) -> bool:
    """Return whether tensors have the names of OpenAI and VideoX, not those of the hub."""
    return not any(name.startswith(("text_model.", "vision_model.")) for name in tensors)


def _read(checkpoint: Checkpoint, *, shapes_only: bool) -> dict[str, Tensor]:
    """Return the tensors as they are published, without what distributed training prefixes."""
    import torch

    paths = checkpoint.files[WEIGHTS]
    if len(paths) > 1:
        raise ValueError(
            f"{checkpoint.label}: expected one file of weights, got "
            f"{', '.join(path.name for path in paths)}; give the path of one as 'weights'."
        )
    _refuse_script(paths[0])
    # VideoX keeps its settings beside the tensors, in a class of the library yacs: a table of
    # names and values, and read as no more than that.
    settings: Any = (OrderedDict, "yacs.config.CfgNode")
    with torch.serialization.safe_globals([settings]):
        tensors = read_tensors(
            paths[0], wrapped_in=("model", "state_dict"), shapes_only=shapes_only
        )
    return renamed(tensors, [(r"^module\.", "")])


def _refuse_script(path: Path) -> None:
    """Tell what to do with the files that OpenAI publishes: programs with the tensors in them."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        is_script = any(Path(name).name == "constants.pkl" for name in archive.namelist())
    if is_script:
        raise ValueError(
            f"{path}: a TorchScript archive, as OpenAI publishes CLIP. It holds a program beside "
            "the tensors, so it is not read. Save the tensors alone once, and give that file as "
            f"'weights': torch.save(torch.jit.load({path.name!r}, map_location='cpu')"
            ".state_dict(), 'clip-tensors.pt'). Or take the same weights from Hugging Face: "
            "avzsl fetch weights clip-vit-base-patch32."
        )


def _to_hub(tensors: Mapping[str, Tensor], model_type: str) -> dict[str, Tensor]:
    """Return tensors of the original layout under the hub's names and in its forms."""
    made: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        begin, _, kind = name.rpartition("in_proj_")
        if begin and kind in ("weight", "bias") and tensor.ndim and len(tensor) % 3 == 0:
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                made[f"{begin}{letter}_proj.{kind}"] = part
        elif name in ("text_projection", "visual.proj") and tensor.ndim == 2:
            made[name] = tensor.mT.contiguous()
        else:
            made[name] = tensor
    return renamed(made, [*RULES, (r"^visual\.ln_pre\.", FIRST_NORM[model_type])])


def _config_from_shapes(state: Mapping[str, Tensor], half: str, label: str) -> dict[str, Any]:
    """Return what ``read_config`` does from shapes of tensors with the hub's names."""

    def size(name: str, axis: int) -> int:
        if name not in state or axis >= state[name].ndim:
            raise ValueError(f"{label}: has no tensor {name}, or not of its form; another model's?")
        return int(state[name].shape[axis])

    def tower(name: str, prefix: str = "") -> dict[str, Any]:
        layers = depth_of(state, rf"{name}\.encoder\.layers\.(\d+)\.")
        width = size(f"{name}.encoder.layers.0.mlp.fc1.weight", 1)
        return {
            f"{prefix}hidden_size": width,
            f"{prefix}intermediate_size": size(f"{name}.encoder.layers.0.mlp.fc1.weight", 0),
            f"{prefix}num_hidden_layers": layers,
            f"{prefix}num_attention_heads": max(1, width // HEAD_CHANNELS),
        }

    if half == "text_config":
        texts = "text_model.embeddings"
        sizes = tower("text_model") | {
            "vocab_size": size(f"{texts}.token_embedding.weight", 0),
            "max_position_embeddings": size(f"{texts}.position_embedding.weight", 0),
        }
        width = size("text_projection.weight", 0)
        return {"projection_dim": width, "text_config": TEXT_SIZES | sizes}
    pictures = "vision_model.embeddings"
    patch = size(f"{pictures}.patch_embedding.weight", 3)
    side = patch * math.isqrt(size(f"{pictures}.position_embedding.weight", 0) - 1)
    sizes = tower("vision_model") | {"patch_size": patch, "image_size": side}
    if half == "video_config":
        sizes |= tower("mit", "mit_") | {"num_frames": size("mit.position_embedding", 1)}
    width = size("visual_projection.weight", 0)
    return {"projection_dim": width, "vision_config": HALVES[half] | sizes}
