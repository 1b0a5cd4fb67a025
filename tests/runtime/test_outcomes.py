"""`classify`, with a folder and a model file by name, and its table for pandas."""

import sys
from pathlib import Path

import pandas as pd
import pytest

from edgeclf.runtime import Classifier, Frame, Outcome, classify, open_source
from edgeclf.runtime.errors import EdgeclfError, NoImagesError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.results.columns import Schema


@pytest.fixture
def folder(tmp_path: Path, image_folder: Path) -> Path:
    """Two images, and one that cannot be read."""
    for path in sorted(image_folder.rglob("*000.png")):
        (tmp_path / f"é{path.name}").write_bytes(path.read_bytes())
    (tmp_path / "bad.png").write_bytes(b"no image")
    return tmp_path


def test_a_folder_and_a_model_can_be_named(folder: Path, onnx_model: Path, classifier: Classifier) -> None:
    by_name, opened = classify(folder, onnx_model), classify(open_source(str(folder)), classifier)

    def seen(outcomes: list[Outcome]) -> list[tuple[str, str]]:
        return [(outcome.name, repr(outcome.result)) for outcome in outcomes]

    assert seen(list(by_name)) == seen(list(opened))


def test_a_table_has_the_columns_and_values_of_a_csv_file(folder: Path, onnx_model: Path) -> None:
    table = classify(folder, onnx_model).to_dataframe()

    assert list(table) == [column.name for column in Schema().columns("csv")]
    assert list(table["status"]) == ["error", "ok", "ok"]
    assert list(table["error"]) == ["not_an_image", "", ""]
    assert list(table["label"]) == ["", "disc", "square"]
    assert list(table["width"].dropna()) == [64, 64]
    assert table["model"].str.len().eq(16).all()


def test_columns_of_a_table_have_their_types(folder: Path, onnx_model: Path) -> None:
    types = {
        name: str(kind)
        for name, kind in classify(folder, onnx_model, checks=Checks(exif=True)).to_dataframe().dtypes.items()
    }

    assert (types["path"], types["label"], types["confidence"], types["width"]) == ("str", "category", "float64", "Int64")
    assert isinstance(pd.api.types.pandas_dtype(types["time"]), pd.DatetimeTZDtype)
    assert types["taken_at"].startswith("datetime64[")


@pytest.mark.parametrize("topk", [2, "all"])
def test_a_table_can_have_more_than_the_best_class(topk: object, folder: Path, classifier: Classifier) -> None:
    table = classify(folder, classifier).to_dataframe(topk=topk)  # type: ignore[arg-type]

    wanted = {2: ["label_2", "confidence_2"], "all": ["score_disc", "score_square"]}[topk]  # type: ignore[index]
    assert [name for name in wanted if name not in table] == []
    assert table[wanted[-1]].isna().sum() == 1


def test_an_answer_below_the_threshold_is_a_guess(folder: Path, classifier: Classifier) -> None:
    table = classify(folder, classifier).to_dataframe(conf=1.0)

    assert list(table["status"]) == ["error", "unsure", "unsure"]
    assert list(table["guess"]) == ["", "disc", "square"]


def test_a_table_of_outcomes_that_are_taken_is_empty_and_keeps_its_columns(folder: Path, classifier: Classifier) -> None:
    outcomes = classify(folder, classifier)
    first = next(outcomes)

    assert first.name.endswith("bad.png")
    assert len(outcomes.to_dataframe()) == 2
    assert outcomes.to_dataframe().shape == (0, len(Schema().columns("csv")))


def test_a_name_that_is_not_utf8_is_escaped(classifier: Classifier, png: bytes) -> None:
    table = classify([Frame("a\udcff.png", png)], classifier).to_dataframe()

    assert list(table["path"]) == ["a\\xff.png"]


@pytest.mark.parametrize("options", [{"topk": 0}, {"topk": "most"}, {"conf": 2}], ids=str)
def test_a_wrong_option_is_an_error(options: dict[str, object], folder: Path, classifier: Classifier) -> None:
    with pytest.raises(EdgeclfError, match=next(iter(options))):
        classify(folder, classifier).to_dataframe(**options)  # type: ignore[arg-type]


def test_without_pandas_the_way_to_it_is_named(
    folder: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(EdgeclfError, match="pip install pandas"):
        classify(folder, classifier).to_dataframe()


def test_an_empty_folder_is_an_error(tmp_path: Path, classifier: Classifier) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(NoImagesError):
        classify(tmp_path / "empty", classifier).to_dataframe()
