"""A sweep as TensorBoard's event files: scalars by epoch, final results, the HParams table.

One directory per run with one event file, written whole; the table's columns are in a file of
their own beside them. The files are a function of the records alone, so exporting again changes
nothing. TensorBoard keeps scalars as float32. TensorFlow is not needed.
"""

from __future__ import annotations

import io
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_sweep.errors import UsageError
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import write_bytes
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.export import Content, Exported, ExportOptions, content

# The results that the table of runs shows.
HEADLINES = (
    "validation/f1_min", "validation/accuracy", "validation/f1", "validation/loss",
    "test/f1_min", "test/accuracy", "test/f1", "test/loss", "time/train_s", "parameters",
)  # fmt: skip
# TensorBoard reads files with `tfevents` in their names.
EVENT_FILE = "events.out.tfevents.records"
_FILE_VERSION = "brain.Event:2"


def export(sweep: Sweep, options: ExportOptions) -> Exported:
    """Write event files of all runs below `options.output`, a log directory for TensorBoard.

    Raises:
        UsageError: The package `tensorboard` is not installed.
        DirectoryError: A file cannot be written.
    """
    try:
        import tensorboard.plugins.hparams.metadata  # noqa: F401  (asked for only)
    except ImportError as error:
        raise UsageError(
            "Exporting to TensorBoard needs the package tensorboard, which cannot be imported "
            f"({error}). Install it with: pip install 'mnist-sweep[tensorboard]'"
        ) from error
    output = options.output
    records = [sweep.record(run_id) for run_id in sweep.frame["run_id"]]
    contents = [content(record) for record in records]
    written = 0
    for record, one in zip(records, contents, strict=True):
        written += _put(output / one.name / EVENT_FILE, _run_events(record, one))
    _put(output / EVENT_FILE, _columns(contents))
    command = f"tensorboard --logdir {shlex.quote(str(output))}"
    return Exported(written, len(contents) - written, f"in {output}", command)


def _put(path: Path, events: bytes) -> bool:
    """Write a file unless it is there as it should be; whether it was written."""
    if path.is_file() and path.read_bytes() == events:
        return False
    write_bytes(path, events)
    return True


def _run_events(record: Record, one: Content) -> bytes:
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    start = plugin_data_pb2.SessionStartInfo(
        group_name=record.run_id, start_time_secs=one.started_s
    )
    for name, value in one.settings.items():
        if isinstance(value, bool):
            start.hparams[name].bool_value = value
        elif isinstance(value, (int, float)):
            start.hparams[name].number_value = value
        elif value is not None:
            start.hparams[name].string_value = str(value)
    status = {
        RunStatus.FINISHED: api_pb2.STATUS_SUCCESS,
        # It neither finished nor failed; TensorBoard has no status for that.
        RunStatus.PRUNED: api_pb2.STATUS_UNKNOWN,
    }.get(RunStatus(record.status), api_pb2.STATUS_FAILURE)
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=one.ended_s)
    events = [_hparams_event(one.started_s, session_start_info=start)]
    for name, values in one.series.items():
        events += [_scalar_event(value.time_s, value.step, name, value.value) for value in values]
    for name, result in one.results.items():
        events.append(_scalar_event(one.ended_s, one.epochs, name, result))
    events.append(_hparams_event(one.ended_s, session_end_info=end))
    return _file(one.started_s, events)


def _columns(contents: Sequence[Content]) -> bytes:
    """The HParams table's columns: settings, those that vary first, and the main results."""
    from tensorboard.plugins.hparams import api_pb2

    experiment = api_pb2.Experiment(
        time_created_secs=min((one.started_s for one in contents), default=0.0)
    )
    names = dict.fromkeys(name for one in contents for name in one.settings)
    columns = {name: [one.settings.get(name) for one in contents] for name in names}
    differs = {name: len({*map(repr, column)}) > 1 for name, column in columns.items()}
    for name in sorted(columns, key=lambda name: not differs[name]):
        values = [value for value in columns[name] if value is not None]
        if not values:
            continue  # a column without a value in any run
        kind = api_pb2.DATA_TYPE_STRING
        if all(isinstance(value, (int, float)) for value in values):
            kind = api_pb2.DATA_TYPE_FLOAT64
        if all(isinstance(value, bool) for value in values):
            kind = api_pb2.DATA_TYPE_BOOL
        info = experiment.hparam_infos.add(name=name, type=kind, differs=differs[name])
        if kind == api_pb2.DATA_TYPE_STRING:
            info.domain_discrete.extend(sorted({str(value) for value in values}))
    for name in HEADLINES:
        if any(name in one.results for one in contents):
            experiment.metric_infos.add(name=api_pb2.MetricName(tag=name), display_name=name)
    created = experiment.time_created_secs
    return _file(created, [_hparams_event(created, experiment=experiment)])


def _hparams_event(time_s: float, **content_of: Any) -> Any:
    """An event that holds one part of the HParams plugin's data."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    tags = {
        "experiment": metadata.EXPERIMENT_TAG,
        "session_start_info": metadata.SESSION_START_INFO_TAG,
        "session_end_info": metadata.SESSION_END_INFO_TAG,
    }
    data = plugin_data_pb2.HParamsPluginData(version=metadata.PLUGIN_DATA_VERSION, **content_of)
    event = Event(wall_time=time_s)
    value = event.summary.value.add(tag=tags[next(iter(content_of))], tensor=metadata.NULL_TENSOR)
    value.metadata.plugin_data.plugin_name = metadata.PLUGIN_NAME
    # The settings are a map, which has no order of its own: the same record, the same bytes.
    value.metadata.plugin_data.content = data.SerializeToString(deterministic=True)
    return event


def _scalar_event(time_s: float, step: int, name: str, value: float) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb

    # Infinite where float32 cannot hold it.
    held = value if not abs(value) > 3.4e38 else math.copysign(math.inf, value)
    return Event(wall_time=time_s, step=step, summary=scalar_pb(name, held))


def _file(time_s: float, events: Sequence[Any]) -> bytes:
    """An event file's bytes: TensorFlow's record format around each event."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    writer = RecordWriter(stream)
    for event in (Event(wall_time=time_s, file_version=_FILE_VERSION), *events):
        writer.write(event.SerializeToString())
    return stream.getvalue()
