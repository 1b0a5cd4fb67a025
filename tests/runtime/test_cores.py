"""The number of workers follows the cores that this process may use, not those of the machine."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime.cores import _cgroup_quotas, usable_cores


def test_at_least_one_core_and_no_more_than_allowed() -> None:
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))


def test_affinity_is_respected(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import os; from edgeclf.runtime.cores import usable_cores\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(usable_cores())"
    )

    assert printed == "1\n"


@pytest.mark.parametrize(
    ("membership", "files", "quotas"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, [2]),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n"}, [3]),
        ("0::/a/b\n", {"a/cpu.max": "100000 100000\n", "a/b/cpu.max": "400000 100000\n"}, [4, 1]),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, [1]),
        ("0::/\n", {"cpu.max": "garbage\n"}, []),
        ("0::/\n", {}, []),
        ("3:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "250000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, [2]),
        ("3:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, []),
        ("4:memory:/a\n", {"cpu/a/cpu.cfs_quota_us": "100000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, []),
    ],
    ids=["v2", "v2-parent", "v2-both", "half-a-core", "garbage", "none", "v1", "v1-unlimited", "v1-other-controller"],
)
def test_quota_of_the_control_group_is_read(
    membership: str, files: dict[str, str], quotas: list[int], tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "membership").write_text(membership)

    assert _cgroup_quotas(tmp_path, tmp_path / "membership") == quotas
