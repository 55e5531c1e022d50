"""Compares slither's findings (JSON on standard input) with slither.answers.toml.

Exit code 1 when a finding has no answer, when an answer answers nothing, or when slither did not finish.
"""

import fnmatch
import json
import pathlib
import sys
import tomllib

ANSWERS = pathlib.Path(__file__).with_name("slither.answers.toml")


def where(finding):
    """`Contract.function`, or the name alone of what is no part of a contract."""
    for element in finding["elements"]:
        if element["type"] in ("function", "variable"):
            parent = element["type_specific_fields"]["parent"]
            return f"{parent['name']}.{element['name']}"
    return finding["elements"][0]["name"] if finding["elements"] else "-"


def main():
    report = json.load(sys.stdin)
    if not report["success"]:
        sys.exit(f"slither did not finish: {report['error']}")
    findings = report["results"].get("detectors", [])
    answers = tomllib.loads(ANSWERS.read_text())["answer"]
    unused = {(answer["check"], place) for answer in answers for place in answer["in"]}
    for answer in answers:
        if len(answer["why"]) < 20:
            sys.exit(f"slither.answers.toml: {answer['check']}: {answer['why']!r} is no reason")
    problems = []
    for finding in findings:
        place = where(finding)
        matching = {
            (check, pattern)
            for (check, pattern) in ((a["check"], p) for a in answers for p in a["in"])
            if check == finding["check"] and fnmatch.fnmatchcase(place, pattern)
        }
        unused -= matching
        if not matching:
            text = finding["description"].strip().split("\n")[0]
            problems.append(f"{finding['check']} ({finding['impact']}) in {place}: {text}")
    problems += [f"slither.answers.toml: {check} in {place} answers nothing" for check, place in sorted(unused)]
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(f"slither: {len(problems)} to mend, or to answer in slither.answers.toml")
    print(f"slither: {len(findings)} findings, all answered")


main()
