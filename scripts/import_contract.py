"""Two contract types for import-linter, so that pyproject.toml reads like the table of ARCHITECTURE.md.

`may_import`        what the named parts may import: an allow-list, so a new import needs a decision.
`imported_only_by`  who may import the named parts or libraries: one adapter owns each library.

Parts are written without the leading `blockedge_node.`; a part that does not exist yet imports nothing. Only
direct imports count: that daemon reaches libp2p through p2p is the point of having an adapter.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

# What "standard data modules and hashing" means: they hold or transform values and ask the world nothing.
# time, random, secrets, os, pathlib, logging and threading are missing on purpose.
DATA_MODULES = frozenset(
    "__future__ abc bisect collections copy dataclasses enum fractions functools hashlib heapq hmac "
    "itertools json math operator re string struct textwrap types typing".split()
)


def imports(graph: ImportGraph, root: str) -> Iterator[tuple[str, str]]:
    """Every direct import of the project as (importer, imported), tests and tools left out."""
    for module in sorted(graph.modules):
        if module == root or module.startswith(f"{root}."):
            for imported in sorted(graph.find_modules_directly_imported_by(module)):
                yield module, imported


def lines(graph: ImportGraph, importer: str, imported: str) -> str:
    details = graph.get_import_details(importer=importer, imported=imported)
    return "line " + ", ".join(str(detail["line_number"]) for detail in details)


def inside(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


class Violations(Contract):
    """What both types share: the list of offending imports, printed with file and line."""

    modules = fields.ListField(subfield=fields.StringField())

    def root(self) -> str:
        return str(self.session_options["root_packages"][0])

    def qualified(self, names: list[str]) -> list[str]:
        """Parts of the project by their full name, libraries as they are; both spellings are matched."""
        return [f"{self.root()}.{name}" for name in names] + names

    def offends(self, importer: str, imported: str) -> bool:
        raise NotImplementedError

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        found = [
            f"{importer} imports {imported} ({lines(graph, importer, imported)})"
            for importer, imported in imports(graph, self.root())
            if self.offends(importer, imported)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["found"]:
            output.print_error(line, bold=False)
        output.print("Move the code to the part that may import it, or change the rule in docs/decisions/.")


class MayImport(Violations):
    """The named parts import themselves, what is `allowed`, and the standard library (all, or `data`)."""

    type_name = "may_import"
    allowed = fields.ListField(subfield=fields.StringField())
    standard = fields.StringField(required=False, default="all")

    def offends(self, importer: str, imported: str) -> bool:
        own: list[str] = [f"{self.root()}.{name}" for name in self.modules]  # type: ignore[attr-defined]
        if not any(inside(importer, part) for part in own):
            return False
        if any(inside(imported, part) for part in own + self.qualified(self.allowed)):  # type: ignore[arg-type]
            return False
        if imported == self.root():  # the package itself holds a version and nothing else
            return False
        top = imported.partition(".")[0]
        if top in sys.stdlib_module_names:
            return str(self.standard) == "data" and top not in DATA_MODULES
        return True


class ImportedOnlyBy(Violations):
    """The named parts or libraries are imported by the parts in `importers` and by nobody else."""

    type_name = "imported_only_by"
    importers = fields.ListField(subfield=fields.StringField())

    def offends(self, importer: str, imported: str) -> bool:
        targets = self.qualified(self.modules)  # type: ignore[arg-type]
        allowed = [f"{self.root()}.{name}" for name in self.importers]  # type: ignore[attr-defined]
        is_target = any(inside(imported, part) for part in targets)
        return is_target and not any(inside(importer, part) for part in allowed)
