"""Files that compute and files that wait are dealt to the workers of a run of tests."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.remote import Producer

from tests import lanes
from tests.lanes import COMPUTING, WAITING, Lanes, best

OTHERS = ["tests/test_wave.py", "tests/test_trend.py"]


class Worker:
    """Notes what it is told to do."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.told: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.told += indices

    def shutdown(self) -> None:
        self.shutting_down = True


class Run:
    """Each worker does one test after the other, all at the same pace."""

    def __init__(self, workers: int, files: list[str]) -> None:
        config: Any = SimpleNamespace(
            getvalue=lambda _: ["popen"] * workers, option=SimpleNamespace(loadscopereorder=True)
        )
        self.lanes = Lanes(config, Producer("lanes", enabled=False))
        self.tests = [f"{file}::test_{n}" for file in files for n in range(3)]
        self.workers: list[Any] = [Worker(f"gw{n}") for n in range(workers)]
        for worker in self.workers:
            self.lanes.add_node(worker)
            self.lanes.add_node_collection(worker, self.tests)
        self.lanes.schedule()
        self.files: list[list[str]] = [[] for _ in range(workers)]

    def end(self) -> list[list[str]]:
        """:return: the files of each worker, in the order in which it took them"""
        done = [0] * len(self.workers)
        while any(done[n] < len(worker.told) for n, worker in enumerate(self.workers)):
            for n, worker in enumerate(self.workers):
                if done[n] < len(worker.told):
                    test = worker.told[done[n]]
                    done[n] += 1
                    file = self.tests[test].split("::")[0]
                    if file not in self.files[n]:
                        self.files[n].append(file)
                    self.lanes.mark_test_complete(worker, test)
        assert all(worker.shutting_down for worker in self.workers)
        return self.files


def test_every_file_that_is_listed_is_there_once() -> None:
    listed = [*COMPUTING, *WAITING]
    assert len(listed) == len(set(listed))
    root = Path(__file__).parents[1]
    assert [file for file in listed if not (root / file).is_file()] == []


@pytest.mark.parametrize(
    ("further", "expected"),
    [(False, [*COMPUTING, *WAITING, *OTHERS]), (True, [*WAITING, *COMPUTING, *OTHERS])],
)
def test_the_longest_of_ones_own_kind_comes_first_and_what_is_short_last(
    further: bool, expected: list[str]
) -> None:
    left = [*OTHERS, *reversed(WAITING), *reversed(COMPUTING)]
    order = []
    while file := best(left, further=further):
        order.append(file)
        left.remove(file)
    assert order == expected


def test_further_workers_wait_while_the_first_compute_and_all_is_done_once() -> None:
    files = [*OTHERS, *WAITING, *COMPUTING]
    taken = Run(4, files).end()
    assert sorted(file for worker in taken for file in worker) == sorted(files)
    assert [worker[0] for worker in taken] == [*COMPUTING[:2], *WAITING[:2]]
    most = len(WAITING) // 3
    assert all(file in COMPUTING for worker in taken[:2] for file in worker[:most])
    assert all(file in WAITING for worker in taken[2:] for file in worker[:most])


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("files", [COMPUTING, WAITING], ids=["computing", "waiting"])
def test_no_worker_is_idle_while_there_are_files(workers: int, files: tuple[str, ...]) -> None:
    taken = Run(workers, [*files]).end()
    assert sorted(file for worker in taken for file in worker) == sorted(files)
    assert all(len(worker) >= len(files) // workers - 1 for worker in taken)


def test_what_is_in_a_long_file_is_slow() -> None:
    marked = []

    def item(nodeid: str) -> Any:
        return SimpleNamespace(nodeid=nodeid, add_marker=lambda name: marked.append((name, nodeid)))

    lanes.mark([item(f"{file}::test_a[::]") for file in (COMPUTING[0], WAITING[0], OTHERS[0])])
    assert marked == [("slow", f"{file}::test_a[::]") for file in (COMPUTING[0], WAITING[0])]
