#!/usr/bin/env python3
"""No circles between modules.

Two modules that stand beside each other, with all that is in them, never need each other, directly or around a corner. A
module and its own parts (`pump` inside `mqtt`) are one thing.
"""

import sys

import files
import rust_source


def circles(edges):
    """The strongly connected parts with more than one member (Tarjan's algorithm, without recursion)."""
    nodes = sorted({node for edge in edges for node in edge})
    targets = {node: sorted(to for start, to in edges if start == node) for node in nodes}
    index, low, stack, on, result = {}, {}, [], set(), []
    for begin in nodes:
        if begin in index:
            continue
        work = [(begin, iter(targets[begin]))]
        index[begin] = low[begin] = len(index)
        stack.append(begin)
        on.add(begin)
        while work:
            node, left = work[-1]
            for target in left:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on.add(target)
                    work.append((target, iter(targets[target])))
                    break
                if target in on:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part = []
                    while True:
                        member = stack.pop()
                        on.discard(member)
                        part.append(member)
                        if member == node:
                            break
                    if len(part) > 1:
                        result.append(sorted(part))
    return result


def beside(edges):
    """Edges between modules of one parent: from the first place where the two ways part."""
    lifted = {}
    for (start, to), example in edges.items():
        depth = 0
        while depth < min(len(start), len(to)) and start[depth] == to[depth]:
            depth += 1
        if depth < len(start) and depth < len(to):
            lifted.setdefault((start[:depth + 1], to[:depth + 1]), example)
    return lifted


def check(root=files.ROOT):
    problems = []
    for crate in rust_source.crates(root):
        edges = crate.edges()
        edges = beside(edges)
        for part in circles(edges):
            names = ", ".join("::".join(module) or "the crate" for module in part)
            lines = [f"    {example}" for (start, to), example in sorted(edges.items()) if start in part and to in part]
            problems.append("\n".join([f"{crate.name}: {names} need each other", *lines]))
    return problems


if __name__ == "__main__":
    sys.exit(files.report("modules", check()))
