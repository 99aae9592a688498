"""``avzsl``: finds the command, sets up the log, and turns a user's error into one line."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

from avzsl import __version__
from avzsl.logs import set_up

COMMANDS = {
    "demo": "generate the demo dataset",
    "manifest": "list the clips of a dataset",
    "convert": "turn an archive of published features into one file",
    "extract": "decode and encode the clips of one shard",
    "index": "join the shards of one encoder",
    "classes": "embed class names; optimise class embeddings",
    "train": "fit one method with one seed, both stages",
    "evaluate": "score a trained model on the test clips",
    "table": "mean and standard deviation over seeds",
    "statistics": "intervals over test clips, and differences between methods",
    "figures": "plots of a table's runs, or of any runs side by side",
    "study": "tables and plots of variants beside published numbers",
    "report": "one page with tables, figures, data used, configuration, times",
    "export": "write features in the layouts of AVCA and TCaF",
    "describe": "write descriptions of classes with a language model",
    "fetch": "get published weights or split files",
    "show": "print a result table, what a file holds, or what an encoder is",
    "list": "list encoders, methods and dataset kinds",
    "inspect": "counts of a dataset, and what its subsets share",
    "plan": "what config.yaml comes to: clips, classes, ids",
    "doctor": "which decoder, device and versions are in use",
    "schema": "write the JSON schema of config.yaml",
}
"""Command -> help; the module ``avzsl.cli.<command>`` has ``add_arguments`` and ``run``."""

_log = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; imports no torch."""
    parser = argparse.ArgumentParser(
        prog="avzsl", description="Audio-visual generalized zero-shot learning."
    )
    parser.add_argument("--version", action="version", version=f"avzsl {__version__}")
    parser.add_argument(
        "--log", metavar="FILE", help="write the log there; warnings also to stderr"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, about in COMMANDS.items():
        module = importlib.import_module(f"avzsl.cli.{name}")
        command = commands.add_parser(
            name,
            help=about,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 on success, 1 where the input is at fault (one line on stderr says how), 130 on Ctrl-C.
        A traceback means a bug of ours; ``AVZSL_TRACEBACK=1`` shows one for input errors too.
    """
    args = build_parser().parse_args(argv)
    set_up(args.log)
    try:
        args.run(args)
    except BrokenPipeError:  # the reader of our output has seen enough: avzsl list encoders | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, LookupError, OSError) as error:
        if os.environ.get("AVZSL_TRACEBACK") == "1":
            raise
        text = str(error) if not isinstance(error, KeyError) else repr(error)
        _log.error("avzsl %s: error: %s", args.command, " ".join(text.split()))
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception:
        if args.log:
            _log.exception("avzsl %s: this is a bug", args.command)
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
