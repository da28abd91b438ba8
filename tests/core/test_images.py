"""Pictures are found and read, and unusable ones are told apart by message."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from efficientpose.core.images import ImageError, find_images, read_image


@pytest.fixture
def photograph() -> np.ndarray:
    """A smooth picture, (40, 60, 3) BGR, whose left half is dark."""
    picture = np.full((40, 60, 3), 200, np.uint8)
    picture[:, :30] = (10, 60, 120)
    return picture


def write_jpeg(path: Path, picture: np.ndarray) -> bytes:
    cv2.imwrite(str(path), picture)
    return path.read_bytes()


def test_a_folder_stands_for_its_pictures_in_order(tmp_path: Path, photograph: np.ndarray) -> None:
    for name in ("b.JPG", "a.png", "c.tiff"):
        cv2.imwrite(str(tmp_path / name), photograph)
    (tmp_path / "notes.txt").write_text("no picture")
    images, errors = find_images([tmp_path, tmp_path / "a.png"])
    assert [path.name for path in images] == ["a.png", "b.JPG", "c.tiff"]
    assert errors == []


def test_missing_sources_and_empty_folders_are_errors_beside_what_was_found(
    tmp_path: Path, photograph: np.ndarray
) -> None:
    (tmp_path / "empty").mkdir()
    cv2.imwrite(str(tmp_path / "a.png"), photograph)
    images, errors = find_images([tmp_path / "nowhere.jpg", tmp_path / "a.png", tmp_path / "empty"])
    assert images == [tmp_path / "a.png"]
    assert "nowhere.jpg: no such file or folder" in str(errors[0])
    assert "empty: no images in this folder" in str(errors[1])


def test_a_source_that_the_system_refuses_does_not_hide_the_others(tmp_path: Path, photograph: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), photograph)
    images, errors = find_images([tmp_path / ("x" * 300), tmp_path])
    assert images == [tmp_path / "a.png"]
    assert "File name too long" in str(errors[0])


def test_grey_16_bit_and_transparent_pictures_become_8_bit_colour(tmp_path: Path, photograph: np.ndarray) -> None:
    grey = photograph[..., 1]
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    assert np.array_equal(read_image(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=-1))

    cv2.imwrite(str(tmp_path / "deep.png"), photograph.astype(np.uint16) * 257)
    assert np.array_equal(read_image(tmp_path / "deep.png"), photograph)

    cv2.imwrite(str(tmp_path / "deep_grey.png"), grey.astype(np.uint16) * 257)
    assert np.array_equal(read_image(tmp_path / "deep_grey.png"), np.repeat(grey[..., None], 3, axis=-1))

    transparent = np.dstack((photograph, np.full((40, 60), 128, np.uint8)))
    cv2.imwrite(str(tmp_path / "rgba.png"), transparent)
    assert np.array_equal(read_image(tmp_path / "rgba.png"), photograph)


def test_exif_rotation_is_applied(tmp_path: Path, photograph: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to view
    Image.fromarray(photograph[..., ::-1]).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "turned.jpg")
    assert image.shape == (60, 40, 3)
    assert image[:25].mean() < 90 < image[35:].mean()


def test_a_panorama_of_20000_pixels_is_read(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wide.jpg"), np.full((120, 20_000, 3), 90, np.uint8))
    assert read_image(tmp_path / "wide.jpg").shape == (120, 20_000, 3)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.97])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_cut_off_jpeg_is_refused(tmp_path: Path, kept: float, options: dict) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 90, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", **options)
    data = buffer.getvalue()
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ImageError, match=r"cut\.jpg: (the file is truncated|not an image)"):
        read_image(path)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_what_a_camera_appends_behind_the_end_does_not_matter(tmp_path: Path, seed: int, ending: str) -> None:
    rng = np.random.default_rng(seed)
    whole = cv2.imencode(ending, rng.integers(0, 255, (80, 90, 3), dtype=np.uint8))[1].tobytes()
    path = tmp_path / f"phone{ending}"
    path.write_bytes(whole + rng.integers(0, 255, 300_000, dtype=np.uint8).tobytes())
    assert read_image(path).shape == (80, 90, 3)
    path.write_bytes(whole[:-30])
    with pytest.raises(ImageError, match="the file is truncated"):
        read_image(path)


def test_a_jpeg_with_restart_marks_is_whole(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 90, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "restarts.jpg"), noise, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])
    assert read_image(tmp_path / "restarts.jpg").shape == (80, 90, 3)


def test_a_cut_off_jpeg_with_a_whole_thumbnail_inside_is_refused(tmp_path: Path, photograph: np.ndarray) -> None:
    whole = write_jpeg(tmp_path / "whole.jpg", photograph)
    thumbnail = write_jpeg(tmp_path / "small.jpg", photograph[:16, :16])
    comment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    with_thumbnail = whole[:2] + comment + whole[2:]
    path = tmp_path / "cut.jpg"
    path.write_bytes(with_thumbnail)
    assert read_image(path).shape == (40, 60, 3)
    path.write_bytes(with_thumbnail[:-40])
    with pytest.raises(ImageError, match="the file is truncated"):
        read_image(path)


def test_a_cut_off_png_is_refused(tmp_path: Path, photograph: np.ndarray) -> None:
    path = tmp_path / "cut.png"
    cv2.imwrite(str(path), photograph)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ImageError, match="the file is truncated"):
        read_image(path)


def test_unusable_files_are_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ImageError, match=r"empty\.jpg: the file is empty"):
        read_image(tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_text("I am no picture")
    with pytest.raises(ImageError, match=r"text\.jpg: not an image"):
        read_image(tmp_path / "text.jpg")
    with pytest.raises(ImageError, match="not a file"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path / "absent.jpg")
    cv2.imwrite(str(tmp_path / "endless.png"), np.zeros((8, 32_800, 3), np.uint8))
    with pytest.raises(ImageError, match="32800 x 8 pixels are too many"):
        read_image(tmp_path / "endless.png")
    cv2.imwrite(str(tmp_path / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(ImageError, match="1 x 1 pixels are too few"):
        read_image(tmp_path / "dot.png")
