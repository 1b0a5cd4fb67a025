"""Names below the common folder, whatever mixture of paths comes in."""

from pathlib import Path

import pytest

from edgeclf.train.data.short_names import short_names


def test_relative_and_absolute_paths_may_be_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = short_names(["photos/cat/1.png", str(tmp_path / "val/cat/1.png")])
    assert list(names.values()) == ["photos/cat/1.png", "val/cat/1.png"]


def test_no_path_gives_no_name() -> None:
    assert short_names([]) == {}
