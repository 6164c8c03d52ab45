"""The notebook of `docs/`: its cells, in order, in a process of their own."""

import json
import os
import subprocess
import sys

import pytest
from pages import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]
# What a notebook shows of a cell's last expression is printed.
PROGRAM = """
import ast, json, sys
import matplotlib
matplotlib.use("Agg")
namespace = {"__name__": "__main__"}
for source in json.loads(sys.stdin.read()):
    body = ast.parse(source).body
    shown = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "a cell", "exec"), namespace)
    if shown is not None:
        value = eval(compile(ast.Expression(shown.value), "a cell", "eval"), namespace)
        print("" if value is None else value)
"""


def test_it_is_kept_without_outputs():
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS
               if cell["cell_type"] == "code")  # fmt: skip
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)


def test_every_cell_is_a_program():
    for source in CODE:
        compile(source, "a cell", "exec")


def test_every_page_that_it_names_is_there():
    for page in ("records.md", "measures.md", "using.md"):
        assert any(f"]({page})" in "".join(cell["source"]) for cell in CELLS)
        assert (NOTEBOOK.parent / page).exists()


@pytest.mark.slow
def test_its_cells_do_what_they_say(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-c", PROGRAM],
        input=json.dumps(CODE),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "are classified correctly" in done.stdout and "hidden_1" in done.stdout
    assert len(list((tmp_path / "results" / "runs").glob("*/seed_*/record.json"))) == 4
