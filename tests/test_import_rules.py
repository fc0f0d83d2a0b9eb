"""The import rules notice what they are for: impure core, adapters that know each other, a library in two hands."""

from __future__ import annotations

import grimp
import pytest
from importlinter import Contract

from scripts.import_contract import ImportedOnlyBy, MayImport


def graph_of(*imports: tuple[str, str]) -> grimp.ImportGraph:
    graph = grimp.ImportGraph()
    for line, (importer, imported) in enumerate(imports, start=1):
        for name in (importer, imported):
            if name not in graph.modules:
                graph.add_module(name, is_squashed=not name.startswith("app"))
        graph.add_import(
            importer=importer, imported=imported, line_number=line, line_contents=f"import {imported}"
        )
    return graph


def contract(kind: type[Contract], **options: object) -> Contract:
    return kind(name="rule", session_options={"root_packages": ["app"]}, contract_options=options)


def test_a_part_may_import_itself_its_list_and_data_modules() -> None:
    rule = contract(MayImport, modules=["core"], allowed=["eth_hash"], standard="data")
    graph = graph_of(("app.core.a", "app.core.b"), ("app.core.a", "eth_hash"), ("app.core.a", "dataclasses"))
    assert rule.check(graph, verbose=False).kept


@pytest.mark.parametrize("imported", ["time", "random", "os", "app.p2p", "libp2p"])
def test_core_asks_the_world_nothing(imported: str) -> None:
    rule = contract(MayImport, modules=["core"], allowed=["eth_hash"], standard="data")
    found = rule.check(graph_of(("app.core.a", imported)), verbose=False)
    assert not found.kept
    assert found.metadata["found"] == [f"app.core.a imports {imported} (line 1)"]


def test_adapters_do_not_know_each_other() -> None:
    rule = contract(MayImport, modules=["p2p"], allowed=["core", "libp2p"])
    assert rule.check(graph_of(("app.p2p.host", "libp2p"), ("app.p2p.host", "time")), verbose=False).kept
    assert not rule.check(graph_of(("app.p2p.host", "app.store.journal")), verbose=False).kept


def test_a_library_has_one_owner() -> None:
    rule = contract(ImportedOnlyBy, modules=["libp2p"], importers=["p2p"])
    assert rule.check(
        graph_of(("app.p2p.host", "libp2p"), ("app.daemon", "app.p2p.host")), verbose=False
    ).kept
    assert not rule.check(graph_of(("app.daemon", "libp2p")), verbose=False).kept
