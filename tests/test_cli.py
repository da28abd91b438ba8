"""The command line: results, clear errors, exit status, and never a trace."""

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from efficientpose.cli import main
from efficientpose.core.skeleton import KEYPOINT_NAMES
from efficientpose.core.variants import VARIANTS


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder of two plain pictures."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for index, (width, height) in enumerate([(60, 40), (40, 60)]):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((height, width, 3), 90, np.uint8))
    return folder


def predictions(folder: Path) -> dict:
    return json.loads((folder / "predictions.json").read_text())


def test_predict_writes_overlays_and_predictions(
    photographs: Path, untrained_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "new" / "out"
    arguments = ["predict", str(photographs), "--weights", str(untrained_checkpoint), "--out", str(out)]
    assert main([*arguments, "--draw", "heatmaps,pafs"]) == 0
    names = {path.name for path in out.iterdir()}
    pictures = {f"{index}_{kind}.jpg" for index in (0, 1) for kind in ("pose", "heatmaps", "pafs")}
    assert names == pictures | {"predictions.json"}
    document = predictions(out)
    assert [Path(image["file"]).name for image in document["images"]] == ["0.png", "1.png"]
    first = document["images"][0]
    assert (first["width"], first["height"]) == (60, 40)
    assert first["instances"][0]["bbox"] == [0, 0, 60, 40]
    assert np.shape(first["instances"][0]["keypoints"]) == (16, 3)
    assert document["keypoint_names"] == list(KEYPOINT_NAMES)
    assert cv2.imread(str(out / "1_pose.jpg")).shape == (60, 40, 3)
    assert "2 of 2 images" in capsys.readouterr().out


def test_bad_files_are_named_and_the_rest_is_done(
    photographs: Path, untrained_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (photographs / "empty.jpg").touch()
    (photographs / "text.jpg").write_text("no picture")
    whole = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))[1].tobytes()
    (photographs / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    cv2.imwrite(str(photographs / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    out = tmp_path / "out"
    missing = tmp_path / "missing.jpg"
    status = main(
        ["predict", str(missing), str(photographs), "--weights", str(untrained_checkpoint), "--out", str(out)]
    )
    assert status == 1
    captured = capsys.readouterr()
    for fault in (
        "missing.jpg: no such",
        "empty.jpg: the file is empty",
        "text.jpg: not a",
        "cut.jpg: the file is trunc",
    ):
        assert fault in captured.err
    assert "dot.png: 1 x 1 pixels" in captured.err
    assert "Traceback" not in captured.err
    assert len(predictions(out)["images"]) == 2
    assert "2 of 6 images" in captured.out


def test_pictures_of_one_name_do_not_overwrite_one_another(
    photographs: Path, untrained_checkpoint: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "twin" / "0.jpg"
    twin.parent.mkdir()
    cv2.imwrite(str(twin), np.full((40, 60, 3), 9, np.uint8))
    out = tmp_path / "out"
    assert (
        main(["predict", str(photographs), str(twin), "--weights", str(untrained_checkpoint), "--out", str(out)]) == 0
    )
    assert {path.name for path in out.glob("*.jpg")} == {"0_pose.jpg", "1_pose.jpg", "0-2_pose.jpg"}


def test_boxes_from_the_command_line_and_from_a_file(
    photographs: Path, untrained_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = ["predict", str(photographs), "--weights", str(untrained_checkpoint)]
    assert main([*arguments, "--boxes", "5,5,30,30;1,2,20,39", "--out", str(tmp_path / "a")]) == 0
    for image in predictions(tmp_path / "a")["images"]:
        assert [person["bbox"] for person in image["instances"]] == [[5, 5, 30, 30], [1, 2, 20, 39]]

    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"0.png": [[5, 5, 30, 30]]}))
    assert main([*arguments, "--boxes", str(boxes), "--out", str(tmp_path / "b")]) == 1
    assert len(predictions(tmp_path / "b")["images"]) == 1
    assert "1.png: no boxes are given for it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--boxes", "1,2,3"], '--boxes takes "x1,y1,x2,y2"'),
        (["--boxes", "{tmp}/wrong.json"], "wrong.json: boxes look like"),
        (["--config", "{tmp}/broken.py", "--weights", "{tmp}/any.pth"], "not a usable config"),
        (["--boxes", "nowhere.json"], "nowhere.json: cannot be read as JSON"),
        (["--draw", "heatmaps,skeletons"], "not skeletons"),
        (["--weights", "nowhere.pth"], "nowhere.pth"),
        (["--config", "nowhere.py"], "give its weights too"),
    ],
)
def test_bad_options_say_what_would_be_right(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture, extra: list[str], message: str
) -> None:
    (tmp_path / "wrong.json").write_text('{"0.png": [{"x1": 1}]}')
    (tmp_path / "broken.py").write_text("model = missing_name")
    (tmp_path / "any.pth").touch()
    extra = [argument.replace("{tmp}", str(tmp_path)) for argument in extra]
    assert main(["predict", str(photographs), "--out", str(tmp_path / "out"), *extra]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_predictions_are_those_of_the_python_call(shared: Path, checkpoints: dict[str, Path], tmp_path: Path) -> None:
    from efficientpose import PoseEstimator

    folder = shared / "data" / "photos"
    assert main(["predict", str(folder), "--weights", str(checkpoints["rt"]), "--out", str(tmp_path)]) == 0
    estimator = PoseEstimator.load("rt", weights=checkpoints["rt"])
    for image in predictions(tmp_path)["images"]:
        (pose,) = estimator.predict(image["file"])
        np.testing.assert_allclose(image["instances"][0]["keypoints"], pose.keypoints, atol=1e-3)


def test_every_kind_of_picture_is_handled(untrained_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kinds of pictures é"
    folder.mkdir()
    colours = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    write = {
        "grey.png": colours[..., 0],
        "rgba.png": np.dstack((colours, colours[..., 0])),
        "deep.png": colours.astype(np.uint16) * 257,
        "panorama.jpg": np.full((60, 20_000, 3), 90, np.uint8),
    }
    for name, pixels in write.items():
        cv2.imencode(Path(name).suffix, pixels)[1].tofile(folder / name)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colours).save(folder / "turned.jpg", exif=exif)
    out = tmp_path / "out"
    assert main(["predict", str(folder), "--weights", str(untrained_checkpoint), "--out", str(out)]) == 0
    sizes = {Path(image["file"]).name: (image["width"], image["height"]) for image in predictions(out)["images"]}
    expected = dict.fromkeys(write, (64, 48)) | {"panorama.jpg": (20_000, 60), "turned.jpg": (48, 64)}
    assert sizes == expected


def test_a_picture_with_nobody_in_it_has_no_instances(
    photographs: Path, untrained_checkpoint: Path, tmp_path: Path
) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"0.png": [], "1.png": [[1, 2, 30, 40]]}))
    arguments = ["--weights", str(untrained_checkpoint), "--boxes", str(boxes), "--out", str(tmp_path / "out")]
    assert main(["predict", str(photographs), *arguments]) == 0
    assert [len(image["instances"]) for image in predictions(tmp_path / "out")["images"]] == [0, 1]


