"""Figures that repeat, compared with the checked-in ones: {"name": count} in a JSON file beside the script."""
import json
import os
import platform
import re
import subprocess

SKIPPED = 77  # the exit status that ctest takes as skipped


MACHINE = "made with"


def machine():
    """What the figures depend on beside the source: processor, kernel, compiler."""
    with open("/proc/cpuinfo") as cpus:
        model = re.search(r"model name\s*:\s*(.*)", cpus.read())
    compiler = subprocess.run(["c++", "-dumpfullversion"], capture_output=True, text=True).stdout.strip()
    return f"{model[1] if model else platform.machine()}, Linux {'.'.join(platform.release().split('.')[:2])}, g++ {compiler}"


def judge(figure, expected, tolerance):
    """What is wrong with one figure; `tolerance` is how far it may be off. Empty: nothing."""
    if expected is None:
        return "new"
    if figure > expected + tolerance:
        return "WORSE"
    if figure < expected - tolerance:
        return "better"
    return ""


def compare(figures, path, tolerance, unit, accept, command):
    """Prints a table and returns the exit status: 1 when a figure is worse than the one in `path` by more than
    `tolerance(expected)`, or has none there. accept: writes the figures to `path` instead of failing."""
    try:
        with open(path) as stored:
            expected = json.load(stored)
    except FileNotFoundError:
        expected = {}
    made_with = expected.pop(MACHINE, "")
    print(f"{'':22} {unit:>12} {'expected':>12}  change")
    verdicts = {}
    for name, figure in figures.items():
        was = expected.get(name)
        verdicts[name] = judge(figure, was, 0 if was is None else tolerance(was))
        change = f"{was:12,} {100 * (figure / was - 1):+6.1f} %" if was else f"{'':12} {'':8}"
        print(f"{name:22} {figure:12,} {change}  {verdicts[name]}".rstrip())
    gone = [name for name in expected if name not in figures]
    if accept:
        with open(path, "w") as out:
            json.dump({MACHINE: machine(), **figures}, out, indent=2)
            out.write("\n")
        print(f"accepted: written to {path}; commit it with the change that explains it")
        return 0
    if made_with != machine():
        print(f"\nShown, not judged: {os.path.basename(path)} was made with {made_with}; this is {machine()}.")
        return 0
    bad = [name for name, verdict in verdicts.items() if verdict in ("WORSE", "new")]
    good = [name for name, verdict in verdicts.items() if verdict == "better"]
    if bad or gone:
        print(f"\nFAILED: {', '.join(bad + gone)}: more {unit} than in {os.path.basename(path)}, or not the same names.\n"
              f"Find the cause. If it is wanted and worth it, accept the new figures and commit them:  {command} --accept")
        return 1
    if good:
        print(f"\nFewer {unit} than in {os.path.basename(path)}: {', '.join(good)}. Keep it so: {command} --accept, and commit the file.")
    return 0
