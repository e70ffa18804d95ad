#!/usr/bin/env python3
"""Draws the modules of Package.swift as docs/module-graph.svg, from the top down (needs Graphviz).

With --check it draws nothing: it fails where the committed picture shows other modules or arrows than Package.swift has.
An arrow that follows from other arrows is left out.
"""
import html
import json
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
picture = root / "docs/module-graph.svg"


def targets():
    """The targets that are no tests: name, kind and dependencies."""
    text = subprocess.run(
        ["swift", "package", "--package-path", root, "dump-package"], check=True, capture_output=True).stdout
    found = {}
    for target in json.loads(text)["targets"]:
        if target["type"] == "test" or target["name"].endswith("TestSupport"):
            continue
        dependencies = [next(iter(dependency.values()))[0] for dependency in target["dependencies"]]
        found[target["name"]] = (target["type"], dependencies)
    return found


def arrows(modules):
    """The dependencies that do not follow from others."""
    def reachable(name):
        return {name}.union(*(reachable(lower) for lower in modules[name][1]))

    return {
        (name, lower)
        for name, (_, dependencies) in modules.items()
        for lower in dependencies
        if not any(lower in reachable(other) for other in dependencies if other != lower)
    }


def drawing(modules):
    """The graph in Graphviz' language."""
    lines = ["digraph modules {", "rankdir=TB; nodesep=0.25; ranksep=0.45;",
             'node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, fillcolor="#dbe9f6"];',
             'edge [color="#555555", arrowsize=0.6];']
    for name, (kind, _) in sorted(modules.items()):
        is_c = (root / "Sources" / name).is_dir() and not any((root / "Sources" / name).rglob("*.swift"))
        color = "#f3f3f3" if kind == "system" else "#f6e7cf" if is_c else "#dbe9f6"
        lines.append(f'"{name}" [fillcolor="{color}"];')
    lines += [f'"{upper}" -> "{lower}";' for upper, lower in sorted(arrows(modules))]
    return "\n".join(lines + ["}"])


def drawn():
    """The modules and arrows of the committed picture."""
    titles = [html.unescape(title) for title in re.findall(r"<title>(.*?)</title>", picture.read_text())]
    return {title for title in titles if title != "modules"}


modules = targets()
if sys.argv[1:] == ["--check"]:
    expected = set(modules) | {"->".join(arrow) for arrow in arrows(modules)}
    if wrong := expected ^ drawn():
        sys.exit(f"{picture}: is out of date ({', '.join(sorted(wrong))}); run docs/module_graph.py")
else:
    svg = subprocess.run(["dot", "-Tsvg"], input=drawing(modules).encode(), check=True, capture_output=True).stdout
    picture.write_bytes(svg)
