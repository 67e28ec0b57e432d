"""What a notebook shows, with a real kernel: progress, tables, plots, errors, an interrupt."""

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need: pip install nbclient ipykernel")
nbclient = pytest.importorskip("nbclient", reason="notebooks need: pip install nbclient ipykernel")
pytest.importorskip("ipykernel", reason="notebooks need: pip install nbclient ipykernel")

pytestmark = pytest.mark.slow

TINY = 'layers=1, nodes=[4, 8], data="digits", report=False'
TASK = '"task._target_=own_task.train", seed=[0, 1], report=False'
OWN_TASK = """
import time
from mnist_sweep import report_epoch

def train(wait=600, seed=0):
    report_epoch({"loss": 1.0})
    time.sleep(wait)
    return {"accuracy": 0.5}
"""
CELLS = {
    "sweep": f'import mnist_sweep as ms\ngrid = ms.sweep({TINY}, epochs=1, name="grid")',
    "sweep shown": "grid",
    "selection": "grid.best()",
    "plots": "grid.plots()",
    "plot": 'grid.plots()["effects"]',
    "misspelt": "ms.sweep(lyers=2)",
    "builder of a cell": (
        "def build(input_shape, classes): ...\n"
        'ms.sweep(model=build, data="digits")'
    ),
    "interrupted": f"""
import os, pathlib, signal, threading, time
def stop():
    while not list(pathlib.Path("outputs/long/runs").glob("*/progress.jsonl")):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=stop).start()
ms.sweep({TASK}, name="long")""",
    "same kernel": f'ms.sweep("+task.wait=0", {TASK}, name="short")',
}  # fmt: skip


class Client(nbclient.NotebookClient):
    """Also keeps what outputs showed before they were updated."""

    updates: list = []  # noqa: RUF012  (traitlets makes attributes of the class)

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "update_display_data" and cell_index == 0:
            self.updates.append(msg["content"]["data"]["text/html"])
        return super().process_message(msg, cell, cell_index)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Title -> the outputs of its cell; "updates" has the first cell's, in order."""
    book = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, CELLS.values())])
    place = tmp_path_factory.mktemp("notebook")
    (place / "own_task.py").write_text(OWN_TASK)
    client = Client(
        book, allow_errors=True, timeout=300, kernel_name="python3",
        resources={"metadata": {"path": str(place)}},
    )  # fmt: skip
    client.execute()
    found = {name: cell.outputs for name, cell in zip(CELLS, book.cells, strict=True)}
    return {**found, "updates": client.updates}


def html(outputs):
    return "".join(one.get("data", {}).get("text/html", "") for one in outputs)


def error(outputs):
    """What is shown in place of a traceback."""
    (found,) = [one for one in outputs if one.output_type == "error"]
    return "\n".join(found.traceback)


def test_a_sweep_shows_its_progress_and_its_totals(shown):
    assert "0 done, 2 left" in shown["updates"][0]
    assert "2 done, 0 left" in html(shown["sweep"])
    assert "remaining" not in html(shown["sweep"])


def test_results_are_tables_sentences_and_pictures(shown):
    assert "<table>" in html(shown["sweep shown"])
    assert "word-break: normal" in html(shown["selection"])
    assert html(shown["plots"]).count('<img src="data:image/png;base64,') >= 2
    assert "image/png" in shown["plot"][0].data


def test_an_error_is_its_message_without_a_traceback(shown):
    assert error(shown["misspelt"]).startswith("SettingsError: ")
    assert "did you mean layers?" in error(shown["misspelt"])
    assert "Traceback" not in error(shown["misspelt"])
    assert "(in a notebook: %%writefile my_module.py)" in " ".join(
        error(shown["builder of a cell"]).split()
    )


def test_an_interrupted_sweep_says_what_is_done_and_the_kernel_goes_on(shown):
    said = error(shown["interrupted"])
    start, _, directory = " ".join(said.split()).partition(" resume ")
    assert start.startswith("Interrupted: 0 of 2 runs finished. To run the others: ")
    assert directory.startswith("outputs/")
    assert "2 finished" in html(shown["same kernel"])
