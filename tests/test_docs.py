"""The documents tell the truth about the tree, and the tools that check this notice when they do not."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from scripts import check_docs, check_tracked_files, closing_line


def test_documents_name_only_what_exists() -> None:
    assert check_docs.problems() == []


def test_tracked_files_are_clean() -> None:
    assert [
        line for path in check_tracked_files.tracked() for line in check_tracked_files.problems(path)
    ] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("see [this](missing.md)", "link to missing.md: no such file"),
        ("see [this](#nowhere)", "link to #nowhere: no such heading"),
    ],
)
def test_broken_links_are_noticed(text: str, complaint: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert list(check_docs.broken_links(page, text)) == [complaint]


def test_headings_become_anchors() -> None:
    assert check_docs.anchors("## 0.3 Departures from the `paper`, all\n") == {
        "03-departures-from-the-paper-all"
    }


def test_missing_make_targets_are_noticed() -> None:
    text = "Run `make fly` and then `make test`."
    assert list(check_docs.missing_targets(text, {"test"})) == ["`make fly`: no such target"]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("task list --json", None),
        ("task list ID", None),
        ("task fly", "no command 'fly'"),
        ("fly", "no command 'fly'"),
        ("task list --loud", "no option --loud"),
    ],
)
def test_commands_are_compared_with_the_command_line(line: str, wrong: str | None) -> None:
    task = click.Group("task", commands={"list": click.Command("list", params=[])})
    root = click.Group("blockedge", commands={"task": task}, params=[click.Option(["--json"])])
    assert check_docs.wrong_command(line.split(), root) == wrong


def test_paths_of_one_machine_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_tracked_files, "ROOT", tmp_path)
    page = tmp_path / "page.txt"
    page.write_text("fine\nsee /" + "home/alice/notes\n")
    assert check_tracked_files.problems(page) == ["page.txt:2: a path of one machine"]


def test_the_closing_line_counts_both_runners(tmp_path: Path) -> None:
    log = "Ran 2 test suites in 1s (1s CPU time): 7 tests passed, 1 failed, 0 skipped (8 total tests)\n"
    assert closing_line.forge_counts(log) == (7, 1, 0)
    report = tmp_path / "pytest.xml"
    report.write_text('<testsuites><testsuite tests="5" failures="1" errors="1" skipped="1"/></testsuites>')
    assert closing_line.pytest_counts(report) == (2, 2, 1)
