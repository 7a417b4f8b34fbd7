"""Figures -> Markdown tables, ready for docs/performance.md."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import Record, load


def report(folder: Path) -> str:
    """Everything measured in a folder, as Markdown. Raises ResultsMissing."""
    records = load(folder)
    tables = {
        "floor": _floor,
        "stages": _stages,
        "agreement": _agreement,
        "whole": _whole,
        "crashes": _crashes,
    }
    parts = [
        f"{_heading(record)}\n\n{tables[name](record.figures)}"
        for name, record in records.items()
        if name in tables
    ]
    return "\n\n".join(parts) + "\n"


def _heading(record: Record) -> str:
    titles = {
        "floor": "The machine's matrix product",
        "stages": "Stage by stage, beside the reference's way",
        "agreement": "Votes in rounds beside all votes",
        "whole": "Whole scenes",
        "crashes": "Killed and gone on with",
    }
    return f"### {titles[record.name]}\n\n`{record.command}`, {record.date}. {_machine(record)}"


def _machine(record: Record) -> str:
    """Machine and versions as one line."""
    here = record.machine
    instructions = f" ({', '.join(here['instructions'])})" if here["instructions"] else ""
    device = f", {here['accelerator']}" if here["accelerator"] else ""
    packages = ", ".join(f"{name} {number}" for name, number in record.versions.items())
    return (
        f"{here['processor']}{instructions}, {here['cores']} cores, {here['memory_gb']:g} GB of "
        f"memory{device}, {here['system']}; {packages}."
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are figures, to the right."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _floor(figures: Mapping[str, Any]) -> str:
    rows = [
        (f"{int(side):,}²", f"{2 * rate / 1e9:,.0f}") for side, rate in figures["by_size"].items()
    ]
    best = 2 * figures["peak"] / 1e9
    return (
        table(("float32 matrices", "GFLOP/s, one thread"), rows)
        + f"\n\nPeak: {best:,.0f} GFLOP/s a thread, {figures['peak'] / 1e9:,.1f} billion "
        "multiply–adds a second."
    )


def _stages(figures: Mapping[str, Any]) -> str:
    head = ("stage", "tiles", "reference, CPU-ms a tile", "ours", "ratio of CPU", "rounds")
    rows, powers, agreements = [], [], []
    for name, found in figures["stages"].items():
        theirs, ours = found["reference"], found["ours"]
        low, high = found["cpu_ratio_rounds"]
        rows.append(
            (
                name,
                f"{found['tiles']:,}",
                _short(theirs["cpu_ms_a_tile"]),
                _short(ours["cpu_ms_a_tile"]),
                f"**{found['cpu_ratio']:.1f}×**",
                f"{low:.1f}–{high:.1f}×",
            )
        )
        powers += [(f"{name}, {way}", found[way]) for way in ("reference", "ours")]
        told = ", ".join(
            f"{key.replace('_', ' ')} {value:.4g}" for key, value in found["agreement"].items()
        )
        agreements.append(f"- {name}: {told}")
    return "\n\n".join(
        (
            f"{figures['threads']} thread(s), device {figures['device']}; the least of all rounds.",
            table(head, rows),
            _rates(powers),
            "How far both agree:\n\n" + "\n".join(agreements),
        )
    )


def _rates(powers: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    head = ("way", "patches a second", "million multiply–adds a patch", "floor, ms", "of peak")
    return table(
        head,
        (
            (
                name,
                _short(found["tiles_a_second"]),
                f"{found['million_multiply_adds_a_tile']:,.0f}" if "share_of_peak" in found else "",
                _short(found["floor_ms_a_tile"]) if "share_of_peak" in found else "",
                f"{found['share_of_peak']:.0%}" if "share_of_peak" in found else "",
            )
            for name, found in powers
        ),
    )


def _whole(figures: Mapping[str, Any]) -> str:
    head = ("scene", "tiles", "kept", "wall", "CPU", "tiles a second", "peak memory")
    rows = [
        (
            f"{row['size']:,}²",
            f"{row['tiles']:,}",
            f"{row['kept_share']:.0%}",
            _duration(row["wall_s"]),
            _duration(row["cpu_s"]),
            _short(row["tiles_a_second"]),
            f"{row['peak_tree_bytes'] / 1e9:.2f} GB",
        )
        for row in figures["rows"]
    ]
    text = table(head, rows)
    if "wall_exponent" in figures:
        sizes = ", ".join(f"{size:,}²" for size in figures["fitted_sizes"])
        text += (
            f"\n\nTime grows as tiles to the power of {figures['wall_exponent']:.3f} (wall) and "
            f"{figures['cpu_exponent']:.3f} (CPU), fitted over {sizes}."
        )
    return text


def _short(value: float) -> str:
    """Three figures, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def _agreement(figures: Mapping[str, Any]) -> str:
    head = (
        *("tiles of", "entering the ensemble", "same verdict and yes or no", "mean Δp"),
        *("greatest Δp", "mean Δspread", "mean votes of 80"),
    )
    rows = [
        (
            name,
            f"{found['tiles']:,.0f}",
            f"{found['equal_verdicts_share']:.2%}",
            f"{found['mean_probability_difference']:.5f}",
            f"{found['greatest_probability_difference']:.4f}",
            f"{found['mean_spread_difference']:.5f}",
            f"{found['mean_votes_cast']:.1f}",
        )
        for name, found in figures["sets"].items()
    ]
    return table(head, rows) + f"\n\nBackend {figures['backend']}."


def _crashes(figures: Mapping[str, Any]) -> str:
    done = ", ".join(map(str, figures["parts_done_when_killed"]))
    return (
        f"{figures['same']} of {figures['kills']} runs killed with SIGKILL at random moments ended "
        f"in the same bytes as the run that was left alone. Parts done when killed, of "
        f"{figures['parts']}: {done}."
    )
