"""The plan of faults."""

from itertools import pairwise

import pytest

from chaos.faults import BREAKERS
from chaos.schedule import KINDS, VENUES, Setup, plan


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_plan_depends_on_its_seed_alone(seed: int) -> None:
    setup = Setup.of_seed(seed)
    assert plan(seed, 600, setup) == plan(seed, 600, setup)
    assert plan(seed, 600, setup) != plan(seed + 20, 600, setup)


def test_odd_seeds_run_one_sidecar_on_sqlite_and_even_ones_two_on_postgresql() -> None:
    assert Setup.of_seed(7) == Setup("sqlite", ("a",))
    assert Setup.of_seed(8) == Setup("postgresql", ("a", "b"))


@pytest.mark.parametrize("seed", range(1, 21))
def test_faults_hit_what_is_there_and_end_before_the_recovery(seed: int) -> None:
    setup = Setup.of_seed(seed)
    faults = plan(seed, 600, setup)
    assert len(faults) > 20
    for fault in faults:
        assert fault.target in {*VENUES, *setup.sidecars, "bot", "store"}
        assert 20 <= fault.at_s and fault.end_s <= 600
        if setup.store == "sqlite":
            assert fault.kind not in ("hang_server", "kill_server")


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_process_that_is_away_is_not_killed_again(seed: int) -> None:
    setup = Setup.of_seed(seed)
    away = [f for f in plan(seed, 600, setup) if f.kind in ("kill", "freeze", "clock_jump")]
    for place, fault in enumerate(away):
        for later in away[place + 1 :]:
            if later.target == fault.target:
                assert later.at_s > fault.end_s


def test_faults_overlap() -> None:
    faults = plan(2, 600, Setup.of_seed(2))
    assert any(b.at_s < a.end_s for a, b in pairwise(faults))


def test_every_kind_of_fault_occurs_within_twenty_seeds_and_can_be_done() -> None:
    seen = {fault.kind for seed in range(1, 21) for fault in plan(seed, 600, Setup.of_seed(seed))}
    assert seen == {kind.name for kind in KINDS} == set(BREAKERS)
