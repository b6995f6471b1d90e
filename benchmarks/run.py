"""The speed of the SDK, measured beside the official SDK and the bare libraries; ``make bench`` runs it.

CPU time, medians of interleaved rounds, ratios within the run. What was measured is printed, and kept in
``docs/_generated/`` as text, JSON and SVG charts, which the page on performance shows. Arguments: names of measurements
(without, all but the instructions, which take valgrind many minutes), ``--rounds N``. A run without names begins anew;
one with names leaves the other figures as they are.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import batch
import instructions
from chart import bars
from environments import ROOT, distributions, official_python, our_python, variables

HERE = Path(__file__).resolve().parent
GENERATED = ROOT / "docs" / "_generated"
IMPORT = "from muxi import FormationClient"

#: Who takes part in what.
EVERYBODY = (
    "ours", "ours, full lane", "ours, urllib3", "ours, urllib3, full lane", "official", "http.client", "urllib3",
    "requests", "httpx",
)  # fmt: skip
SDKS = ("ours", "ours, full lane", "ours, urllib3", "official")
LIBRARIES = ("http.client", "urllib3", "requests", "httpx", "aiohttp")
TAKES_PART = {
    "unary": EVERYBODY,
    "streams": EVERYBODY,
    "first event": (*SDKS, "http.client", "urllib3", "requests", "httpx"),
    "tls": EVERYBODY,
    "threads": (*SDKS, "http.client", "urllib3", "requests", "httpx"),
    "endurance": (*SDKS, *LIBRARIES),
    # The official SDK has no call that sends a bundle, nor one that takes it down.
    "bundle": (*(sdk for sdk in SDKS if sdk != "official"), *LIBRARIES),
    "many streams": ("ours", "official", "httpx", "aiohttp"),
    "async": ("ours", "official", "httpx", "aiohttp"),
}
#: What is measured only where it is asked for by its name.
BY_NAME = ("instructions",)
UNITS = {
    "unary": "CPU µs per call",
    "streams": "CPU µs per event",
    "first event": "ms",
    "tls": "CPU ms",
    "threads": "CPU µs per call; calls per second",
    "endurance": "MiB resident",
    "bundle": "MiB of growth; CPU s",
    "many streams": "answers; s; CPU ms per stream",
    "async": "CPU µs per call, per event",
    "start": "CPU ms",
    "scan": "CPU ms",
    "instructions of a start": "millions",
    "instructions": "thousands per call, per event",
    "pipeline": "CPU µs",
}
#: Ratios to the official SDK that DESIGN promises: measurement, figure, contender.
BUDGETS = {
    ("unary", "memories", "ours"): 0.50,
    ("unary", "chat", "ours"): 0.50,
    ("unary", "memories", "ours, full lane"): 1.0,
    ("unary", "chat", "ours, full lane"): 1.0,
    ("streams", "small", "ours"): 0.40,
    ("streams", "single", "ours"): 0.80,
    ("streams", "small", "ours, full lane"): 1.3,
    ("instructions", "memories", "ours"): 0.50,
    ("instructions", "chat", "ours"): 0.50,
    ("instructions", "memories", "ours, full lane"): 1.0,
    ("instructions", "chat", "ours, full lane"): 1.0,
    ("instructions", "event, small", "ours"): 0.40,
    ("instructions", "event, one by one", "ours"): 0.80,
    ("instructions", "event, small", "ours, full lane"): 1.3,
    ("instructions of a start", "import", "ours"): 0.50,
    ("instructions of a start", "first answer", "ours"): 0.75,
    ("instructions of a start", "first answer, 300 distributions", "ours"): 0.80,
    ("start", "import", "ours"): 0.50,
    ("start", "first answer", "ours"): 0.75,
    ("start", "first answer, 300 distributions", "ours"): 0.80,
}

Figures = dict[str, dict[str, list[float]]]


class Bench:
    """One run: who is measured, and what came of it.

    Args:
        rounds: how often each measurement of each contender is repeated, in turn.
        who: the contenders that are measured; all if empty.
    """

    def __init__(self, rounds: int, who: list[str]) -> None:
        self.rounds = rounds
        self.who = who
        self.ours = our_python()
        self.official = official_python()
        #: measurement -> figure -> contender -> the rounds
        self.results: dict[str, Figures] = {}

    def python(self, contender: str) -> str | None:
        """The Python of a contender's environment; None where it is not measured."""
        if self.who and contender not in self.who:
            return None
        return self.official if contender == "official" else self.ours

    def note(self, measurement: str, contender: str, figures: dict[str, float]) -> None:
        """Keep the figures of one round."""
        for figure, value in figures.items():
            kept = self.results.setdefault(measurement, {}).setdefault(figure, {})
            kept.setdefault(contender, []).append(value)

    def measure(self, measurement: str, arguments: list[str]) -> None:
        """Run a worker for each contender in turn, several times over."""
        for _ in range(1 if measurement in ("bundle", "endurance", "many streams") else self.rounds):
            for contender in TAKES_PART[measurement]:
                python = self.python(contender)
                if python is None:
                    continue
                command = [python, str(HERE / "worker.py"), measurement, contender, *arguments]
                environment = variables()
                if measurement == "tls":  # the only way to tell the official SDK
                    environment["SSL_CERT_FILE"] = arguments[2]
                done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE, env=environment)
                if done.returncode:
                    raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
                self.note(measurement, contender, json.loads(done.stdout))

    def measure_start(self, port: str, tls_port: str, bundle: str) -> None:
        """CPU of whole processes: of an import, and of a first answer, among few and many distributions, and by https.

        Args:
            port: of http.
            tls_port: of https.
            bundle: the file of the authorities: as many as any system has, and that of the server.
        """
        crowds = {"": (), ", 30 distributions": (distributions(30),), ", 300 distributions": (distributions(300),)}
        for _ in range(self.rounds * 2):
            for contender in ("ours", "official"):
                python = self.python(contender)
                if python is None:
                    continue
                bare = process_cpu([python, "-c", "pass"])
                for crowd, paths in crowds.items():
                    spent = process_cpu([python, "-c", IMPORT], *paths)
                    self.note("start", contender, {f"import{crowd}": spent - bare})
                    first = [python, str(HERE / "first_answer.py"), f"http://127.0.0.1:{port}/v1"]
                    self.note("start", contender, {f"first answer{crowd}": process_cpu(first, *paths)})
                secure = [python, str(HERE / "first_answer.py"), f"https://localhost:{tls_port}/v1"]
                self.note("start", contender, {"first answer, https": process_cpu(secure, SSL_CERT_FILE=bundle)})

    def measure_scan(self) -> None:
        """CPU of the look for plugins and transports among few and many distributions."""
        for count in (30, 300):
            command = [self.ours, str(HERE / "worker.py"), "scan", "ours", "0"]
            for _ in range(self.rounds):
                done = subprocess.run(
                    command, capture_output=True, text=True, check=True, cwd=HERE, env=variables(distributions(count))
                )
                for what, spent in json.loads(done.stdout).items():
                    self.note("scan", what, {f"{count} distributions": spent})

    def measure_instructions(self, port: str) -> None:
        """Instructions of a start, of calls and of events. Once: they repeat."""
        if not instructions.is_available():
            print("valgrind is not installed: no instructions are counted.")
            return
        for contender in ("official", "ours", "ours, full lane", "http.client"):
            python = self.python(contender)
            if python is None:
                continue
            if contender in ("official", "ours"):
                bare = instructions.count([python, "-c", "pass"])
                for crowd, paths in {"": (), ", 300 distributions": (distributions(300),)}.items():
                    first = [python, str(HERE / "first_answer.py"), f"http://127.0.0.1:{port}/v1"]
                    figures = {
                        f"import{crowd}": instructions.count([python, "-c", IMPORT], *paths) - bare,
                        f"first answer{crowd}": instructions.count(first, *paths),
                    }
                    self.note("instructions of a start", contender, figures)
            self.note("instructions", contender, instructions.of_calls(python, contender, port))

    def measure_pipeline(self) -> None:
        """The pipeline alone: a transport that answers from memory, and what each part of the SDK adds."""
        for _ in range(self.rounds):
            done = subprocess.run(
                [self.ours, str(HERE / "pipeline.py")],
                capture_output=True,
                text=True,
                check=True,
                cwd=HERE,
                env=variables(),
            )
            self.note("pipeline", "ours", json.loads(done.stdout))


