"""Why a tile got its verdict, in sentences; every figure is the run's or its bundle's."""

import numpy as np

from landslide_core.calibration import log_odds
from landslide_core.explanation import TileExplanation, Weighing
from pages.parts.why.filter_chart import place
from pages.parts.wording import (
    combination,
    feature,
    feature_value,
    number,
    percent,
    signed,
)


def votes_for(why: TileExplanation) -> tuple[int, int]:
    """Votes at or above their member's threshold, of how many."""
    over = why.votes >= np.asarray(why.member_thresholds)[:, None]
    return int(over.sum()), int(over.size)


def verdict(why: TileExplanation) -> str:
    """Why the tile has its verdict, in two or three sentences."""
    if why.weighing is None:
        return "Too few valid pixels to judge: neither the filter nor the ensemble was asked."
    limits, chance = why.weighing.calibration, number(why.probability)
    if why.verdict == "filtered_out":
        yes, of = votes_for(why)
        return (
            f"The negative filter gave {number(why.filter_score)}, under its threshold of "
            f"{number(why.filter_threshold)}, and dropped the tile. The ensemble, asked now, gives "
            f"{yes} of {of} votes for a landslide; with them the probability would be "
            f"{number(why.weighing.probability)}."
        )
    if why.verdict == "landslide":
        return f"The probability is {chance}, at or over the limit of {number(limits.upper)}." + (
            _at_most(why, "of stable tiles like the training's, {} are called landslide")
        )
    if why.verdict == "stable":
        return f"The probability is {chance}, under the limit of {number(limits.lower)}." + (
            _at_most(
                why,
                "of landslide tiles like the training's, {} are called stable or filtered out",
            )
        )
    answer = "yes" if why.says_landslide else "no"
    return (
        f"The probability is {chance}, between the limits of {number(limits.lower)} and "
        f"{number(limits.upper)}: too close to call, so look at the bands yourself. A plain yes "
        f"or no, parted at {number(limits.threshold)}, would be {answer}."
    )


def _at_most(why: TileExplanation, sentence: str) -> str:
    if why.rates.promised is None or not _is_kept(why.weighing):
        return ""
    said = sentence.format(f"at most {percent(why.rates.promised)}")
    return f" {said[0].upper()}{said[1:]}."


def _is_kept(weighing: Weighing | None) -> bool:
    """Whether the promised rates hold for these inputs: limits of their own, within reach."""
    return (
        weighing is not None
        and weighing.calibrated_for == weighing.combination
        and weighing.calibration.lower > 0
    )


def promise(why: TileExplanation, weighing: Weighing) -> str:
    """What the limits are set to keep, and what was measured."""
    rates = why.rates
    if rates.promised is None:
        return "The bundle's card does not say what error rates the limits are set to keep."
    if weighing.calibrated_for != weighing.combination:
        return "No error rates are promised for these inputs."
    most = percent(rates.promised)
    if not _is_kept(weighing):
        return (
            f"Of stable tiles like the training's, at most {most} are called landslide. How many "
            "landslide tiles are missed is not promised for these inputs: it is up to the filter "
            "alone."
        )
    said = (
        f"Of tiles like the training's, at most {most} of the landslide tiles are called stable or "
        f"filtered out, and at most {most} of the stable tiles are called landslide."
    )
    if rates.missed is None or rates.false_alarm is None:
        return said
    return (
        f"{said} Measured out of fold, with all inputs there: {percent(rates.missed)} and "
        f"{percent(rates.false_alarm)}."
    )


def cast_sentence(why: TileExplanation) -> str:
    """How many of the votes shown the run had asked for; nothing where it had asked for all."""
    if not 0 < why.votes_cast < why.votes.size:
        return ""
    return (
        f" The run asked for {why.votes_cast} of these {why.votes.size} votes: then the verdict "
        "was settled. The others were computed for this page."
    )


def weighing_table(why: TileExplanation, weighing: Weighing) -> str:
    """How the probability adds up, as a Markdown table."""
    fit = weighing.calibration
    score, votes = number(why.filter_score), why.votes_cast or why.votes.size
    rows = [
        (f"Filter, score {score}", weighing.filter_odds, fit.filter_weight, weighing.filter_part),
        (f"Mean of {votes} votes", weighing.votes_odds, fit.votes_weight, weighing.votes_part),
    ]
    lines = ["| | Log-odds | × Weight | = Adds |", "|:--|--:|--:|--:|"]
    lines += [f"| {a} | {signed(b)} | {c:.2f} | {signed(d)} |" for a, b, c, d in rows]
    lines += [
        f"| Bias | | | {signed(fit.bias)} |",
        f"| **Probability {number(weighing.probability)}** | | | **{signed(weighing.total)}** |",
    ]
    return "\n".join(lines)


def limits(weighing: Weighing) -> str:
    """The limits of a combination, and whose they are."""
    fit = weighing.calibration
    low = f"Stable under {number(fit.lower)}" if fit.lower > 0 else "Nothing is called stable"
    high = f"landslide from {number(fit.upper)} on" if fit.upper < 1 else "nothing landslide"
    said = (
        f"Inputs: {combination(weighing.combination)}. {low}, {high}; "
        f"the plain yes starts at {number(fit.threshold)}."
    )
    if weighing.calibrated_for == weighing.combination:
        return said
    return f"{said} Nothing was fitted for these inputs: the figures are those of complete ones."


def filter_sentence(why: TileExplanation) -> str:
    """What the filter did, and by how much."""
    score, limit = number(why.filter_score), number(why.filter_threshold)
    if not np.isfinite(why.filter_threshold):
        return (
            f"Score {score}; with this combination of missing bands the filter drops nothing, "
            "so the tile went on to the ensemble."
        )
    ends = log_odds(np.array([why.filter_score, why.filter_threshold]))
    margin = f"by {abs(float(ends[0] - ends[1])):.2f} log-odds"
    if why.filter_score < why.filter_threshold:
        return f"Score {score} is under the threshold {limit} {margin}: the tile was **dropped**."
    return (
        f"Score {score} is over the threshold {limit} {margin}: the tile **went on** to the "
        "ensemble. The threshold is low on purpose: the filter is to drop only what is plain."
    )


def strongest(why: TileExplanation) -> tuple[str, str]:
    """The three features that speak loudest for a landslide, and against, as Markdown lists."""
    sides = []
    for sign in (1, -1):
        chosen = [one for one in why.contributions if one[2] * sign > 0][:3]
        lines = []
        for name, value, share in chosen:
            where = place(why.learnt, name, value)
            lines.append(
                f"- **{feature(name)}** {feature_value(name, value)}"
                f"{f', {where}' if where else ''} ({signed(share)})"
            )
        sides.append("\n".join(lines) or "- nothing")
    return sides[0], sides[1]


def ensemble_sentence(why: TileExplanation) -> str:
    """Who voted, and how."""
    yes, of = votes_for(why)
    members = len(why.member_thresholds)
    who = f"{members} members" if members > 1 else "One member"
    spread = f"; their spread is {number(why.spread)}" if np.isfinite(why.spread) else ""
    said = (
        f"{who} looked at the tile {of // members} ways each; "
        f"{yes} of {of} votes reach their member's threshold{spread}."
    )
    weighed = why.weighing
    if weighed is None or (2 * yes >= of) == (weighed.probability >= weighed.calibration.threshold):
        return said
    fit = weighed.calibration
    return (
        f"{said} That the answer is another all the same comes from the weights: with these inputs "
        f"the votes' log-odds count {number(fit.votes_weight)} times, the filter's "
        f"{number(fit.filter_weight)} times."
    )
