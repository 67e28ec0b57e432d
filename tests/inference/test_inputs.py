"""What `predict` is given: read as it is meant, or refused with its path and the reason."""

import gzip
import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mnist_sweep.errors import DataError
from mnist_sweep.inference import Expected, read
from support.data_files import as_idx, csv_text, write_idx

EXPECTED = Expected((4, 5), 255.0, 3)
SQUARE = Expected((28, 28), 255.0, 10)


@pytest.fixture
def images():
    return np.random.default_rng(3).integers(0, 256, (7, 4, 5), dtype=np.uint8)


@pytest.fixture
def labels():
    return (np.arange(7) % 3).astype(np.uint8)


def without_labels(images):
    rows = images.reshape(len(images), -1).tolist()
    header = ",".join(f"pixel{i}" for i in range(len(rows[0])))
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


@pytest.mark.parametrize("mark", ["", "\N{BYTE ORDER MARK}"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_csv_without_labels(tmp_path, images, mark, end):
    path = tmp_path / "test.csv"
    path.write_text(mark + without_labels(images).replace("\n", end), encoding="utf-8", newline="")
    inputs = read(path, EXPECTED)
    np.testing.assert_array_equal(inputs.images, images)
    assert inputs.images.dtype == np.uint8
    assert inputs.labels is None
    np.testing.assert_array_equal(read(tmp_path, EXPECTED).images, images)


def test_a_csv_with_labels_first(tmp_path, images, labels):
    path = tmp_path / "train.csv"
    path.write_text(csv_text(images, labels))
    inputs = read(path, EXPECTED)
    np.testing.assert_array_equal(inputs.images, images)
    np.testing.assert_array_equal(inputs.labels, labels)


@pytest.mark.parametrize("zipped", [False, True])
def test_an_idx_file(tmp_path, images, zipped):
    content = as_idx(images)
    path = tmp_path / f"digits-idx3-ubyte{'.gz' if zipped else ''}"
    path.write_bytes(gzip.compress(content) if zipped else content)
    np.testing.assert_array_equal(read(path, EXPECTED).images, images)


def test_of_a_folder_of_idx_files_the_test_split_is_meant(tmp_path, images, labels):
    write_idx(tmp_path / "data", (images[:3], labels[:3], images, labels))
    inputs = read(tmp_path / "data", EXPECTED)
    np.testing.assert_array_equal(inputs.images, images)
    np.testing.assert_array_equal(inputs.labels, labels)


def test_an_npz_of_a_dataset_or_of_one_array(tmp_path, images, labels):
    np.savez(tmp_path / "set.npz", x_train=images[:2], x_test=images, y_test=labels)
    inputs = read(tmp_path / "set.npz", EXPECTED)
    np.testing.assert_array_equal(inputs.images, images)
    np.testing.assert_array_equal(inputs.labels, labels)
    np.savez(tmp_path / "one.npz", whatever=images.reshape(7, 4, 5, 1).astype(np.int64))
    inputs = read(tmp_path / "one.npz", EXPECTED)
    np.testing.assert_array_equal(inputs.images, images)
    assert inputs.labels is None


def test_an_npz_of_medmnist_or_with_one_hot_labels(tmp_path, images, labels):
    np.savez(tmp_path / "m.npz", train_images=images[:2], test_images=images,
             test_labels=labels[:, None])  # fmt: skip
    np.savez(tmp_path / "h.npz", x=images, y=np.eye(3)[labels])
    for name in ("m.npz", "h.npz"):
        inputs = read(tmp_path / name, EXPECTED)
        np.testing.assert_array_equal(inputs.images, images)
        np.testing.assert_array_equal(inputs.labels, labels)


def test_of_kmnists_four_files_the_test_split_is_meant(tmp_path, images, labels):
    for name, array in (("train-imgs", images[:2]), ("train-labels", labels[:2]),
                        ("test-imgs", images), ("test-labels", labels)):  # fmt: skip
        np.savez(tmp_path / f"kmnist-{name}.npz", array)
    inputs = read(tmp_path, EXPECTED)
    np.testing.assert_array_equal(inputs.images, images)
    np.testing.assert_array_equal(inputs.labels, labels)


def test_images_are_prepared_as_the_networks_data_were(tmp_path, images, labels):
    lying = np.ascontiguousarray(images.swapaxes(1, 2))
    write_idx(tmp_path / "emnist", (lying[:3], labels[:3], lying, labels))
    inputs = read(tmp_path / "emnist", replace(EXPECTED, reader="emnist"))
    np.testing.assert_array_equal(inputs.images, images)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = tmp_path / "pictures" / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.bmp")
    expected = replace(EXPECTED, reader="folders")
    inputs = read(tmp_path / "pictures" / "1", expected)
    np.testing.assert_array_equal(inputs.images, images[labels == 1])
    inputs = read(tmp_path / "pictures", expected)
    np.testing.assert_array_equal(inputs.labels, np.sort(labels))
    Image.fromarray(images[0][:2]).save(tmp_path / "small.png")
    with pytest.raises(DataError, match=r"\(4, 5\), .* are \(2, 5\)\. Give images of that size\.$"):
        read(tmp_path / "small.png", expected)


def draw(mode="L", side=40, ink=255, paper=0):
    grey = np.full((side, side), paper, dtype=np.uint8)
    grey[8:-8, side // 2 - 2 : side // 2 + 3] = ink
    grey[-16:-8, side // 2 + 3 : side // 2 + 6] = ink  # so that its middle is no tie
    return Image.fromarray(grey).convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "P", "RGBA", "LA", "CMYK"])
def test_pictures_of_every_mode_show_the_same_digit(tmp_path, mode):
    path = tmp_path / ("one.jpg" if mode == "CMYK" else "one.png")
    draw(mode).save(path)
    inputs = read(path, SQUARE)
    draw().save(tmp_path / "plain.png")
    plain = read(tmp_path / "plain.png", SQUARE).images
    assert inputs.names == (path.name,)
    assert np.abs(inputs.images.astype(int) - plain).mean() < 3


def test_a_sixteen_bit_png_is_scaled_and_not_clipped(tmp_path):
    deep = np.asarray(draw(ink=120)).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    draw(ink=120).save(tmp_path / "plain.png")
    found = [read(tmp_path / name, SQUARE).images for name in ("deep.png", "plain.png")]
    np.testing.assert_array_equal(*found)


def test_a_dark_sixteen_bit_png_is_judged_with_the_others(tmp_path):
    for name, factor in (("a.png", 2), ("b.png", 257)):
        Image.fromarray(np.asarray(draw(ink=120)).astype(np.uint16) * factor).save(tmp_path / name)
    read(tmp_path / "a.png", SQUARE)  # by itself 240 of 255
    with pytest.raises(DataError, match=r"a\.png shows no digit"):  # with the other 240 of 65,535
        read(tmp_path, SQUARE)


@pytest.mark.parametrize("ink", [0, 255])
def test_behind_a_transparent_picture_is_paper_of_the_other_colour(tmp_path, ink):
    shape = np.asarray(draw())
    pixels = np.dstack([np.full((*shape.shape, 3), ink, np.uint8), shape])
    Image.fromarray(pixels).save(tmp_path / "clear.png")
    draw().save(tmp_path / "plain.png")
    found = [read(tmp_path / name, SQUARE).images for name in ("clear.png", "plain.png")]
    np.testing.assert_array_equal(*found)


def test_a_photograph_is_turned_upright_as_its_camera_says(tmp_path):
    lying = draw().rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 270 degrees to see it upright
    lying.save(tmp_path / "camera.jpg", exif=exif, quality=95)
    image = read(tmp_path / "camera.jpg", SQUARE).images[0]
    assert np.flatnonzero(image.any(axis=1)).size == 20
    assert np.flatnonzero(image.any(axis=0)).size < 10


def test_pictures_of_a_folder_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("10.png", "2.PNG", "1.jpeg", "b.jpg", ".hidden.png", "notes.txt"):
        image = io.BytesIO()
        draw().save(image, "JPEG" if "j" in name else "PNG")
        (tmp_path / name).write_bytes(image.getvalue())
    assert read(tmp_path, SQUARE).names == ("1.jpeg", "2.PNG", "10.png", "b.jpg")


def png(**changes):
    """The bytes of a PNG, chunk by chunk, with some of them changed."""
    stream = io.BytesIO()
    draw().save(stream, "PNG")
    return changes.get("edit", lambda content: content)(stream.getvalue())


def png_claiming(width, height):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    def chunk(kind, body):
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg():
    stream = io.BytesIO()
    draw().save(stream, "JPEG")
    return stream.getvalue()


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def other_format(name):
    stream = io.BytesIO()
    draw().save(stream, name)
    return stream.getvalue()


ROW = ",".join(["0"] * 20)
HEADER = ",".join(f"pixel{i}" for i in range(20))
SOME = np.zeros((2, 4, 5), np.uint8)
MALFORMED = {
    "csv: empty": ("a.csv", b"", "line 1 is ''"),
    "csv: a header only": ("a.csv", HEADER.encode(), "no images"),
    "csv: no header, another size": ("a.csv", b"0,0,0,0\n", "trained on images of shape"),
    "csv: another header": ("a.csv", f"x,y\n{ROW}\n".encode(), "line 1 is 'x,y'"),
    "csv: a gap in the header": ("a.csv", HEADER.replace("pixel7,", "").encode(), "line 1"),
    "csv: a short line": ("a.csv", f"{HEADER}\n{ROW}\n0,0\n".encode(), "Line 3 .* 2 values"),
    "csv: a long line": ("a.csv", f"{HEADER}\n{ROW},0\n".encode(), "Line 2 .* 21 values"),
    "csv: all lines short": ("a.csv", f"{HEADER}\n{ROW[:-2]}\n".encode(), "Line 2 .* 19 values"),
    "csv: a word": ("a.csv", f"{HEADER}\n{ROW[:-1]}x\n".encode(), "Line 2 .* 'x' for pixel19"),
    "csv: too bright": ("a.csv", f"{HEADER}\n256{ROW[1:]}\n".encode(), "'256' for pixel0"),
    "csv: negative": ("a.csv", f"{HEADER}\n-1{ROW[1:]}\n".encode(), "'-1' for pixel0"),
    "csv: a fraction": ("a.csv", f"{HEADER}\n0.5{ROW[1:]}\n".encode(), "'0.5' for pixel0"),
    "csv: nothing between commas": ("a.csv", f"{HEADER}\n,{ROW[2:]}\n".encode(), "'' for pixel0"),
    "csv: not a number": ("a.csv", f"{HEADER}\nnan{ROW[1:]}\n".encode(), "'nan' for pixel0"),
    "csv: binary": ("a.csv", bytes(range(256)) * 9, "line 1"),
    "csv: zeros": ("a.csv", b"\0" * 5000, "line 1"),
    "csv: another size": ("a.csv", b"pixel0,pixel1\n0,0\n", r"trained on .*\(4, 5\).*\(2,\)"),
    "csv: a label that is no class": (
        "a.csv", f"label,{HEADER}\n7,{ROW}\n".encode(), "classes 0 to 2.*label 7",
    ),
    "csv: a label that is a word": ("a.csv", f"label,{HEADER}\nx,{ROW}\n".encode(), "for label"),
    "csv: a header without end": ("a.csv", b"pixel0," * 50_000, "line 1"),
    "idx: empty": ("a-idx3-ubyte", b"", "an empty file"),
    "idx: something else": ("a-idx3-ubyte", b"hello, world", "not an IDX file"),
    "idx: truncated": ("a-idx3-ubyte", as_idx(SOME)[:-1], "wrong length"),
    "idx: too long": ("a-idx3-ubyte", as_idx(SOME) + b"\0", "wrong length"),
    "idx: labels": ("a-idx1-ubyte", as_idx(SOME[0, 0]), "single values"),
    "idx: no images": ("a-idx3-ubyte", as_idx(SOME[:0]), "no images"),
    "idx: an absurd size": (
        "a-idx3-ubyte", b"\0\0\x08\x03" + b"\xff" * 12 + b"\0", "wrong length",
    ),
    "idx: another size": ("a-idx3-ubyte", as_idx(SOME[:, :3]), "trained on images of shape"),
    "idx: damaged gzip": ("a.gz", gzip.compress(as_idx(SOME))[:-9], "damaged gzip"),
    "npz: empty": ("a.npz", b"", "cannot be read"),
    "npz: no archive": ("a.npz", b"PK\x03\x04 no", "cannot be read"),
    "npz: truncated": ("a.npz", npz(x=SOME)[:-30], "cannot be read"),
    "npz: no array": ("a.npz", npz(), "found none"),
    "npz: which one": ("a.npz", npz(a=SOME, b=SOME), "found a, b"),
    "npz: fractions": ("a.npz", npz(x=SOME + 0.5), "whole numbers"),
    "npz: text": ("a.npz", npz(x=np.array(["a"])), "whole numbers|type"),
    "npz: one number": ("a.npz", npz(x=np.uint8(3)), "expected images"),
    "npz: no images": ("a.npz", npz(x=SOME[:0]), "no images"),
    "npz: too few labels": ("a.npz", npz(x=SOME, y=SOME[0, 0, :1]), "one label for each of 2"),
    "npz: a label that is no class": (
        "a.npz", npz(x=SOME, y=np.array([0, 9])), "classes 0 to 2.*label 9",
    ),
    "png: empty": ("a.png", b"", "neither a PNG nor a JPEG"),
    "png: text": ("a.png", b"<html>not found</html>", "neither a PNG nor a JPEG"),
    "png: a GIF under its name": ("a.png", other_format("GIF"), "neither a PNG nor a JPEG"),
    "png: a TIFF under its name": ("a.png", other_format("TIFF"), "neither a PNG nor a JPEG"),
    "png: truncated in its pixels": ("a.png", png(edit=lambda c: c[:70]), "damaged picture"),
    "png: truncated in its header": ("a.png", png(edit=lambda c: c[:20]), "a PNG nor|damaged"),
    "png: a wrong checksum": (
        "a.png", png(edit=lambda c: c.replace(b"IDAT", b"IDAX")), "a PNG nor|damaged picture",
    ),
    "png: a bomb": ("a.png", png_claiming(30_000, 30_000), "pixels|exceeds"),
    "png: more than it holds": ("a.png", png_claiming(600, 600), "damaged picture"),
    "png: blank": ("a.png", png_claiming(9, 9), "shows no digit"),
    "jpeg: truncated": ("a.jpg", jpeg()[:-200], "damaged picture"),
    "jpeg: its first bytes alone": ("a.jpg", jpeg()[:4], "a PNG nor|damaged"),
    "jpeg: zeros after the header": ("a.jpeg", jpeg()[:150] + b"\0" * 500, "a PNG nor|damaged"),
    "of no kind": ("a.txt", b"7", "unknown file extension"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_refused_with_its_path_and_the_reason(tmp_path, name):
    file, content, reason = MALFORMED[name]
    path = tmp_path / file
    path.write_bytes(content)
    expected = SQUARE if file.endswith(("png", "jpg", "jpeg")) else EXPECTED
    with pytest.raises(DataError, match=rf"(?s){reason}") as caught:
        read(path, expected)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_missing_empty_or_a_folder_of_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read(tmp_path / "nothing.csv", EXPECTED)
    with pytest.raises(DataError, match="contains nothing to predict"):
        read(tmp_path, EXPECTED)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(DataError, match="contains nothing to predict"):
        read(tmp_path / "folder.png", SQUARE)
    with pytest.raises(DataError, match=r"folder\.png is not a file"):
        read(tmp_path, SQUARE)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / ("x" * 5000), EXPECTED)


def test_a_folder_whose_files_may_not_be_looked_at_is_refused(tmp_path, monkeypatch):
    (tmp_path / "test.csv").write_text(without_labels(SOME))

    def refused(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mnist_sweep.data.readers.npz.recognises", refused)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        read(tmp_path, EXPECTED)


def test_all_bad_pictures_of_a_folder_are_named_at_once(tmp_path):
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes(b"no" if number % 2 else png())
    with pytest.raises(DataError) as caught:
        read(tmp_path, SQUARE)
    assert all(str(tmp_path / f"{number}.png") in str(caught.value) for number in (1, 3, 5, 7))


def test_labels_that_are_no_classes_of_the_network_or_too_few_are_refused(tmp_path, images):
    np.savez(tmp_path / "a.npz", x=images, y=np.full(7, 3))
    with pytest.raises(DataError, match=r"classes 0 to 2, but .* has the label 3"):
        read(tmp_path / "a.npz", EXPECTED)
    np.savez(tmp_path / "a.npz", x=images, y=np.zeros(6, np.uint8))
    with pytest.raises(DataError, match=r"one label for each of 7 images, but .* shape \(6,\)"):
        read(tmp_path / "a.npz", EXPECTED)


def test_pixels_beyond_the_networks_scale_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.full((1, 8, 8), 17, np.uint8))
    with pytest.raises(DataError, match=r"pixels from 0 to 16, but .* one of 17"):
        read(tmp_path / "a.npz", Expected((8, 8), 16.0, 10))


def test_pictures_do_not_fit_a_network_of_colours(tmp_path):
    draw().save(tmp_path / "a.png")
    with pytest.raises(DataError, match="grey images"):
        read(tmp_path / "a.png", Expected((28, 28, 3), 255.0, 10))


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["png", "jpg", "npz", "csv", "gz"]),
    cut=st.integers(0, 400),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6),
)
def test_random_damage_is_read_or_refused_and_never_anything_else(
    tmp_path_factory, kind, cut, changes
):
    content = {
        "png": png(), "jpg": jpeg(), "npz": npz(x=SOME), "gz": gzip.compress(as_idx(SOME)),
        "csv": f"{HEADER}\n{ROW}\n".encode(),
    }[kind]  # fmt: skip
    damaged = bytearray(content[: len(content) - cut] if cut < len(content) else content)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    path = tmp_path_factory.mktemp("damage") / f"a.{kind}"
    path.write_bytes(bytes(damaged))
    try:
        inputs = read(path, SQUARE if kind in ("png", "jpg") else EXPECTED)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017  (it may as well be read)
    else:
        assert inputs.images.dtype == np.uint8
