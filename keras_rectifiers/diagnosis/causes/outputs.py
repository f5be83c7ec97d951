"""Dead units of the model's output: what makes them so."""

from __future__ import annotations

import numpy as np

from keras_rectifiers.diagnosis.causes.case import Case
from keras_rectifiers.diagnosis.causes.case import Flags
from keras_rectifiers.graph.roles import OUTPUT


def dead_output(case: Case) -> Flags:
    """The silent units of an output that stay silent with the batch's statistics.

    Args:
        case: A rectifier; one that makes no output has none.
    """
    return case.silent & ~case.waking & (case.layer.role == OUTPUT)


def sentence(case: Case) -> str:
    """What is known of the dead units of an output: their bias, weights and inputs.

    Args:
        case: A rectifier that makes an output.
    """
    dead, known = dead_output(case), case.known
    peak = known.maximum[dead].max()
    clauses = [
        f"the greatest pre-activation of its {dead.sum()} dead units is {peak:.3g}"
    ]
    producer = case.producer
    if producer is not None and known.normalization is None:
        bias = producer.bias
        if bias is not None and (bias[dead] < 0).any():
            would = int((known.maximum - bias > 0)[dead].sum())
            clauses.append(
                f"the bias is {np.median(bias[dead]):.3g} (median), without it {would} "
                "would fire"
            )
        takes = producer.takes
        if takes is not None and takes.minimum >= 0 and takes.maximum > 0:
            down = int((producer.mean[dead] < 0).sum())
            if down:
                clauses.append(
                    f"the weights of {down} sum to less than 0, on inputs that are "
                    "never negative"
                )
        if takes is not None and takes.std_over_samples == 0:
            clauses.append("the layer takes the same values from every sample")
    elif known.normalization is not None:
        found = known.normalization
        clauses.append(f"beta in {found.path!r} is {np.median(found.beta[dead]):.3g}")
    return f"{case.path!r}: {'; '.join(clauses)}."
