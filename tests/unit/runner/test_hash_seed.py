from __future__ import annotations

from hookline_runner.project_process import hash_seed_of


def test_a_build_always_hashes_with_the_same_seed() -> None:
    assert hash_seed_of("bld_1") == hash_seed_of("bld_1")


def test_builds_differ_in_their_seed() -> None:
    assert hash_seed_of("bld_1") != hash_seed_of("bld_2")


def test_the_seed_is_one_that_python_takes() -> None:
    seeds = {int(hash_seed_of(f"bld_{number}")["PYTHONHASHSEED"]) for number in range(100)}

    assert all(0 < seed <= 4294967295 for seed in seeds)
