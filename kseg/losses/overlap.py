"""The overlap of prediction and truth, class by class: one computation for Dice, Jaccard, Tversky.

Axes: B batch, ... pixels, C classes scored (1 where there is one channel), U units of reduction.
"""

from keras import ops

from kseg.base.arguments import choice, number
from kseg.losses.pixels import (
    ABSENT,
    mean_of_classes,
    prepare,
    probabilities,
    scored_classes,
    sum_pixels,
)

EPSILON = 1e-6  # below this a power of the loss goes on as a straight line


def overlap(
    y_true,
    y_pred,
    sample_weight,
    *,
    alpha,
    beta,
    gamma,
    from_logits,
    ignore_class,
    class_weight,
    absent,
    smooth,
    reduce,
    multilabel,
):
    """Mean over the classes of (1 - T_c) ** gamma, where T_c is the Tversky index.

    With probabilities p, labels t and pixel weights w, class c has the true positives I, the false
    positives P - I and the false negatives T - I:

        I = sum w p t,  P = sum w p,  T = sum w t,
        T_c = (I + smooth) / (I + alpha (P - I) + beta (T - I) + smooth),

    Salehi et al. 2017, "Tversky loss function for image segmentation using 3D fully convolutional
    deep networks". alpha = beta = 1/2 is Dice, alpha = beta = 1 Jaccard. The sums
    run over the reduction unit.

    Args:
        alpha, beta: Weights of false positives and false negatives, >= 0.
        gamma: Exponent, > 0.

    The other arguments, the value and the errors are those of `dice`.
    """
    check_overlap(absent=absent, smooth=smooth, alpha=alpha, beta=beta, gamma=gamma)
    target, scores, weight, invalid = prepare(
        y_true, y_pred, sample_weight, ignore_class=ignore_class, multilabel=multilabel
    )
    target, weigh = scored_classes(target, scores.shape[-1], class_weight, ignore_class, multilabel)
    p = probabilities(scores, from_logits)
    if multilabel:
        p, weight = p[..., 0], weight[..., 0]  # (B, ..., C)

    truth = sum_pixels(weight * target, reduce)  # (U, C)
    predicted = sum_pixels(weight * p, reduce)
    both = sum_pixels(weight * target * p, reduce)
    wrong = alpha * (predicted - both) + beta * (truth - both)
    losses = wrong / (both + wrong + smooth)  # 1 - T_c
    if gamma != 1:
        # The slope of L ** gamma at 0 is infinite for gamma < 1; the line from 0 has a finite one.
        base = ops.maximum(losses, EPSILON)
        losses = base**gamma * (losses / base)

    scored = truth > 0 if absent == "ignore" else sum_pixels(weight, reduce) > 0
    return mean_of_classes(losses, scored, weigh, invalid)


def check_overlap(*, absent, smooth, alpha=0.5, beta=0.5, gamma=1.0):
    """Raises ValueError on an option outside its range."""
    choice("absent", absent, ABSENT)
    number("smooth", smooth, above=0)
    number("alpha", alpha, at_least=0)
    number("beta", beta, at_least=0)
    number("gamma", gamma, above=0)
