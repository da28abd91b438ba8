"""Each thing that is wrong is found, by its name, and nothing else."""

import csv
import json

import cv2
import numpy as np
import pytest

from dataset_checker.annotations import Finding, Severity, person_size
from dataset_checker.check import check_dataset, read_dataset, write_findings
from dataset_checker.contact_sheet import TILE_SIDE, choose_people, draw_sheet
from dataset_checker.geometry import limb_ratios
from efficientpose.core.drawing import LEFT_COLOUR, RIGHT_COLOUR

NAMES = ["neck", "left_hand", "right_hand", "left_foot", "right_foot"]
SKELETON = [[1, 2], [1, 3], [1, 4], [1, 5]]
POSE = np.array([(50, 20), (70, 40), (30, 40), (60, 80), (40, 80)], float)
NUM_PEOPLE = 40


@pytest.fixture
def content():
    """Forty people in images of 100 x 100, all a little different."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for index in range(NUM_PEOPLE):
        pose = (POSE + rng.normal(0, 1, POSE.shape)).round(3)
        images.append(dict(id=index, file_name=f"{index}.png", width=100, height=100))
        keypoints = np.column_stack((pose, np.full(5, 2))).ravel().tolist()
        annotations.append(
            dict(id=100 + index, image_id=index, category_id=1, keypoints=keypoints, bbox=[20, 10, 60, 80])
        )
    category = dict(id=1, name="person", keypoints=NAMES, skeleton=SKELETON)
    return dict(images=images, annotations=annotations, categories=[category])


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(NUM_PEOPLE):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((100, 100, 3), index, np.uint8))
    return folder


@pytest.fixture
def check(tmp_path):
    def run(content, **settings):
        (tmp_path / "file.json").write_text(json.dumps(content))
        return check_dataset(read_dataset(tmp_path / "file.json"), **settings)

    return run


def place(annotation, joint, x, y):
    annotation["keypoints"][3 * joint : 3 * joint + 2] = [x, y]


def test_sound_annotations_have_no_findings(content, images, check):
    assert check(content) == []
    assert check(content, images=images, read_images=True) == []


def test_keypoints_outside_the_image(content, check):
    content["annotations"][3]["bbox"] = content["annotations"][4]["bbox"] = [0, 0, 200, 200]
    place(content["annotations"][3], 1, 99.6, 40)
    place(content["annotations"][4], 1, 99.4, 40)
    findings = [each for each in check(content) if each.reason == "outside_image"]
    (finding,) = findings
    assert (finding.image, finding.annotation, finding.severity) == ("3.png", 103, Severity.WARNING)
    assert finding.detail == "left_hand: up to 0.1 px outside 100 x 100 pixels"
    place(content["annotations"][3], 1, 130, 40)
    assert {each.severity for each in check(content) if each.reason == "outside_image"} == {Severity.ERROR}


def test_a_box_that_does_not_hold_its_keypoints(content, check):
    # With 12.5% of 80 px on each side, the box reaches from 20 - 10 to 80 + 10 and from 10 - 10 to 90 + 10.
    place(content["annotations"][3], 1, 90.5, 40)
    (finding,) = (each for each in check(content) if each.reason == "box_misses_keypoints")
    assert (finding.annotation, finding.detail) == (103, "left_hand: up to 10.5 px outside a box of 60 x 80")
    assert finding.severity is Severity.WARNING
    place(content["annotations"][3], 1, 89.5, 40)
    assert "box_misses_keypoints" not in {each.reason for each in check(content)}
    content["annotations"][3]["bbox"] = [500, 500, 10, 10]
    (finding,) = (each for each in check(content) if each.reason == "box_misses_keypoints")
    assert finding.severity is Severity.ERROR


def test_keypoints_on_one_spot(content, check):
    place(content["annotations"][3], 1, 30, 40)
    place(content["annotations"][3], 2, 30.05, 40)
    place(content["annotations"][4], 1, 30, 40)
    place(content["annotations"][4], 2, 30.2, 40)
    (finding,) = (each for each in check(content) if each.reason == "same_spot")
    assert (finding.annotation, finding.detail) == (103, "left_hand = right_hand")
    content["annotations"][3]["keypoints"] = [30, 40, 2] * 5
    (finding,) = (each for each in check(content) if each.reason == "same_spot")
    assert finding.severity is Severity.ERROR


def test_a_limb_of_impossible_length(content, check, tmp_path):
    place(content["annotations"][3], 3, 85, 150)
    findings = [each for each in check(content) if each.reason == "long_limb"]
    assert [(each.annotation, each.detail.split(" is ")[0]) for each in findings] == [(103, "neck to left_foot")]
    ratios = limb_ratios(read_dataset(tmp_path / "file.json"))
    usual = np.hypot(10, 60)  # the noise of 1 px hardly moves it
    assert ratios[3, 2] == pytest.approx(np.hypot(35, 130) / usual, rel=0.1)


def test_size_is_the_root_mean_square_distance():
    assert person_size(np.array([(0, 0), (6, 8), (np.nan, 1)])) == 5
    assert person_size(np.full((3, 2), np.nan)) == 0


def test_a_person_annotated_twice(content, check):
    again = json.loads(json.dumps(content["annotations"][3])) | dict(id=999)
    place(again, 1, *(np.array(again["keypoints"][3:5]) + 1))
    content["annotations"].append(again)
    (finding,) = check(content)
    assert (finding.reason, finding.annotation, finding.image) == ("person_twice", 999, "3.png")
    assert finding.detail.startswith("as annotation 103: keypoints 0.0")


def test_coordinates_copied_from_another_image(content, check):
    content["annotations"][4]["keypoints"] = content["annotations"][3]["keypoints"]
    (finding,) = check(content)
    assert (finding.reason, finding.annotation) == ("copied_keypoints", 104)
    assert finding.detail == "the very same coordinates as annotation 103 of 3.png"


def test_images(content, images, check):
    (images / "0.png").unlink()
    (images / "1.png").write_bytes((images / "2.png").read_bytes()[:60])
    cv2.imwrite(str(images / "3.png"), np.zeros((50, 100, 3), np.uint8))
    (images / "5.png").write_bytes((images / "4.png").read_bytes())
    found = {each.reason: each.image for each in check(content, images=images, read_images=True)}
    expected = {"missing_image": "0.png", "unreadable_image": "1.png", "image_size": "3.png", "same_picture": "5.png"}
    assert found == expected
    assert {each.reason for each in check(content, images=images)} == {"missing_image"}
    with pytest.raises(FileNotFoundError, match="no such folder of images"):
        check(content, images=images / "none")
    with pytest.raises(ValueError, match="needs their folder"):
        check(content, read_images=True)


def test_borders_of_images_whose_size_only_the_file_says(images, check):
    """MPII's layout has no sizes; 1-based 101 is the first column outside 100 pixels."""
    joints = np.linspace((10, 10), (90, 90), 16).round(2)
    joints[5] = (101, 50)
    person = dict(image="0.png", joints=joints.tolist(), joints_vis=[1] * 16, center=[50, 50], scale=0.6)
    assert check([person], images=images) == []
    (finding,) = check([person], images=images, read_images=True)
    assert (finding.reason, finding.detail) == ("outside_image", "left_ankle: up to 0.5 px outside 100 x 100 pixels")


