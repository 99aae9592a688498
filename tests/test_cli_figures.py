"""``avzsl figures``: any kinds at once, from the files of runs."""

import json
import subprocess
import sys

import numpy as np
import pytest
from test_cli import evaluation

from avzsl.classes.store import write_classes
from avzsl.cli.figures import KINDS
from avzsl.cli.main import main
from avzsl.metrics.embedded import EmbeddedClips, write_embedded
from avzsl.types import ClassEmbeddings

NAMES = ("a", "b, (c)", "d", "ü")
CURVE = {"bias": "-1.0 0.5 2.0", "seen": "80.0 50.0 0.0", "unseen": "0.0 25.0 60.0"}


@pytest.fixture()
def options(tmp_path):
    """Options of the command for two methods with two seeds."""
    found = {"evaluations": [], "histories": [], "embeddings": []}
    for method in ("ez", "devise"):
        for seed in (0, 1):
            path = evaluation(tmp_path, method, seed, bias=0.5, bias_curve=CURVE)
            found["evaluations"].append(path)
            found["histories"].append(tmp_path / f"{path.stem}.csv")
            lines = ["stage,epoch,loss,val_seen,val_unseen,val_hm,val_zsl,bias"]
            lines += [f"1,{e},{1 / e},50,50,{50 + e},50,0" for e in range(1, 5)] + ["2,1,0.5,,,,,"]
            found["histories"][-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
        found["embeddings"].append(tmp_path / f"{method}.h5")
        write_embedded(
            found["embeddings"][-1],
            EmbeddedClips(
                run_id=f"{method}-0",
                class_names=NAMES,
                is_seen=(True, True, False, False),
                video_ids=tuple("0123456789"),
                labels=np.arange(10) % 4,
                clips=np.random.default_rng(0).standard_normal((10, 8)).astype(np.float32),
                classes=np.eye(4, 8, dtype=np.float32),
            ),
        )
    found["classes"] = [tmp_path / "original.h5"]
    vectors = np.eye(4, 8, dtype=np.float32)
    write_classes(
        found["classes"][0], ClassEmbeddings(names=NAMES, vectors=vectors), id="c", options={}
    )
    return found


def call(kinds, outs, options, **changes):
    """Return the exit code of the command."""
    words = ["figures", *kinds, "--out", *map(str, outs)]
    for name, values in (options | changes).items():
        words += [f"--{name.replace('_', '-')}", *map(str, values)] if values else []
    return main(words)


def test_all_kinds_at_once(tmp_path, options):
    outs = [tmp_path / f"{kind}.png" for kind in KINDS]
    ids = json.dumps(["ez-0", "ez-1", "devise-0", "devise-1"])
    labels = json.dumps({"ez": "EZ-AVGZL"})
    assert call(KINDS, outs, options, run_ids=[ids], classes_id=["c"], labels=[labels]) == 0
    for out in outs:
        assert out.read_bytes().startswith(b"\x89PNG")
        assert out.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_variants_stand_side_by_side(tmp_path, options):
    """The paper's Figure 3: the same method without and with another choice."""
    labels = json.dumps(["without", "without", "with", "with"])
    only = {"evaluations": options["evaluations"], "classes": options["classes"]}
    assert call(["confusion"], [tmp_path / "x.png"], only, labels=[labels]) == 0


@pytest.mark.parametrize(
    ("kinds", "count", "changes", "message"),
    [
        (["methods", "bias"], 1, {}, "as many files (--out) as kinds"),
        (["training"], 1, {"histories": None}, "drawn from --histories"),
        (["embeddings"], 1, {"embeddings": None}, "drawn from --embeddings"),
        (["methods"], 1, {"run_ids": ['["a", "b", "c", "d"]']}, "of another run"),
        (["confusion"], 1, {"classes_id": ["other"]}, "its id is 'c', expected was 'other'"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, options, capsys, kinds, count, changes, message):
    outs = [tmp_path / f"{i}.png" for i in range(count)]
    assert call(kinds, outs, options, **changes) == 1
    printed = capsys.readouterr().err.strip()
    assert message in printed
    assert len(printed.splitlines()) == 1
    assert not any(out.exists() for out in outs)


def test_embedded_clips_of_other_runs_are_refused(tmp_path, options, capsys):
    one = {**options, "evaluations": options["evaluations"][:2]}
    assert call(["embeddings"], [tmp_path / "x.png"], one) == 1
    assert "of the run devise-0, which is none of those evaluated" in capsys.readouterr().err


def test_figures_need_no_torch(tmp_path, options):
    code = (
        "import sys; from avzsl.cli.main import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    words = ["figures", "bias", "--out", tmp_path / "x.png", "--evaluations"]
    words += options["evaluations"]
    subprocess.run([sys.executable, "-c", code, *map(str, words)], check=True)
