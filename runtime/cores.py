"""The number of processor cores that this process may use. In a container, that is often less than the machine has."""

import os
from pathlib import Path


def usable_cores() -> int:
    """The cores in the affinity mask, limited by the CPU quota of this process's control group (v2 and v1); at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *_cgroup_quotas(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))]))


def _cgroup_quotas(root: Path, membership: Path) -> list[int]:
    """Whole cores that each level from this process's group up to the root allows; levels without a limit are left out."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    quotas = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = root / "cpu" if controllers else root
        level = base / group.strip("/")
        for folder in (level, *level.parents):
            quotas += _quota(folder)
            if folder == base:
                break
    return quotas


def _quota(folder: Path) -> list[int]:
    try:
        if (folder / "cpu.max").exists():  # v2: "200000 100000" or "max 100000"
            limit, period = (folder / "cpu.max").read_text().split()
        else:
            limit, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return [max(1, int(limit) // int(period))] if limit not in ("max", "-1") else []
    except (OSError, ValueError):
        return []
