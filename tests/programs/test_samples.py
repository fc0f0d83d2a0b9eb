"""Every guest's own sample: what the golden table and the figures are made from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blockedge_node import programs
from blockedge_node.config.schema import ProgramsSection
from blockedge_node.content import Caps
from blockedge_node.core.job import Outcome, WasmJob
from blockedge_node.errors import ConfigError
from blockedge_node.executor.local import check


@pytest.mark.parametrize("name", programs.names())
def test_a_sample_runs_within_its_estimate(execute: Callable[[WasmJob], Outcome], name: str) -> None:
    guest = programs.guest(name)
    shards = guest.sample()
    assert shards == guest.sample()
    manifest = guest.manifest(shards, guest.small)
    for shard, stdin in enumerate(shards):
        job = manifest.job(
            wasm=guest.wasm(), stdin=stdin, shard=shard, shards=len(shards), files=guest.files()
        )
        outcome = execute(job)
        assert outcome.result.exit == 0, outcome.stderr
        assert outcome.output
        assert 1.1 * outcome.result.fuel_used < manifest.fuel


@pytest.mark.parametrize("name", programs.names())
def test_a_node_would_run_it(name: str) -> None:
    guest = programs.guest(name)
    assert check(guest.manifest([b""], guest.small), guest.wasm()) is None


@pytest.mark.parametrize("name", programs.names())
def test_nodes_take_it_on_by_default(name: str) -> None:
    guest = programs.guest(name)
    manifest = guest.manifest([bytes(1 << 20)])
    caps = Caps(**ProgramsSection().model_dump())
    assert caps.manifest(manifest) is None
    assert len(guest.wasm()) <= caps.wasm


def test_a_picture_whose_bands_nobody_takes_on_needs_more_shards() -> None:
    params = {"width": "4096", "height": "4096"}
    with pytest.raises(ConfigError, match="raise --shards"):
        programs.guest("render").split(b"", 1, params)
    assert len(programs.guest("render").split(b"", 2, params)) == 2
