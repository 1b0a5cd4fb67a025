"""What mistyped names may have meant."""

from pathlib import Path

import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.spelling import advice, close_to, near, require_choice


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("mobilenet-v2", ["MobileNetV2", "VGG16"], ["MobileNetV2"]),
        ("bilinaer", ["shrink", "bilinear", "nearest"], ["bilinear"]),
        ("Efficientnet_Lite0", ["efficientnet-lite0"], ["efficientnet-lite0"]),
        ("wide", ["crop", "pad"], []),
        ("cubic", ["shrink", "pillow-bicubic", "pillow-box"], ["pillow-bicubic"]),
    ],
)
def test_what_a_word_is_close_to(word: str, known: list[str], meant: list[str]) -> None:
    assert close_to(word, known) == meant


def test_a_long_list_is_not_part_of_a_sentence() -> None:
    assert advice("zzz", [f"network-{number}" for number in range(40)]) == "see --help-all for those that there are"


def test_a_value_that_is_no_choice_is_refused_with_what_it_may_have_meant() -> None:
    require_choice("--fit", None, ["crop", "pad"], is_optional=True)
    require_choice("--fit", "pad", ["crop", "pad"])
    with pytest.raises(OptionError, match=r"^--fit cannot be None; choose from crop, pad"):
        require_choice("--fit", None, ["crop", "pad"])
    with pytest.raises(OptionError, match=r"^--fit cannot be 'corp'; did you mean crop"):
        require_choice("--fit", "corp", ["crop", "pad"])


def test_what_is_near_a_path_that_does_not_exist_is_in_its_folder(tmp_path: Path) -> None:
    for name in ("photos", "labels.txt", ".photos"):
        (tmp_path / name).touch()
    assert near(tmp_path / "fotos") == f"did you mean {tmp_path / 'photos'}?"
    assert near(f"{tmp_path}/fotos/") == f"did you mean {tmp_path / 'photos'}?"
    assert (near(tmp_path / "xyz"), near(tmp_path / "nowhere" / "photos")) == ("", "")
