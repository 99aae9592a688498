"""Files of CLIP and X-CLIP: every tensor accounted for, and what is wrong with a file said."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clip_golden import golden, original
from random_states import random_state
from tiny.clip_xclip import config, layout, write

from avzsl.encoders import encoders

KINDS = ("clip-frames", "clip-text", "xclip-video", "xclip-text")
OWN = {
    "clip-frames": "vision_model.pre_layrnorm.weight",
    "clip-text": "text_model.final_layer_norm.bias",
    "xclip-video": "mit.position_embedding",
    "xclip-text": "text_projection.weight",
}
"""A tensor that each needs, by its name on the hub."""
OWN_ORIGINAL = {
    "clip-frames": "visual.ln_pre.weight",
    "clip-text": "ln_final.bias",
    "xclip-video": "visual.transformer.resblocks.1.message_attn.out_proj.bias",
    "xclip-text": "transformer.resblocks.0.ln_1.weight",
}
WHOLE = {
    "clip-vit-base-patch32": 151_277_313,
    "clip-vit-base-patch16": 149_620_737,
    "clip-vit-large-patch14": 427_616_513,
    "xclip-base-patch32": 196_585_729,
    "xclip-base-patch16": 194_929_153,
    "xclip-large-patch14": 575_673_601,
    "xclip-base-patch16-zero-shot": 194_929_153 + 24 * 512,
}
"""Parameters of the published models; the last has 24 more frames in its table of positions."""


@pytest.fixture
def tiny(tmp_path: Path) -> dict[str, Any]:
    return {kind: Path(told["weights"]) for kind, told in write(tmp_path).items()}


def load(kind: str, weights: Path) -> Any:
    encoder = encoders.get(kind).from_dict({"weights": str(weights)})
    encoder.load(torch.device("cpu"))
    return encoder


def save(state: dict, path: Path) -> None:
    path.unlink()  # loaded weights are mapped from it
    torch.save(state, path)


def edit(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    path = folder / name
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


# --- every tensor ---------------------------------------------------------------------------------


def without(state: dict, name: str) -> dict:
    return {key: value for key, value in state.items() if key != name}


def reshaped(state: dict, name: str) -> dict:
    return {**state, name: torch.cat([state[name], state[name][:1]])}


def with_more(state: dict, name: str) -> dict:
    return {**state, f"{name}.more": state[name]}


CHANGES = {"missing": without, "of another shape": reshaped, "unexpected": with_more}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("complaint", CHANGES)
def test_wrong_tensors_are_refused(kind: str, complaint: str, tiny: dict[str, Path]) -> None:
    state = random_state(layout(kind.split("-")[0]))
    save(CHANGES[complaint](state, OWN[kind]), tiny[kind] / "pytorch_model.bin")
    with pytest.raises(ValueError, match=rf"{kind} from .*{complaint}: .*{OWN[kind][:12]}"):
        load(kind, tiny[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("complaint", ["missing", "unexpected"])
def test_wrong_tensors_are_refused_in_the_original_layout(
    kind: str, complaint: str, tmp_path: Path
) -> None:
    state = random_state(golden(kind)["layout"])
    with pytest.raises(ValueError, match=rf"{kind} from .*{complaint}: "):
        original(kind, tmp_path, CHANGES[complaint](state, OWN_ORIGINAL[kind]))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("clip-text", "text_projection"),
        ("clip-frames", "visual.proj"),
        ("clip-frames", "visual.transformer.resblocks.0.attn.in_proj_weight"),
        ("xclip-video", "mit.resblocks.0.attn.in_proj_bias"),
    ],
)
@pytest.mark.parametrize("shape", [(), (7,), (7, 7)])
def test_wrong_shapes_are_refused_in_the_original_layout(
    kind: str, name: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    state = random_state(golden(kind)["layout"]) | {name: torch.zeros(shape)}
    with pytest.raises(ValueError, match=r"of another shape|missing|not of its form"):
        original(kind, tmp_path, state)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_is_read(kind: str, tmp_path: Path) -> None:
    """OpenAI publishes float16."""
    state = random_state(golden(kind)["layout"])
    made = original(kind, tmp_path, {name: tensor.half() for name, tensor in state.items()})
    tensors = list(made.network.parameters())
    assert tensors and {tensor.dtype for tensor in tensors} == {torch.float32}


@pytest.mark.parametrize("kind", KINDS)
def test_other_parts_are_not_needed(kind: str, tiny: dict[str, Path]) -> None:
    """The network holds its half only, and the file need not hold more."""
    path = tiny[kind] / "pytorch_model.bin"
    whole = torch.load(path)
    held = load(kind, tiny[kind]).network.state_dict()
    assert set(held) < set(whole) and OWN[kind] in held
    save({name: whole[name] for name in held}, path)
    again = load(kind, tiny[kind]).network.state_dict()
    assert all(torch.equal(again[name], whole[name]) for name in held)


@pytest.mark.parametrize("kind", KINDS)
def test_what_scripts_add_is_dropped(kind: str, tmp_path: Path) -> None:
    """OpenAI keeps three numbers beside the tensors; distributed training prefixes the names."""
    state = random_state(golden(kind)["layout"])
    numbers = {"input_resolution": 32, "context_length": 77, "vocab_size": 9}
    plain = original(kind, tmp_path, state).network.state_dict()
    more = {name: torch.tensor(number) for name, number in numbers.items()}
    prefixed = {f"module.{name}": tensor for name, tensor in (state | more).items()}
    again = original(kind, tmp_path, prefixed).network.state_dict()
    assert plain and all(torch.equal(plain[name], again[name]) for name in plain)


def test_settings_of_videox_are_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of its training holds a ``CfgNode`` of yacs, which need not be installed."""
    yacs = types.ModuleType("yacs.config")
    yacs.CfgNode = type("CfgNode", (dict,), {"__module__": "yacs.config"})  # type: ignore[attr-defined]
    settings = yacs.CfgNode(MODEL=yacs.CfgNode(ARCH="ViT-B/32"))
    settings.__dict__["__immutable__"] = True
    state = random_state(golden("xclip-video")["layout"])
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
        patched.setitem(sys.modules, "yacs.config", yacs)
        torch.save({"model": state, "config": settings, "epoch": 30}, tmp_path / "best.pth")
    made = load("xclip-video", tmp_path / "best.pth").network.state_dict()
    assert torch.equal(made["mit.position_embedding"], state["mit.positional_embedding"])


