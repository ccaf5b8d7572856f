"""Run a notebook and keep its outputs: `python docs/execute.py notebooks/mape.py mape.ipynb`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import jupytext
import nbformat
from nbclient import NotebookClient
from traitlets.config import Config


def execute(script: Path, target: Path) -> None:
    """Run a percent script where the tests run it, too: it finds the points of its sweeps there."""
    work = target.parent / "work" / script.stem
    work.mkdir(parents=True, exist_ok=True)
    notebook = jupytext.read(script)
    resources = {"metadata": {"path": str(work)}}
    with TemporaryDirectory() as sockets:  # nothing listens on the network
        config = Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"})
        NotebookClient(notebook, config=config, timeout=None, resources=resources).execute()
    nbformat.write(notebook, target)


if __name__ == "__main__":
    execute(Path(sys.argv[1]), Path(sys.argv[2]))
