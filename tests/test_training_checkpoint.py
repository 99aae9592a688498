"""The model file: complete, harmless, and refused where it is not the expected one."""

import dataclasses

import pytest
import torch
from training_setup import train

from avzsl.methods.base import methods
from avzsl.training.checkpoint import ResumeFile, load_model, save_model


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    return train(tmp_path_factory.mktemp("model"))[0]


def test_round_trip(model_path, tmp_path):
    model = load_model(model_path, expected_run_id="run")
    save_model(tmp_path / "copy.pt", model)
    again = load_model(tmp_path / "copy.pt")
    for field in dataclasses.fields(model):
        one, other = getattr(model, field.name), getattr(again, field.name)
        if field.name == "method":
            weights = other.state_dict()
            assert all(torch.equal(v, weights[k]) for k, v in one.state_dict().items())
        elif field.name == "classes":
            assert one.names == other.names
            assert (one.vectors == other.vectors).all()
        elif field.name == "preparation":
            assert torch.equal(one.visual.std_D, other.visual.std_D)
        else:
            assert one == other, field.name
    assert not again.method.training
    assert {"avzsl", "git", "torch"} <= set(again.origin)


def test_seen_and_unseen_classes_are_in_it(model_path):
    model = load_model(model_path)
    assert model.seen_classes == tuple(f"class {i:02d}" for i in range(9))
    assert model.unseen_classes == ("class 09", "class 10", "class 11")


def test_it_holds_tensors_and_plain_containers_only(model_path):
    content = torch.load(model_path, weights_only=True)
    assert {"weights", "bias", "seen_classes", "class_vectors", "preparation"} <= set(content)


def test_nothing_is_left_beside_the_outputs(model_path):
    assert sorted(p.name for p in model_path.parent.iterdir()) == ["history.csv", "model.pt"]


def test_another_run_is_refused(model_path):
    with pytest.raises(ValueError, match=r"another run \(found 'run', expected 'other'\)"):
        load_model(model_path, expected_run_id="other")


def test_another_revision_is_refused(model_path, monkeypatch):
    monkeypatch.setattr(methods.get("ez-avgzl"), "revision", 99)
    with pytest.raises(ValueError, match="the code is revision 99"):
        load_model(model_path)


class Hostile:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("content", [b"", b"not a model", "hostile", "truncated", "tensor"])
def test_foreign_and_damaged_files_are_refused(model_path, tmp_path, content, capsys):
    path = tmp_path / "model.pt"
    if content == "hostile":
        torch.save({"format_version": 1, "x": Hostile()}, path)
    elif content == "tensor":
        torch.save(torch.zeros(3), path)
    else:
        path.write_bytes(model_path.read_bytes()[:5000] if content == "truncated" else content)
    with pytest.raises(ValueError, match="is no model of format 1"):
        load_model(path)
    assert "executed" not in capsys.readouterr().out


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_model(tmp_path / "nowhere.pt")


def test_resume_file_is_saved_when_due_and_read_by_its_own_run(tmp_path):
    patient = ResumeFile(tmp_path / "m.pt", "key", every_seconds=3600)
    patient.save_if_due(lambda: {"epoch": 1})
    assert patient.load() is None
    eager = ResumeFile(tmp_path / "m.pt", "key", every_seconds=0)
    eager.save_if_due(lambda: {"epoch": 2, "weights": torch.ones(2)})
    assert eager.load()["epoch"] == 2
    assert patient.load()["epoch"] == 2
    assert ResumeFile(tmp_path / "m.pt", "other", every_seconds=0).load() is None
    eager.path.write_bytes(b"damaged")
    assert eager.load() is None
    eager.remove()
    assert not list(tmp_path.iterdir())