@pytest.mark.parametrize("source", WHOLE)
def test_published_sizes(source: str) -> None:
    """The whole model of the library has the published number of parameters; so do its halves."""
    import transformers

    family = source.split("-")[0]
    halves = [encoders.get(kind) for kind in KINDS if source in encoders.get(kind).sources]
    assert len(halves) == 2
    sizes = halves[0].published[source] | halves[1].published[source]
    name = {"clip": "CLIP", "xclip": "XCLIP"}[family]
    with torch.device("meta"):
        model = getattr(transformers, f"{name}Model")
        whole = model(getattr(transformers, f"{name}Config")(**sizes))
        parts = [half.from_dict({"weights": f"random:{source}"}) for half in halves]
        networks = [part.build(part.sizes) for part in parts]
    names = {name: tensor.shape for name, tensor in whole.named_parameters()}
    assert sum(map(torch.Size.numel, names.values())) == WHOLE[source]
    for network in networks:
        held = {name: tensor.shape for name, tensor in network.named_parameters()}
        assert held.items() < names.items()
        names = {name: shape for name, shape in names.items() if name not in held}
    rest = {name.split(".")[0] for name in names}
    prompts = {"prompts_generator", "prompts_visual_layernorm", "prompts_visual_projection"}
    assert rest == {"logit_scale"} | (prompts if family == "xclip" else set())


# --- which files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_known_before_loading(kind: str, tiny: dict[str, Path], tmp_path: Path) -> None:
    assert encoders.get(kind).from_dict({"weights": str(tiny[kind])}).dim == 32
    state = random_state(golden(kind)["layout"])
    dim = {"clip": 48, "xclip": 128}[kind.split("-")[0]]
    assert original(kind, tmp_path, state).dim == dim


@pytest.mark.parametrize("kind", KINDS)
def test_a_hub_folder_needs_its_config(kind: str, tiny: dict[str, Path]) -> None:
    (tiny[kind] / "config.json").unlink()
    with pytest.raises(ValueError, match=r"need the config\.json"):
        load(kind, tiny[kind])