def test_errors_come_first(content, check):
    place(content["annotations"][3], 1, 99.6, 40)
    content["annotations"][5]["category_id"] = 9
    assert next(each.severity for each in check(content)) is Severity.ERROR


def test_reports(tmp_path):
    findings = [Finding("a.json", "b, c.png", 3, "same_spot", Severity.WARNING, 'x = "y"')]
    write_findings(tmp_path / "report.csv", findings)
    write_findings(tmp_path / "report.json", findings)
    row = dict(file="a.json", image="b, c.png", annotation=3, reason="same_spot", severity="warning", detail='x = "y"')
    assert json.loads((tmp_path / "report.json").read_text()) == [row]
    with (tmp_path / "report.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [row | dict(annotation="3")]


def test_the_sheet_shows_left_and_right_in_their_colours(content, images, check, tmp_path):
    check(content)
    dataset = read_dataset(tmp_path / "file.json")
    people = choose_people(dataset, [], num_people=5, seed=1, only_suspicious=False)
    assert [each.annotation for each in people] == sorted({each.annotation for each in people})
    assert people == choose_people(dataset, [], num_people=5, seed=1, only_suspicious=False)
    sheet = draw_sheet(dataset, people[:1], images, [])
    tile = sheet[-TILE_SIDE:]
    known = people[0].keypoints
    low, high = known.min(axis=0), known.max(axis=0)
    side = 1.3 * (high - low).max()
    for joint, colour in ((1, LEFT_COLOUR), (2, RIGHT_COLOUR)):
        x, y = ((known[joint] - ((low + high) / 2 - side / 2)) * TILE_SIDE / side).round().astype(int)
        assert tile[y, x].tolist() == list(colour)
    assert draw_sheet(dataset, people, images, []).shape[:2] == (2 * (TILE_SIDE + 34), 3 * TILE_SIDE)


def test_only_suspicious_people_are_drawn(content, check, tmp_path):
    place(content["annotations"][3], 1, 99.6, 40)
    findings = check(content)
    dataset = read_dataset(tmp_path / "file.json")
    people = choose_people(dataset, findings, num_people=5, seed=1, only_suspicious=True)
    assert [each.annotation for each in people] == [103]
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        choose_people(dataset, findings, num_people=0, seed=1, only_suspicious=True)


@pytest.fixture
def check_content(run_tool, tmp_path):
    def run(content, *arguments):
        (tmp_path / "file.json").write_text(content if isinstance(content, str) else json.dumps(content))
        return run_tool("check_dataset.py", tmp_path / "file.json", *arguments)

    return run


def test_exit_statuses(content, images, check_content, tmp_path):
    status, printed, _ = check_content(content, "--images", images, "--sheet", tmp_path / "sheet.png")
    assert (status, "nothing suspicious" in printed) == (0, True)
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
    place(content["annotations"][3], 1, 99.6, 40)
    status, printed, _ = check_content(content, "--report", tmp_path / "report.json")
    assert (status, "warning: outside_image, 1" in printed) == (1, True)
    assert len(json.loads((tmp_path / "report.json").read_text())) == printed.count("annotation 103")
    status, _, error = check_content("{")
    assert (status, "file.json is not JSON" in error) == (2, True)
    assert check_content(content, "--read-images")[0] == 2
    assert check_content(content, "--images", tmp_path / "none")[0] == 2
