import os

import pytest
from lsp2mpii import provide_images

NAMES = ["im1.jpg", "im2.jpg"]


@pytest.fixture
def source(tmp_path):
    """Two photographs, and one that nobody asks for."""
    folder = tmp_path / "source" / "images"
    folder.mkdir(parents=True)
    for name in [*NAMES, "im3.jpg"]:
        (folder / name).write_text(f"photograph {name}")
    return folder


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_link(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    destination = tmp_path / "new" / "images"
    provide_images(source.relative_to(tmp_path), destination, NAMES, copy=False)
    assert destination.is_symlink()
    assert contents(destination) == contents(source)
    provide_images(source, destination, NAMES, copy=False)
    assert destination.resolve() == source


def test_link_that_cannot_be_made(source, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    with pytest.raises(OSError, match=r"no link can be made \(Operation not permitted\); use --copy-images.*out"):
        provide_images(source, tmp_path / "out", NAMES, copy=False)


@pytest.mark.parametrize("copy", [False, True])
def test_same_folder_stays_as_it_is(source, copy):
    before = contents(source)
    provide_images(source, source.parent / "." / "images", NAMES, copy=copy)
    assert contents(source) == before
    assert not source.is_symlink()


def test_copy_is_completed(source, tmp_path):
    destination = tmp_path / "out" / "images"
    provide_images(source, destination, NAMES, copy=True)
    assert not destination.is_symlink()
    expected = {name: f"photograph {name}" for name in NAMES}
    assert contents(destination) == expected
    (destination / "im2.jpg").unlink()
    provide_images(source, destination, NAMES, copy=True)
    assert contents(destination) == expected


def test_what_is_there_is_not_overwritten(source, tmp_path):
    destination = tmp_path / "images"
    destination.mkdir()
    (destination / "im2.jpg").write_text("mine")
    with pytest.raises(FileExistsError, match=r"images is there and is not .*source/images"):
        provide_images(source, destination, NAMES, copy=False)
    with pytest.raises(FileExistsError, match=r"im2.jpg is there and differs from .*source/images/im2.jpg"):
        provide_images(source, destination, NAMES, copy=True)
    assert contents(destination) == {"im2.jpg": "mine"}
    # Another picture of the same size and time is another all the same.
    (destination / "im2.jpg").write_text("photograph im9.jpg")
    for folder in (source, destination):
        os.utime(folder / "im2.jpg", (1000, 1000))
    with pytest.raises(FileExistsError, match=r"im2.jpg is there and differs"):
        provide_images(source, destination, NAMES, copy=True)


@pytest.mark.parametrize("copy", [False, True])
def test_links_and_files_in_the_way(source, tmp_path, copy):
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    (tmp_path / "file").write_text("a file")
    for name in ("nowhere", "elsewhere", "file"):
        with pytest.raises(FileExistsError, match=f"{name} is there and is not"):
            provide_images(source, tmp_path / name, NAMES, copy=copy)
    assert (tmp_path / "file").read_text() == "a file"
