"""Every protection of a sweep's numbers is removed once, and a named test must fail.

    python tests/benchmarks/mutations.py [--only PATTERN] > tests/benchmarks/mutations.md

Each line of `MUTATIONS` is changed in a copy of the package, never in the checkout, and only its
test is run. Prints a Markdown table; the exit code is 1 if a test passed without its protection, if
a text to replace is not there exactly once, or if a test could not be run at all.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READING, SAFE, RULES = "records/reading.py", "safe_files.py", "analysis/gate/rules.py"
BELONGING, HOSTILE = "integrity/test_belonging.py", "integrity/test_hostile_files.py"
DAMAGE, STREAMS = "integrity/test_damage.py", "cli/test_streams.py"
AS_KERAS, SUMMARY = "training/test_as_keras_trains.py", "cli/test_sweep_summary.py"
CHEATS, COMMANDS = "analysis/test_gate_cheats.py", "sweeping/test_commands.py"
LIMIT_S = 300
MAX_MEMORY = 6 * 2**30
HEADING = """# Each protection of a sweep's numbers, removed

Written by `python tests/benchmarks/mutations.py`. The protection is removed in a copy of the
package; *red* means that the named test, which passes with it, fails without it.

| protection | file | test | verdict |
| --- | --- | --- | --- |"""
PRELOADED = ("pandas", "pyarrow.parquet", "scipy.stats", "pydantic", "hydra", "sklearn.metrics")
"""Other packages, which every test's process would import again."""
MUTATIONS = [
    # What is recorded is what was trained: what protects, file, text, replacement, test.
    ("1 the saved network predicts as recorded", "sweeping/launch/execute.py",
     "verify(saved, result, job.data, result.predictions)", "pass",
     "sweeping/test_execute.py::test_a_network_that_is_saved_in_part_is_a_failed_run"),
    ("1 differing predictions are counted", "training/saved.py",
     "return int(np.count_nonzero(~(same & (largest - of_recorded <= MAX_DIFFERENCE))))",
     "return 0", "training/test_saved.py::test_a_network_that_is_saved_in_part_is_refused"),
    ("1 the network itself is trained, no copy", "training/compiled.py",
     "    with replaced(fast):",
     "    network = keras.models.clone_model(network)\n    with replaced(fast):",
     "training/test_replaced.py::test_a_variable_frozen_by_hand_keeps_its_values"),
    ("1 layers are given back", "training/fast/program.py", "        replace(own)\n",
     "        pass\n", "training/test_replaced.py::test_layers_are_keras_s_again_whatever_happens"),
    ("1 layers of an earlier run", "training/train.py",
     "    model.check_new(network, target)\n", "", f"{AS_KERAS} -k earlier_run"),
    ("2 val_loss has added losses", "training/compiled.py",
     'loss += predictor.added_loss(images, held_out, settings["batch_size"])', "pass",
     "training/test_compiled.py::test_the_validation_loss_is_keras_s_with_all_added_losses"),
    ("2 the loss has added losses", "training/epoch_program.py",
     "loss += tf.add_n(self._network.losses)", "pass",
     "training/test_replaced.py::test_what_is_outside_of_configurations_is_trained_and_evaluated"),
    ("3 absent classes do not count", "metrics.py",
     "values = np.where(counts, class_values(support, predicted, hits), 1.0)",
     "values = class_values(support, predicted, hits)",
     "training/test_evaluate.py::test_a_class_without_examples_does_not_count"),
    ("3 the data say the classes", "data/arrays.py", "classes=classes or width", "classes=width",
     "data/test_own_data.py::test_the_data_say_how_many_classes_there_are"),
    ("3 classes without training examples", "data/prepare.py", "(tested > 0) & (trained == 0)",
     "(tested < 0) & (trained == 0)", "data/test_prepare.py -k some_split_lacks"),
    ("4 methods that only fit calls", "training/model.py", '"compile", "compute_loss", ',
     '"compute_loss", ', f"{AS_KERAS} -k only_fit_calls"),
    ("4 methods of an instance", "training/model.py", "name in vars(network) or", "False or",
     f"{AS_KERAS} -k only_fit_calls"),
    ("4 the scaled loss of float16", "training/model.py",
     'if network.dtype_policy.name == "mixed_float16":', "if False:",
     f"{AS_KERAS} -k only_fit_calls"),
    ("4 subclassed networks are built by a call", "training/model.py",
     "if is_subclassed(network):\n            # Only", "if False:\n            # Only",
     "training/test_subclassed.py::test_one_that_needs_channels_is_refused_with_what_to_do"),
    ("4 a loss of the builder's is said", "training/model.py",
     "return [said] if network.compiled else []", "return []",
     "training/test_subclassed.py::test_what_a_network_says_in_vain_is_said"),
    ("4 logits are declared", "training/model.py",
     "if not np.allclose(output.sum(axis=1), 1, atol=1e-3) or output.min() < 0:", "if False:",
     "training/test_subclassed.py::test_logits_are_refused_with_what_to_do"),
    # Files that belong together.
    ("5 a record's seal", "records/store.py",
     'return bool(mark) and digest == f"{hashlib.sha256(text).hexdigest()}{_END}".encode()',
     "return bool(mark)", f"{DAMAGE}::test_every_flipped_bit_is_noticed_or_changes_nothing"),
    ("5 a record in other white space", READING, "elif seal(values)[1] != record.sha256:",
     "elif False:", f"{BELONGING} -k less_time"),
    ("5 hashes of the files beside", READING, "if sha256_of(path) != expected:", "if False:",
     f"{BELONGING} -k cut_network"),
    ("5 files that no record names", READING, "elif record.sha256 is not None:\n        raise",
     "elif False:\n        raise", f"{BELONGING} -k added_to_none"),
    ("5 the record of another run", READING, "if run_id not in (None, record.run_id):",
     "if False:", f"{BELONGING} -k other_record"),
    ("5 the run id follows from the settings", READING,
     "if record.run_id not in {own for own, _ in ids} or differ:", "if False:",
     f"{BELONGING} -k contradicts"),
    ("5 metrics follow from the counts", READING,
     "if abs(float(stated) - float(counted)) > _TOLERANCE:", "if False:",
     f"{BELONGING} -k contradicts"),
    ("5 counts follow from the predictions", READING,
     "if confusion_matrix(true, predicted, classes).tolist() != confusion:", "if False:",
     f"{BELONGING} -k older_run_with"),
    ("5 a row of the cache is of these files", "records/cache.py",
     "place_of.get(file_key(name, _statuses(runs, name))) if place_of else None",
     "next((at for key, at in place_of.items() if repr(name) in key), None)",
     "records/test_cache.py -k 'between_two_looks'"),
    ("5 a network fits its record", "inference/load.py",
     "if (*shapes, counted) != (shape, (classes,), expected):", "if False:",
     "inference/test_load.py::test_another_runs_network_is_refused"),
    ("5 weights are finite", "inference/load.py",
     "if not all(np.isfinite(one).all() for one in network.get_weights()",
     "if False and not all(np.isfinite(one).all() for one in network.get_weights()",
     "inference/test_load.py::test_weights_that_are_not_finite_are_refused"),
    ("6 the data have their hash", "data/dataset.py", "if found != info.sha256:", "if False:",
     f"{BELONGING} -k overwritten"),
    ("6 a run looks again at its end", "training/train.py", "        check_unchanged(dataset)\n",
     "", "training/test_evaluate.py::test_data_overwritten_during_a_run_fail_it"),
    ("6 data that are cut while a run reads them", "data/dataset.py",
     "if path.exists() and path.stat().st_size < whole:", "if False:",
     f"{BELONGING} -k its_hash_or_fails"),
    ("7 no plan fails the gate", "analysis/gate/check.py",
     "return [Check(kind, Problem.MISSING)]", "return [Check(kind)]",
     f"{CHEATS}::test_a_plan_is_part_of_the_evidence"),
    ("7 fewer runs than the baseline", "analysis/gate/match.py",
     "and len(self.sweep) >= len(self.baseline)", "", f"{CHEATS} -k 'one_seed or seed'"),
    ("7 a damaged plan is left alone", "sweeping/plan/directory.py",
     "if isinstance(error, OSError) and error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG):",
     "if True:", "sweeping/test_directory.py::test_a_damaged_plan_is_refused_and_left_alone"),
    ("7 resume refuses other data", "sweeping/plan/directory.py",
     "if had and not had.keys() & now.keys():", "if False:",
     "sweeping/test_directory.py::test_a_repeated_command_refuses_other_data_and_names_both"),
    ("8 resume gives all commands", "sweeping/plan/commands.py",
     "    for one in found.values():\n", "    for one in [*found.values()][-1:]:\n",
     f"{COMMANDS}::test_every_command_is_given_again_whole_and_once"),
    ("8 --config-name is kept", "sweeping/app.py", '"config-name": options.config_name,',
     '"config-name": None,',
     f"{COMMANDS}::test_a_command_with_a_config_of_its_own_is_kept_whole_and_asks_for_the_same"),
    ("9 regular files alone", SAFE, "if not stat.S_ISREG(status.st_mode):", "if False:",
     f"{HOSTILE} -k 'refused_at_once and endless'"),
    ("9 pipes do not block", SAFE, 'os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) |', "os.O_RDONLY |",
     f"{HOSTILE} -k 'refused_at_once and pipe'"),
    ("9 a limit of bytes", SAFE, "if status.st_size > max_bytes:", "if False:",
     f"{HOSTILE} -k 'refused_at_once and huge'"),
    ("9 no NaN", SAFE, "parse_constant=_refuse, ", "",
     f"{HOSTILE}::test_what_is_no_number_of_json_is_refused_wherever_it_stands"),
    ("9 no key twice in JSON", SAFE, ", object_pairs_hook=_once", "",
     f"{HOSTILE} -k 'not_ours and twice'"),
    ("9 no key twice in YAML", SAFE, "if twice:  # the last", "if False:  # the last",
     f"{CHEATS} -k 'judge_nothing and twice'"),
    ("9 YAML that its aliases make large", SAFE, "if _size(node, {}) > MAX_NODES:", "if False:",
     f"{CHEATS} -k 'judge_nothing and laughs'"),
    ("9 newer files", SAFE, "if isinstance(version, int) and version > newest:", "if False:",
     f"{HOSTILE}::test_a_newer_plan_is_refused_by_its_version"),
    ("9 arrays that unpack to gigabytes", SAFE, "if total > max_bytes:", "if False:",
     f"{HOSTILE}::test_an_archive_that_unpacks_to_gigabytes_is_refused_unread"),
    ("9 arrays as their headers say", SAFE, "if claimed != sizes[member]:", "if False:",
     f"{HOSTILE}::test_an_array_of_another_size_than_its_header_says_is_refused_unread"),
    ("9 classes each once", "records/record.py",
     "if [entry.label for entry in self.per_class] != list(range(classes)):", "if False:",
     f"{BELONGING} -k contradicts"),
    ("9 settings of the schema's types", "records/record.py",
     "if type(value) is not kind and not (kind is float and type(value) is int):", "if False:",
     f"{BELONGING} -k contradicts"),
    ("9 a damaged study is named", "records/sweep.py",
     "problems.append(Problem(paths.study_json, str(error)))", "pass",
     f"{HOSTILE}::test_a_damaged_plan_or_study_is_a_problem_of_its_sweep"),
    ("9 plans name no directory elsewhere", "records/plan_file.py",
     'label: str = Field("", pattern=r"^[^/]*$")', 'label: str = ""',
     f"{HOSTILE}::test_a_plan_names_no_directory_elsewhere"),
    ("9 plans of absurdly many settings", "records/fields.py",
     "if len(found) * len(points) > MAX_CELLS:", "if False:",
     "records/test_frame.py::test_a_plan_of_more_settings_than_any_sweep_is_refused_in_a_sentence"),
    ("9 submitted jobs are of their sweep", "sweeping/launch/submitted.py",
     "if not is_inside or not _RUN_ID.fullmatch(job.run_id):", "if False:",
     "sweeping/test_submitted.py::test_a_list_of_jobs_names_no_directory_outside_of_its_sweep"),
    ("9 nothing is written through a link", "records/store.py", "if path.is_symlink():",
     "if False:", f"{SUMMARY} -k through_a_link"),
    ("10 a directory that was moved away", "cli/sweep_summary.py",
     "except DirectoryError as gone:", "except ZeroDivisionError as gone:",
     f"{SUMMARY} -k happened"),
    ("10 records that cannot be read are no results", "cli/sweep_account.py",
     "ended.pop(run_id, None)", "pass", f"{SUMMARY} -k happened"),
    ("10 a deleted plan is said", "cli/sweep_summary.py",
     "if result.plan.points and found.plan and not found.plan.points:", "if False:",
     f"{SUMMARY} -k happened"),
    ("10 a deleted directory is said", "cli/sweep_account.py",
     "if o.status.is_final and o.run_id not in there", "if False",
     "cli/test_sweep_summary.py::test_what_was_lost_with_a_directory_is_said"),
    # Who may do what.
    ("11 others' commands run no code", "sweeping/plan/commands.py", "if code and not trust:",
     "if False:", f"{COMMANDS}::test_code_runs_only_from_this_users_own_commands"),
    ("11 signatures are compared", "sweeping/plan/commands.py",
     "return bool(words and signed) and hmac.compare_digest(",
     "return bool(words and signed) or hmac.compare_digest(",
     f"{COMMANDS}::test_another_users_key_signs_otherwise"),
    ("11 paths as choices of a group", "sweeping/plan/commands.py",
     'return not is_path and ("/" in value or "\\\\" in value)', "return False",
     f"{COMMANDS}::test_code_runs_only_from_this_users_own_commands"),
    ("11 not from within the directory", "cli/sweep.py",
     "if Path.cwd().resolve().is_relative_to(directory.resolve()):", "if False:",
     "cli/test_resume.py::test_nothing_is_resumed_from_within_the_directory"),
    ("11 no module of the directory", "__main__.py", 'if Path("sweep.json").exists():', "if False:",
     "cli/test_resume.py::test_the_program_imports_no_module_of_a_sweeps_directory"),
    ("11 a network's classes are Keras's", "inference/load.py",
     "if ours and known and isinstance(name, str):", "if True:",
     "inference/test_load.py::test_anything_but_kerass_own_classes_is_refused"),
    ("12 messages", "errors.py", "return harmless(super().__str__())", "return super().__str__()",
     f"{HOSTILE}::test_nothing_that_a_terminal_obeys_gets_through"),
    ("12 paths of problems", "records/sweep.py", 'return visible(f"{self.path}: {self.reason}")',
     'return f"{self.path}: {self.reason}"',
     f"{HOSTILE}::test_nothing_that_a_terminal_obeys_gets_through"),
    ("12 JSON", SAFE, 'if one != "\\n" and is_hidden(one) else one', "if False else one",
     f"{HOSTILE}::test_nothing_that_a_terminal_obeys_gets_through"),
    ("12 names of devices", "settings/validation.py", "or _DEVICE.fullmatch(name)", "",
     f"{HOSTILE} -k takes_for_something_else"),
    ("12 hidden characters in names", "settings/validation.py",
     "or any(map(is_hidden, name))", "", f"{HOSTILE} -k takes_for_something_else"),
    ("13 secrets on the command line", "sweeping/plan/checks.py",
     "return bool(_RECORDED.fullmatch(key) and", "return bool(False and",
     "sweeping/test_hydra_settings.py::test_what_cannot_be_followed_is_refused_in_a_sentence"),
    ("13 secrets in files", "sweeping/plan/checks.py",
     "        if is_secret(key, _with_referred(str(value), leaves)):", "        if False:",
     "sweeping/test_hydra_settings.py -k secret"),
    ("13 secrets in names of directories", "sweeping/plan/checks.py",
     'r"|hydra\\.(run|sweep|output_subdir|job', 'r"|hydra\\.(run_|sweep_|output_subdir_|job_',
     "sweeping/test_hydra_settings.py::test_what_cannot_be_followed_is_refused_in_a_sentence"),
    ("13 secrets by way of Hydra's settings", "sweeping/plan/checks.py",
     "_with_referred(str(value), leaves)", "str(value)",
     "sweeping/test_hydra_settings.py::test_what_cannot_be_followed_is_refused_in_a_sentence"),
    ("13 Hydra's files stay within the run", "sweeping/plan/checks.py",
     'if place.anchor or ".." in place.parts:', "if False:",
     "sweeping/test_hydra_settings.py::test_settings_without_effect_are_refused"),
    # The process.
    ("14 a second Ctrl-C", "sweeping/interrupts.py", "if len(pressed) > 1:", "if False:",
     "cli/test_streams.py::test_a_second_ctrl_c_ends_at_once_and_without_a_traceback"),
    ("14 Ctrl-C before the imports", "__main__.py", "except KeyboardInterrupt:",
     "except ZeroDivisionError:", f"{STREAMS} -k before_the_program"),
    ("14 a terminal that closes", "sweeping/interrupts.py", '("SIGTERM", "SIGHUP")',
     '("SIGTERM",)', f"{STREAMS} -k first_signal"),
    ("14 further signals to end", "sweeping/interrupts.py",
     "        for number in numbers:\n            signal.signal(number, signal.SIG_IGN)\n", "",
     f"{STREAMS} -k first_signal"),
    ("14 nohup", "sweeping/interrupts.py", "signal.getsignal(hung_up) is signal.SIG_IGN", "False",
     f"{STREAMS} -k nohup"),
    ("14 stopped workers", "sweeping/launch/processes.py",
     "if kill and process.is_alive():", "if False:",
     "sweeping/test_worker.py::test_processes_whose_end_is_not_told_are_killed_and_not_waited_for"),
    ("14 output that is closed", "cli/output.py", "os.open(os.devnull, os.O_RDWR)", "pass",
     "cli/test_streams.py::test_streams_that_are_closed_from_the_start_are_no_error"),
    ("14 output that is full", "cli/output.py",
     "        except OSError as error:\n            self._drop(error)\n\n    def _drop",
     "        except ZeroDivisionError as error:\n            self._drop(error)\n\n    def _drop",
     "cli/test_streams.py::test_a_full_disk_is_said_once"),
    ("14 a result is not late while it is written", "sweeping/launch/worker.py",
     "more_s = WRITE_S", "more_s = 0",
     "sweeping/test_worker.py -k time_to_write"),
    ("15 a matplotlibrc", "reporting/figures/drawing.py", "        rcdefaults()", "        pass",
     "reporting/test_figures.py::test_the_users_own_settings_of_matplotlib_do_not_count"),
    ("15 a long TMPDIR", "sweeping/launch/processes.py",
     'if "tempdir" not in config and', "if False and",
     "sweeping/test_worker.py::test_sockets_are_put_where_their_paths_are_short"),
    ("15 a HOME that cannot be written", "sweeping/plan/commands.py",
     "    except OSError:\n        return b", "    except ZeroDivisionError:\n        return b",
     f"{COMMANDS}::test_a_key_that_cannot_be_kept_signs_nothing"),
    ("15 -c with -m", "sweeping/app.py",
     "if sum(bool(getattr(options, command)) for command in commands) > 1:", "if False:",
     "sweeping/test_app.py::test_wrong_options_are_refused_without_a_page_of_usage"),
    ("15 hydra.launcher=nonsense", "sweeping/plan/checks.py",
     'if key in ("hydra.launcher", "hydra.sweeper"):', "if False:",
     "sweeping/test_hydra_settings.py::test_what_cannot_be_followed_is_refused_in_a_sentence"),
    ("16 rules judge something", RULES,
     "if not (self.floors or self.baseline or self.ratios):", "if False:",
     f"{CHEATS}::test_rules_that_judge_nothing_are_refused"),
    ("16 a level below 1", RULES, "Field(ge=0.5, le=MAX_LEVEL)", "Field(ge=0.5)",
     f"{CHEATS}::test_rules_that_judge_nothing_are_refused"),
    ("16 a tolerance that can be broken", RULES, "if self.tolerance >= most:", "if False:",
     f"{CHEATS}::test_rules_that_judge_nothing_are_refused"),
    ("16 a baseline agrees with its counts", "analysis/gate/baseline.py",
     "if value is not None and abs(value - expected) > 2 * 10**-DECIMALS:", "if False:",
     f"{CHEATS}::test_a_baseline_that_contradicts_itself_is_refused"),
    ("16 a baseline's runs are there once", "analysis/gate/baseline.py",
     "if len(set(names)) < len(names):", "if False:",
     f"{CHEATS}::test_a_baseline_that_contradicts_itself_is_refused"),
    ("16 a baseline is another directory", "analysis/gate/check.py",
     "if source is not None and source.resolve() == sweep.directory.resolve():", "if False:",
     f"{CHEATS}::test_a_baseline_that_is_no_other_sweep_is_refused_or_noted"),
    ("16 copied runs are noted", "analysis/gate/check.py",
     "return sum(max(own) <= _SAME_SECONDS for own in zip(*apart, strict=True))", "return 0",
     f"{CHEATS}::test_a_baseline_that_is_no_other_sweep_is_refused_or_noted"),
]  # fmt: skip


