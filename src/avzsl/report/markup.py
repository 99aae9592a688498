"""Tables as Markdown and as LaTeX (booktabs), made from one plain description of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    '"': r"\char34{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "×": r"$\times$",
    "→": r"$\to$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "·": r"$\cdot$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "λ": r"$\lambda$",
}
"""What LaTeX reads as commands, and signs for which pdfLaTeX has no letter."""

_WIDTH = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""Shrinks a table that is wider than the page, and no other."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table to be shown; all texts plain, the markup is made of them."""

    name: str
    r"""What ``\ref`` takes, after ``tab:``."""
    title: str
    caption: str
    head: tuple[str, ...]
    """[K] names of the columns."""
    align: str
    """[K] letters ``l`` or ``r``."""
    body: tuple[tuple[str, ...], ...]
    """Rows of K cells."""
    bold: frozenset[tuple[int, int]] = frozenset()
    """Row and column of the cells that stand out."""
    rules: frozenset[int] = frozenset()
    """Rows above which LaTeX draws a line."""
    notes: tuple[str, ...] = ()
    """Below the table."""


def escape_latex(text: str) -> str:
    """Return text that LaTeX prints as it stands."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


def escape_markdown(text: str) -> str:
    """Return text that Markdown prints as it stands, also in a cell of a table."""
    return re.sub(r"([\\`*_|<\[\]])", r"\\\1", " ".join(text.split()))


def markdown_table(
    head: Sequence[str], body: Sequence[Sequence[str]], align: str | None = None
) -> list[str]:
    """Return the lines of a table.

    Args:
        head: Names of the columns.
        body: Its rows, escaped.
        align: ``l`` or ``r`` for each column; None puts all but the first at the right.
    """
    align = align or "l" + "r" * (len(head) - 1)
    rule = ["---" if side == "l" else "---:" for side in align]
    return [f"| {' | '.join(line)} |" for line in [head, rule, *body]]


def as_markdown(sheets: Sequence[Sheet]) -> str:
    """Return tables as Markdown, each under its title."""
    lines: list[str] = []
    for sheet in sheets:
        body = _cells(sheet, escape_markdown, "**{}**")
        head = [escape_markdown(name) for name in sheet.head]
        for text in (f"# {escape_markdown(sheet.title)}", escape_markdown(sheet.caption)):
            lines += [text, ""] if text.strip("# ") else []
        lines += [*markdown_table(head, body, sheet.align), ""]
        lines += [*(f"- {escape_markdown(note)}" for note in sheet.notes), ""]
    return "\n".join(lines).rstrip() + "\n"


def as_latex(sheets: Sequence[Sheet]) -> str:
    """Return tables as LaTeX, each a float, for a document that loads booktabs and graphicx."""
    lines = [r"% \usepackage{booktabs, graphicx}"]
    for sheet in sheets:
        lines += _latex(sheet)
    return "\n".join(lines) + "\n"


def _latex(sheet: Sheet) -> list[str]:
    caption = " ".join(
        escape_latex(text.rstrip(".")) + "." for text in (sheet.title, sheet.caption) if text
    )
    lines = [
        r"\begin{table}",
        r"\centering\setlength{\tabcolsep}{3pt}",
        *([rf"\caption{{{caption}}}", r"\smallskip"] if caption else []),
        rf"\label{{tab:{re.sub('[^A-Za-z0-9.:-]', '-', sheet.name)}}}",
        _WIDTH,
        rf"\begin{{tabular}}{{{sheet.align}}}",
        r"\toprule",
        _latex_row([escape_latex(name) for name in sheet.head]),
        r"\midrule",
    ]
    for i, cells in enumerate(_cells(sheet, _latex_cell, r"\textbf{{{}}}")):
        lines += [r"\midrule"] if i in sheet.rules else []
        lines.append(_latex_row(cells))
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if sheet.notes:
        lines += [r"\par\smallskip", r"\begin{minipage}{\linewidth}\raggedright\footnotesize"]
        lines += [*(rf"{escape_latex(note)}\par" for note in sheet.notes), r"\end{minipage}"]
    return [*lines, r"\end{table}"]


def _latex_row(cells: Sequence[str]) -> str:
    """Return a row; the group keeps a bracket from being read as an option of the line before."""
    return rf"{{}}{' & '.join(cells)} \\"


def _latex_cell(text: str) -> str:
    """Return a cell that takes little room: deviations small, slashes close."""
    close = escape_latex(text).replace(" / ", r"\,/\,")
    return re.sub(r" \$\\pm\$ ([\d.]+)", r"\,{\\scriptsize$\\pm$\1}", close)


def _cells(sheet: Sheet, escape: Callable[[str], str], bold: str) -> list[list[str]]:
    """Return the cells with their markup; ``bold`` is a format."""
    return [
        [
            (bold if (i, j) in sheet.bold else "{}").format(escape(cell))
            for j, cell in enumerate(row)
        ]
        for i, row in enumerate(sheet.body)
    ]