def test_the_folder_of_the_pictures_is_no_output_folder(
    photographs: Path, untrained_checkpoint: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = ["predict", str(photographs), "--weights", str(untrained_checkpoint), "--out", str(photographs)]
    assert main(arguments) == 2
    assert "holds images to read" in capsys.readouterr().err


def test_a_missing_package_is_named_with_its_remedy() -> None:
    code = "import sys; sys.modules['mmcv'] = None\nfrom efficientpose.cli import main\nsys.exit(main(['demo']))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "this command needs mmcv" in result.stderr
    assert "install PyTorch and MMPose, see requirements/mminstall.txt" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_output_folder_that_cannot_be_written_is_named(
    photographs: Path, untrained_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    assert main(["predict", str(photographs), "--weights", str(untrained_checkpoint), "--out", str(out)]) == 2
    assert f"cannot write to the output folder {out}" in capsys.readouterr().err


def test_termination_keeps_what_was_done(untrained_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(400):
        cv2.imwrite(str(folder / f"{index:03}.png"), np.full((40, 60, 3), 90, np.uint8))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "efficientpose.cli", "predict", str(folder), "--out", str(out)]
    with subprocess.Popen([*command, "--weights", str(untrained_checkpoint)], stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (out / "002_pose.jpg").exists():
            time.sleep(0.05)
        process.terminate()
    assert process.returncode == 130
    assert 3 <= len(predictions(out)["images"]) < 400


def test_a_folder_without_pictures_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["predict", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "no images in this folder" in error
    assert "nothing to do" in error


def test_a_checkpoint_of_another_variant_is_an_error(
    photographs: Path, untrained_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = ["predict", str(photographs), "--weights", str(untrained_checkpoint), "--out", str(tmp_path / "o")]
    assert main([*arguments, "--model", "ii"]) == 2
    assert "is of EfficientPose RT, not II: use --model rt" in capsys.readouterr().err


def test_an_unknown_model_is_refused_by_the_parser(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["predict", "a.jpg", "--model", "v"])
    assert stop.value.code == 2
    assert "'rt', 'i', 'ii', 'iii', 'iv'" in capsys.readouterr().err.replace('"', "'")


def test_models_prints_a_list_of_objects(capsys: pytest.CaptureFixture) -> None:
    assert main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [*VARIANTS, "openpose"]
    assert [row["parameters"] for row in rows] == [
        *(460_284, 719_736, 1_732_944, 3_229_772, 6_560_938),
        *(404_608, 591_632, 1_464_960, 25_939_664),
    ]


def test_convert_writes_a_checkpoint_and_refuses_other_files(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    checkpoint = tmp_path / "rt.pth"
    released = shared / "official" / "keras" / "EfficientPoseRT.h5"
    assert main(["convert", str(released), "-o", str(checkpoint)]) == 0
    assert checkpoint.is_file()
    assert main(["convert", str(released), "-o", str(tmp_path / "i.pth"), "--model", "i"]) == 2
    assert "is of EfficientPose RT, not EfficientPose I: use --model rt" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "nowhere.h5"), "-o", str(tmp_path / "x.pth")]) == 2
    assert "nowhere.h5: no such file" in capsys.readouterr().err
    assert main(["convert", str(released), "-o", str(tmp_path / "nowhere" / "x.pth")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_the_installed_command_answers_without_loading_torch() -> None:
    code = "import sys; from efficientpose.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'mmpose', 'cv2'} & set(sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "predict" in result.stdout