def main() -> None:
    """Mutate, test, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="protections in which this pattern is found")
    only = re.compile(parser.parse_args().only)
    for name in PRELOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    # A protection whose removal lets a file of any size in must not take the machine's memory.
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    verdicts: Counter[str] = Counter()
    print(HEADING)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        for name in ("mnist_sweep", "conf", "tests", "docs"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, copy)
        os.chdir(copy)
        os.environ["PYTHONPATH"] = str(copy)
        sys.path[:] = [str(copy), *(one for one in sys.path if Path(one).resolve() != ROOT)]
        for protection, file, text, replacement, test in MUTATIONS:
            if only.search(protection):
                verdict = mutate(copy / "mnist_sweep" / file, text, replacement, test)
                verdicts[verdict] += 1
                print(f"| {protection} | `{file}` | `{test}` | {verdict} |", flush=True)
    counts = ", ".join(f"{verdict}: {n}" for verdict, n in verdicts.items())
    print(f"\n{sum(verdicts.values())} protections; {counts}.")
    raise SystemExit(verdicts.keys() != {"red"})


def mutate(path: Path, text: str, replacement: str, test: str) -> str:
    """Replace a text in a file of the copy, run a test there, and put the file back."""
    before = path.read_text("utf-8")
    if before.count(text) != 1:
        return "NOT FOUND"
    if exit_code(test) != 0:
        return "NOT RUN"  # or red with its protection, too
    path.write_text(before.replace(text, replacement), "utf-8")
    found = exit_code(test)
    path.write_text(before, "utf-8")
    return {0: "SURVIVED", 2: "NOT RUN", 3: "NOT RUN", 4: "NOT RUN", 5: "NOT RUN"}.get(found, "red")


def exit_code(test: str) -> int | None:
    """Pytest's, of one test; None where it hangs."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(test,))
    process.start()
    process.join(LIMIT_S)
    code = process.exitcode
    process.kill()
    process.join()
    return code


def run(test: str) -> None:
    """In a process of its own, which has imported nothing of the package yet."""
    output = os.open(os.devnull, os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    words, _, selected = test.partition(" -k ")
    chosen = ["-k", selected.strip("'")] if selected else []
    options = ["-n0", "-q", "-x", "-p", "no:cacheprovider", "--long", "--assert=plain"]
    os._exit(pytest.main([*options, f"tests/{words}", *chosen]))


if __name__ == "__main__":
    main()