def test_damaged_files_are_named(tiny: dict[str, Path]) -> None:
    path = tiny["clip-frames"] / "config.json"
    for content, complaint in (("{", "not a JSON file"), ("[]", "expected names with values")):
        path.write_text(content)
        with pytest.raises(ValueError, match=rf"config\.json: {complaint}"):
            load("clip-frames", tiny["clip-frames"])


def test_another_model_is_refused(tiny: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected the config\.json of a model of type 'xclip'"):
        load("xclip-text", tiny["clip-text"])
    for kind in ("xclip-video", "xclip-text"):
        with pytest.raises(ValueError, match="no tensors like 'mit"):
            original(kind, tmp_path, random_state(golden("clip-frames")["layout"]))
    with pytest.raises(ValueError, match=r"clip-text from .*unexpected: prompts_"):
        original("clip-text", tmp_path, random_state(golden("xclip-text")["layout"]))
    with pytest.raises(ValueError, match=r"has no tensor .*another model's"):
        original("clip-frames", tmp_path, {"visual.layer1.0.conv1.weight": torch.zeros(8, 3, 3, 3)})


def test_former_configs_hold_their_sizes_twice(tiny: dict[str, Path]) -> None:
    def twice(told: dict) -> dict:
        return told | {"vision_config": {}, "vision_config_dict": told["vision_config"]}

    edit(tiny["clip-frames"], "config.json", twice)
    assert load("clip-frames", tiny["clip-frames"]).sizes["vision_config"]["hidden_size"] == 32


def test_several_files_of_weights_are_refused(tmp_path: Path) -> None:
    for name in ("one.pth", "two.pth"):
        torch.save({"a": torch.zeros(1)}, tmp_path / name)
    with pytest.raises(ValueError, match=r"expected one file of weights, got one\.pth, two\.pth"):
        load("clip-frames", tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_programs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    with pytest.raises(ValueError, match=r"TorchScript archive.*torch\.jit\.load\('ViT-B-32\.pt'"):
        load("clip-frames", path)


@pytest.mark.parametrize("kind", ["clip-text", "xclip-text"])
def test_the_end_token_is_the_last(kind: str, tiny: dict[str, Path]) -> None:
    edit(tiny[kind], "vocab.json", lambda told: told | {"more": len(told)})
    with pytest.raises(ValueError, match=r"whose last is the end token, got 551 tokens .* at 549"):
        load(kind, tiny[kind])


@pytest.mark.parametrize("kind", ["clip-text", "xclip-text"])
def test_vocabulary_fits_the_network(kind: str, tiny: dict[str, Path]) -> None:
    smaller = config(kind.split("-")[0])
    smaller["text_config"]["vocab_size"] -= 1
    edit(tiny[kind], "config.json", lambda _: smaller)
    cut = random_state(layout(kind.split("-")[0]))
    table = "text_model.embeddings.token_embedding.weight"
    save(cut | {table: cut[table][:-1]}, tiny[kind] / "pytorch_model.bin")
    with pytest.raises(ValueError, match="expected a vocabulary of at most 549 tokens"):
        load(kind, tiny[kind])


def test_pictures_of_another_size_are_refused(tiny: dict[str, Path]) -> None:
    change = {"size": 48, "crop_size": 48}
    edit(tiny["clip-frames"], "preprocessor_config.json", lambda told: told | change)
    with pytest.raises(ValueError, match="makes pictures of 48 x 48 pixels, the network sees 32"):
        _ = load("clip-frames", tiny["clip-frames"]).recipe


@pytest.mark.parametrize("kind", ["clip-text", "xclip-text"])
def test_untrained_texts_need_no_files(
    kind: str, tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = encoders.get(kind)
    monkeypatch.setattr(cls, "published", {cls.sources[0]: load(kind, tiny[kind]).sizes})
    encoder = cls.from_dict({"weights": "random"})
    encoder.load(torch.device("cpu"))
    vectors = encoder.encode(["dog barking", "dog barkin", "été"])
    assert np.linalg.norm(vectors[:, None] - vectors[None], axis=2)[np.triu_indices(3, 1)].min() > 0