def process_cpu(command: list[str], *paths: Path, **environment: str) -> float:
    """CPU milliseconds of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=HERE, stdout=subprocess.DEVNULL, env={**variables(*paths), **environment})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


@contextmanager
def canned_server() -> Iterator[list[str]]:
    """The ports (plain and TLS) of a server of canned answers in a process of its own, and the files of its authority.

    The first of the files has the authority alone, the second also those of the web.
    """
    import certifi
    import trustme

    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        certificate, trusted = Path(folder, "server.pem"), Path(folder, "authority.pem")
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        authority.cert_pem.write_to_path(str(trusted))
        bundle = Path(folder, "bundle.pem")
        bundle.write_text(f"{certifi.contents()}\n{trusted.read_text()}")
        command = [sys.executable, str(HERE / "server.py"), str(certificate)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            if process.stdout is None:
                raise RuntimeError("the server has no output")
            try:
                yield [*process.stdout.readline().split(), str(trusted), str(bundle)]
            finally:
                process.communicate()


def table(results: dict[str, Figures]) -> str:
    """All figures as Markdown: medians, the spread of the rounds, the ratio to the official SDK, the budget."""
    lines: list[str] = []
    for measurement, figures in results.items():
        lines += [f"### {measurement} ({UNITS[measurement]})", ""]
        lines += [
            "| figure | who | median | lowest to highest | ratio to official | budget |",
            "|---|---|---|---|---|---|",
        ]
        for figure, contenders in figures.items():
            official = statistics.median(contenders["official"]) if "official" in contenders else None
            for contender, rounds in contenders.items():
                median = statistics.median(rounds)
                ratio = f"{median / official:.2f}" if official else ""
                budget = BUDGETS.get((measurement, figure, contender))
                told = "" if budget is None else f"{budget:.2f}"
                if budget is not None and official and median / official > budget:
                    told += " **missed**"
                spread = f"{min(rounds):.4g} to {max(rounds):.4g}"
                lines.append(f"| {figure} | {contender} | {median:.4g} | {spread} | {ratio} | {told} |")
        lines.append("")
    return "\n".join(lines)


def conditions(rounds: int) -> str:
    """What the figures were measured on."""
    return (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{ssl.OPENSSL_VERSION}; {rounds} rounds, interleaved."
    )


def main() -> None:
    """Measure what is asked for, print it and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measurements", nargs="*", help="names of measurements; all without")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--who", action="append", default=[], help="a contender to measure; all without")
    options = parser.parse_args()
    if not options.measurements or "batch" in options.measurements:
        # Of 100,000 tasks the memory is measured by "benchmarks/batch.py memory": it takes five minutes.
        batch.main([kind for kind in batch.SIZES if kind != "memory"])
        if options.measurements == ["batch"]:
            return
        options.measurements = [name for name in options.measurements if name != "batch"]
    bench = Bench(options.rounds, options.who)
    if bench.official is None:
        print("The official SDK cannot be installed: its figures and all ratios are left out.")
    with canned_server() as arguments:
        everything: dict[str, Callable[[], None]] = {
            "start": lambda: bench.measure_start(arguments[0], arguments[1], arguments[3]),
            **{name: (lambda name=name: bench.measure(name, arguments)) for name in TAKES_PART},  # type: ignore[misc]  # a default binds the name
            "scan": bench.measure_scan,
            "instructions": lambda: bench.measure_instructions(arguments[0]),
            "pipeline": bench.measure_pipeline,
        }
        if unknown := set(options.measurements) - set(everything):
            parser.error(f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(everything)}")
        for name, measure in everything.items():
            if name not in (options.measurements or everything) or (not options.measurements and name in BY_NAME):
                continue
            before = set(bench.results)
            measure()
            print(table({found: bench.results[found] for found in bench.results if found not in before}), flush=True)
    keep(bench.results, options.rounds, options.who, whole=not (options.measurements or options.who))


def keep(results: dict[str, Figures], rounds: int, who: list[str], *, whole: bool) -> None:
    """Write text, JSON and charts; a run of a part leaves the other measurements, or contenders, as they are."""
    GENERATED.mkdir(exist_ok=True)
    path = GENERATED / "benchmarks.json"
    kept = {} if whole or not path.exists() else json.loads(path.read_text(encoding="utf-8"))["results"]
    merged: dict[str, Figures] = kept
    for measurement, figures in results.items():
        if len(who) == 0:
            merged[measurement] = figures
            continue
        for figure, contenders in figures.items():
            merged.setdefault(measurement, {}).setdefault(figure, {}).update(contenders)
    told = conditions(rounds)
    path.write_text(json.dumps({"conditions": told, "results": merged}, indent=1) + "\n", encoding="utf-8")
    (GENERATED / "benchmarks.md").write_text(f"{told}\n\n{table(merged)}", encoding="utf-8")
    for name in ("unary", "streams", "start", "instructions of a start", "instructions", "first event", "pipeline"):
        chart = GENERATED / f"benchmarks-{name.replace(' ', '-')}.svg"
        if name in merged:
            chart.write_text(bars(merged[name], UNITS[name]), encoding="utf-8")
        else:
            chart.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
