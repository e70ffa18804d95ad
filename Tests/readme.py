#!/usr/bin/python3
"""Checks that the documentation is true: readme.py VGGCONV

All links of the pages listed below to files lead somewhere, also those to headings. The blocks
of README.md and docs/boards.md that `<!-- check -->` marks run, those of a page in one folder, one after the other: `sh` and `python` as they
are, `console` command by command, and each line of output that it shows (but `…`) is really printed; measured numbers may differ.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent
failures = []


def anchors(text):
    """The anchors that a page's headings have on GitHub and GitLab."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", text, re.M)}


def check_links(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            failures.append(f"{page.relative_to(root)}: leads to {link}, which does not exist")
        elif anchor and anchor not in anchors(target.read_text()):
            failures.append(f"{page.relative_to(root)}: leads to {link}, a heading that does not exist")


def run(page, command, environment, folder):
    result = subprocess.run(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        failures.append(f"{page}: {command[-1].strip()}: status {result.returncode}\n{result.stdout}")
    return result.stdout


def comparable(line):
    """A line without measured numbers and the width of its columns."""
    return " ".join(re.sub(r"\d[\d.]*(e[-+]\d+| %)", "#", line).split())


def check_console(page, block, environment, folder):
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        printed = [comparable(line) for line in run(page, ["bash", "-ec", command], environment, folder).splitlines()]
        for line in filter(lambda line: line.strip() not in ("", "…"), shown.splitlines()):
            if comparable(line) not in printed:
                failures.append(f"{page}: {command}: does not print: {line}")


def run_blocks(page, kinds):
    blocks = re.findall(r"^<!-- check -->\n```(\w+)\n(.*?)^```$", (root / page).read_text(), re.M | re.S)
    if {kind for kind, _ in blocks} != kinds:
        failures.append(f"{page}: does not mark blocks of just these kinds: {', '.join(sorted(kinds))}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for shown in ["fixtures", "Tests"]:
            (folder / shown).symlink_to(root / shown)
        environment = {**os.environ, "PATH": f"{vggconv.parent}:{os.environ['PATH']}", "COLUMNS": "80"}
        for kind, block in blocks:
            if kind == "console":
                check_console(page, block, environment, folder)
            else:
                run(page, [sys.executable, "-c", block] if kind == "python" else ["bash", "-ec", block], environment, folder)
    return len(blocks)


vggconv = pathlib.Path(sys.argv[1]).resolve()
pages = [root / "README.md", root / "CHANGELOG.md", root / "fixtures/README.md", root / "schemas/FORMAT.md",
         *sorted((root / "docs").glob("*.md"))]
for page in pages:
    check_links(page)

count = run_blocks("README.md", {"sh", "python", "console"})
count += run_blocks("docs/boards.md", {"console"})

print("\n".join(failures) or f"{len(pages)} pages and {count} blocks of commands are right")
sys.exit(bool(failures))
