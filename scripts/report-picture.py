#!/usr/bin/env python3
"""Figures of a report as pictures of their own, for README and docs.

    scripts/report-picture.py RUN/report.html OUT.svg map-accuracy front-points

takes the figures with these ids, side by side, with the page's styles and its colours for light paper.
"""
import re
import sys

GAP = 16


def figure(page: str, name: str) -> str:
    start = page.index(f'<svg id="{name}"')
    depth, at = 0, start
    for tag in re.finditer(r"<svg\b|</svg>", page[start:]):
        depth += 1 if tag.group(0) != "</svg>" else -1
        at = start + tag.end()
        if depth == 0:
            break
    return page[start:at]


def main() -> None:
    report, out, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    page = open(report, encoding="utf-8").read()
    style = re.search(r"<style>(.*?)</style>", page, re.S).group(1)
    colours = dict(re.findall(r"--([\w-]+):\s*([^;]+);", re.search(r":root \{(.*?)\n\}", style, re.S).group(1)))
    rules = [rule for rule in re.findall(r"^[^@{}\n]+\{[^{}]*\}", style, re.M) if "svg" in rule or rule.startswith(".q")]
    rules = re.sub(r"var\(--([\w-]+)\)", lambda name: colours[name.group(1)], "\n".join(rules))
    figures = [figure(page, name) for name in names]
    sizes = [tuple(map(int, re.search(r'width="(\d+)" height="(\d+)"', svg).groups())) for svg in figures]
    width = sum(size[0] for size in sizes) + GAP * (len(sizes) + 1)
    height = max(size[1] for size in sizes) + 2 * GAP
    x, placed = GAP, []
    for svg, size in zip(figures, sizes):
        svg = re.sub(r' (tabindex|role|aria-[\w-]+)="[^"]*"', "", svg)
        placed.append(svg.replace("<svg ", f'<svg x="{x}" y="{GAP}" ', 1))
        x += size[0] + GAP
    with open(out, "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' font-family="system-ui, sans-serif" font-size="11"><style>{rules}</style>'
            f'<rect width="{width}" height="{height}" fill="{colours["paper"]}"/>{"".join(placed)}</svg>\n'
        )


main()
