"""Which source a setting means: the first place that has MNIST, or the one that is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_sweep.data.files import absolute
from mnist_sweep.data.keras_mnist import cached_file, download
from mnist_sweep.data.source import Source, at
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from mnist_sweep.data.cache import Cache
    from mnist_sweep.data.stored import Stored

VARIABLE = "MNIST_SWEEP_DATA"
Attempt = Callable[[], Path]
HOW_TO_GET_MNIST = (
    f"To get MNIST, set {VARIABLE} to a folder with its IDX files (or an .npz or CSV file), or "
    "run `python -m mnist_sweep data mnist` once where there is a network"
)


@dataclass(frozen=True)
class Choice:
    """A source that was read, and what is to be said about the choosing."""

    source: Source
    stored: Stored
    notice: str | None = None


@dataclass(frozen=True)
class Chooser:
    """Chooses and reads a source.

    Attributes:
        cache: Where prepared data is kept.
        environ: The environment, for `MNIST_SWEEP_DATA` and `KERAS_HOME`.
        test_fraction: Share of the test split for data that has none.
        split_seed: Seed of that split.
        download_timeout_s: Seconds for Keras's download; 0 does not try.
    """

    cache: Cache
    environ: Mapping[str, str]
    test_fraction: float
    split_seed: int
    download_timeout_s: float

    def choose(self, name: str, path: str | None) -> Choice:
        """Find and read the data that `data=name` means.

        Raises:
            DataError: It cannot be had; the message tells where it was looked for.
        """
        if name in ("idx", "npz", "csv"):
            if not path:
                raise DataError(f"data={name} needs data.path=… to tell where its files are.")
            return self._read(Source(name, absolute(path, "data.path"), "data.path"))
        if path:
            raise DataError(
                f"data.path={path} belongs to data=idx, npz or csv; data={name} has no use for "
                f"it. For MNIST in files of your own set {VARIABLE} instead."
            )
        if name == "digits":
            return self._read(Source("digits"))
        if name not in ("auto", "mnist"):
            raise DataError(
                f"data={name} is unknown; known are auto, csv, digits, idx, mnist and npz."
            )
        return self._mnist(insist=name == "mnist")

    def _read(self, source: Source) -> Choice:
        stored = source.fetch(
            self.cache, test_fraction=self.test_fraction, split_seed=self.split_seed
        )
        return Choice(source, stored)

    def _mnist(self, *, insist: bool) -> Choice:
        named = self.environ.get(VARIABLE)
        if named:
            # What somebody set is meant: a fault there is never passed over for another place.
            return self._named(at(absolute(named, VARIABLE), VARIABLE), insist=insist)
        tried = [f"{VARIABLE} (not set)"]
        for label, attempt in self._keras():
            try:
                choice = self._read(Source("npz", attempt(), label))
            except DataError as error:
                tried.append(f"{label} ({str(error).rstrip('.')})")
                continue
            if choice.stored.original:
                return choice
            tried.append(f"{label} ({choice.source.path} holds something else than MNIST)")
        looked = "; ".join(tried)
        if insist:
            raise DataError(f"MNIST is not to be had. Tried: {looked}. {HOW_TO_GET_MNIST}.")
        choice = self._read(Source("digits"))
        notice = (
            "NOT MNIST: scikit-learn's bundled digits (1,797 real handwritten 8x8 digits) stand "
            f"in for it, as MNIST is not to be had. Tried: {looked}. {HOW_TO_GET_MNIST}."
        )
        return Choice(choice.source, choice.stored, notice)

    def _named(self, source: Source, *, insist: bool) -> Choice:
        choice = self._read(source)
        if choice.stored.original:
            return choice
        if insist:
            raise DataError(
                f"data=mnist insists on the original MNIST, but {VARIABLE}={source.path} holds "
                "something else (its content does not match the published checksums). "
                "Use data=auto to take what is there, or point it at MNIST's files."
            )
        notice = f"{VARIABLE}={source.path} is not the original MNIST; it is used as it is."
        return Choice(source, choice.stored, notice)

    def _keras(self) -> Iterator[tuple[str, Attempt]]:
        yield "Keras's cache", self._cached
        yield "Keras's download", lambda: download(self.environ, self.download_timeout_s)

    def _cached(self) -> Path:
        path = cached_file(self.environ)
        if not path.exists():
            raise DataError(f"no {path}")
        return path
