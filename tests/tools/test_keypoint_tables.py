"""Tables of keypoints: tidy ones and DeepLabCut's."""

import pytest
from keypoint_tables import TablePoint, read_table

TIDY = """person,image,keypoint,x,y,visible,note
a,one.png,nose,10.5,20,2,
a,one.png,left_eye,,,2,hidden
a,one.png,right_eye,12,nan,1,
b,one.png,nose,1,2,1,
b,one.png,left_eye,3,4,0,

,two.png,nose,5,6,2,
"""

DEEPLABCUT = """scorer,,,Anna,Anna,Anna,Anna
bodyparts,,,nose,nose,tail,tail
coords,,,x,y,x,y
labeled-data,walk,img005.png,10.25,20.5,,
labeled-data,walk,img017.png,1,2,3,4
"""

MULTI_ANIMAL = """scorer,Anna,Anna,Anna,Anna,Anna,Anna
individuals,m1,m1,m2,m2,single,single
bodyparts,nose,nose,nose,nose,corner,corner
coords,x,y,x,y,x,y
labeled-data\\walk\\img005.png,1,2,,,5,6
"""


@pytest.fixture
def read(tmp_path):
    def write_and_read(text):
        (tmp_path / "table.csv").write_text(text)
        return read_table(tmp_path / "table.csv")

    return write_and_read


def test_a_tidy_table_in_any_order_of_columns(read):
    table = read(TIDY)
    assert table.keypoint_names == ("nose", "left_eye", "right_eye")
    assert table.images == {
        "one.png": {"a": {"nose": TablePoint(10.5, 20, 2)}, "b": {"nose": TablePoint(1, 2, 1)}},
        "two.png": {"": {"nose": TablePoint(5, 6, 2)}},
    }


def test_without_the_column_visible_all_with_coordinates_are_seen(read):
    table = read("image,person,keypoint,x,y\none.png,0,nose,1,2\n")
    assert table.images["one.png"]["0"]["nose"].visible == 2


def test_deeplabcut_s_table_of_one_animal(read):
    table = read(DEEPLABCUT)
    assert table.keypoint_names == ("nose", "tail")
    assert table.images == {
        "labeled-data/walk/img005.png": {"single": {"nose": TablePoint(10.25, 20.5, 2)}},
        "labeled-data/walk/img017.png": {"single": {"nose": TablePoint(1, 2, 2), "tail": TablePoint(3, 4, 2)}},
    }


def test_deeplabcut_s_table_of_several_animals(read):
    (people,) = read(MULTI_ANIMAL).images.values()
    assert people == {"m1": {"nose": TablePoint(1, 2, 2)}, "m2": {}, "single": {"corner": TablePoint(5, 6, 2)}}


def test_deeplabcut_s_table_as_pandas_writes_it(tmp_path):
    pandas = pytest.importorskip("pandas")
    columns = pandas.MultiIndex.from_product(
        [["Anna"], ["nose", "tail"], ["x", "y"]], names=["scorer", "bodyparts", "coords"]
    )
    index = pandas.MultiIndex.from_tuples([("labeled-data", "walk", "img1.png")])
    pandas.DataFrame([[1.5, 2.5, None, None]], index=index, columns=columns).to_csv(tmp_path / "table.csv")
    table = read_table(tmp_path / "table.csv")
    assert table.images == {"labeled-data/walk/img1.png": {"single": {"nose": TablePoint(1.5, 2.5, 2)}}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("image,person,x\n", r"the header lacks keypoint, y; it has image, person, x\. Expected image, person"),
        ("image,person,keypoint,x,y\n", "has a header and no line"),
        ("image,person,keypoint,x,y\na.png,0,nose,1\n", "line 2: 4 cells, expected 5"),
        ("image,person,keypoint,x,y\na.png,0,nose,1,two\n", "line 2: y is 'two', expected a number"),
        ("image,person,keypoint,x,y\na.png,0,nose,inf,2\n", "line 2: x, y are inf, 2, expected finite"),
        ("image,person,keypoint,x,y\n,0,nose,1,2\n", "line 2: image and keypoint must not be empty"),
        ("image,person,keypoint,x,y,visible\na.png,0,nose,1,2,yes\n", "line 2: visible is 'yes', expected 0"),
        ("image,person,keypoint,x,y\n" + "a.png,0,nose,1,2\n" * 2, "line 3: a.png, 0, nose is in line 2 too"),
        ("scorer,A,A\nbodyparts,n,n\n", "header lacks coords; it has scorer, bodyparts"),
        ("scorer,A,A\nbodyparts,n,n\ncoords,x,z\n", "must repeat x, y"),
        ("scorer,A,A\nbodyparts,n,t\ncoords,x,y\n", "x of n is followed by y of t"),
        ("scorer,A,A\nbodyparts,n\ncoords,x,y\n", "different numbers of cells"),
        (DEEPLABCUT + "labeled-data,walk,img005.png,1,2,3,4\n", "line 6: labeled-data/walk/img005.png is there twice"),
        (DEEPLABCUT + "labeled-data,walk,img9.png,1,2,3\n", "line 6: 6 cells, expected 7"),
    ],
)
def test_tables_that_cannot_be_meant(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "table.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match=r"table\.csv is not comma-separated text"):
        read_table(tmp_path / "table.csv")
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "absent.csv")
