"""An export of another package is offered and called."""

from mnist_sweep.records.sweep import load
from mnist_sweep.reporting import export
from support.factories import make_run, write_sweep
from support.plugin_package import installed

LINES = """
from mnist_sweep.reporting.export import Exported

def lines(sweep, options):
    options.output.write_text("\\n".join(sweep.frame["label"]))
    return Exported(len(sweep.frame), 0, f"in {options.output}")
"""


def test_an_export_of_another_package_is_found_by_its_name(tmp_path):
    grid = write_sweep(tmp_path / "grid", [make_run(layers=1), make_run(layers=2)])
    with installed(tmp_path, "exports", "lines", LINES):
        assert export.names() == ["tensorboard", "mlflow", "lines"]
        done = export.find("lines")(load(grid), export.ExportOptions(tmp_path / "labels.txt"))
    assert done.new == 2
    assert len((tmp_path / "labels.txt").read_text().splitlines()) == 2
