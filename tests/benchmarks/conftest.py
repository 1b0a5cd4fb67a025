"""What the tests of the benchmarks share."""

import shutil
from pathlib import Path

import pytest

from edgeclf.train.data.dataset import scan, write_split
from tests.support.trained_run import KEPT_RUN


@pytest.fixture(scope="session")
def run_folder(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that is kept with the tests, and a `split.csv` for it, so that nothing has to be trained. Read only."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(KEPT_RUN, folder, dirs_exist_ok=True)
    write_split(scan(image_folder), folder / "split.csv")
    return folder
