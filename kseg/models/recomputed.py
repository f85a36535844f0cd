"""Feature maps that a training step computes twice, in place of keeping them until the gradient.

The calls of a functional network, in order, are cut into blocks. Of a block that is over, what
later ones read is kept; the rest is computed again when the gradient comes to it. So a step holds
what goes from block to block and the inside of one block, for one more forward pass: Chen, Xu,
Zhang and Guestrin 2016, "Training Deep Nets with Sublinear Memory Cost" (arXiv:1604.06174).

Keras' own `RematScope` would recompute each layer by itself, which keeps what goes from layer to
layer: nearly all there is; and moves the statistics of a batch norm once more each time.
"""

import contextlib
import math

import keras
from keras.src.backend.common.variables import AutocastScope

from kseg.base.platform import is_torch
from kseg.models.graph import PROBE, calls_of, entered, is_plain, layers_of, left
from kseg.models.learned import as_ever, way_of
from kseg.ops.remat import computed_again

BOUNDS = 16  # sizes of the largest block that are tried


@contextlib.contextmanager
def recomputing(model):
    """Within it the training steps of a model compute feature maps again for the gradient.

    Args:
        model: A functional model; or one with functional models in it, as a Mask R-CNN.
    """
    inside = [each for each in (model, *layers_of(model)) if is_plain(each)]
    for each in inside:
        vars(each)["call"] = _call_of(each, last=each is model)
    model.train_function = None  # the other way may be compiled in
    try:
        yield
    finally:
        model.train_function = None
        for each in inside:
            del vars(each)["call"]


def _call_of(model, last):
    """The `call` of a functional model by blocks.

    Args:
        model: The model.
        last: Whether the gradient begins with it: then it comes to its last block at once.
    """
    blocks = [Block(nodes, gives) for nodes, gives in blocks_of(model)]

    def call(inputs, training=None, mask=None):
        if not training or mask is not None:
            return type(model).call(model, inputs, training=training, mask=mask)
        found = entered(model, inputs)
        with AutocastScope(None):
            for block in blocks:
                plainly = block.is_nested or (last and block is blocks[-1])
                block.compute(found, plainly)
        return left(model, found)

    return call


class Block:
    """Calls in order that are computed again as one.

    Args:
        nodes: The calls.
        gives: Ids of the tensors in it that are read after it.
    """

    def __init__(self, nodes, gives):
        made = {id(x) for node in nodes for x in node.outputs}
        read = {id(x): None for node in nodes for x in node.input_tensors}
        self.nodes, self.gives = nodes, gives
        self.reads = [x for x in read if x not in made]
        self.ways = [way_of(node) if is_torch() else as_ever for node in nodes]
        self.is_nested = is_plain(nodes[0].operation)

    def compute(self, found, plainly):
        """Adds what it gives to the tensors that are found, by their ids.

        Args:
            found: Id of a tensor inside the model -> the tensor.
            plainly: Whether nothing of it is computed again.
        """
        floats = [
            x for x in self.reads if "float" in keras.backend.standardize_dtype(found[x].dtype)
        ]
        others = {x: found[x] for x in self.reads if x not in floats}
        weights, states = self._variables()
        if plainly or not (floats or weights):
            return self._through(found)
        before = [
            keras.ops.copy(each.value) for each in states
        ]  # they move, and the second time is later
        moved = []

        def again(*values):
            inner = {**others, **dict(zip(floats, values))}
            learned = zip(weights, values[len(floats) :])
            with keras.StatelessScope([*learned, *zip(states, before)]) as scope:
                given = [scope.get_current_value(each) for each in states]
                self._through(inner)
            after = [scope.get_current_value(each) for each in states]
            moved[:] = [each for each, was, now in zip(states, given, after) if was is not now]
            now = [each for was, each in zip(given, after) if was is not each]
            return [inner[x] for x in self.gives], [keras.ops.stop_gradient(each) for each in now]

        values = [keras.ops.convert_to_tensor(each.value) for each in weights]
        values = [found[x] for x in floats] + values
        outputs, after = computed_again(again)(*values)
        found.update(zip(self.gives, outputs))
        for variable, value in zip(moved, after):  # once: what the second time gives is nobody's
            variable.assign(value)

    def _variables(self):
        """Those of its layers: the ones that learn, and all others."""
        layers = {id(node.operation): node.operation for node in self.nodes}.values()
        every = [each for layer in layers for each in getattr(layer, "variables", ())]
        learn = [x for layer in layers for x in getattr(layer, "trainable_variables", ())]
        known = {id(each) for each in learn}
        return learn, [each for each in every if id(each) not in known]

    def _through(self, found):
        for node, way in zip(self.nodes, self.ways):
            args, kwargs = node.arguments.fill_in(found)
            results = way(node.operation, args, kwargs)
            found.update(zip(map(id, node.outputs), keras.tree.flatten(results)))


def blocks_of(model):
    """The calls of a functional model in blocks, such that a step keeps little at once.

    A step keeps what goes from block to block, and the inside of the block at which the gradient
    is: of all blocks of at most so many numbers inside, those that keep the least, and of all such
    bounds the one of the smallest sum. A nested model is a block of its own, with blocks in it.

    Returns:
        Lists of the calls, and the ids of what later blocks read of each.
    """
    calls = calls_of(model)
    nodes, count = [node for node, _ in calls], len(calls)
    sizes, ends = _sizes(model, nodes), {id(x): count for x in keras.tree.flatten(model.outputs)}
    for place, (_, done) in enumerate(calls):
        ends.update(dict.fromkeys(done, place))  # where it is read for the last time
    made = [
        [(sizes[id(x)], ends.get(id(x), place)) for x in node.outputs]
        for place, node in enumerate(nodes)
    ]
    nested = [is_plain(node.operation) for node in nodes]
    total = sum(size for each in made for size, _ in each)

    def cut(bound):
        """Least that is kept, the largest inside, and the places at which blocks begin."""
        best = [(0, 0, None)]
        for end in range(1, count + 1):
            options, inside = [], 0
            for start in range(end - 1, -1, -1):
                alone = end - start == 1
                if not alone and (nested[start] or nested[end - 1]):
                    break
                inside += 0 if nested[start] else sum(size for size, _ in made[start])
                if inside > bound and not alone:
                    break
                kept = sum(size for each in made[start:end] for size, last in each if last >= end)
                options.append((best[start][0] + kept, max(best[start][1], inside), start))
            best.append(min(options))
        return best

    tables = [cut(total * 0.75**power) for power in range(BOUNDS)]
    best = min(tables, key=lambda table: table[-1][0] + table[-1][1])
    blocks, end = [], count
    while end:
        start = best[end][2]
        gives = [
            id(x) for node in nodes[start:end] for x in node.outputs if ends.get(id(x), -1) >= end
        ]
        blocks.append((nodes[start:end], gives))
        end = start
    return blocks[::-1]


def _sizes(model, nodes):
    """Numbers in each tensor inside a model, for one image of `PROBE` pixels a side."""
    specs = {
        id(x): keras.KerasTensor((1, *(side or PROBE for side in x.shape[1:])), x.dtype)
        for x in model.inputs
    }
    for node in nodes:
        args, kwargs = node.arguments.fill_in(specs)
        results = node.operation.compute_output_spec(*args, **kwargs)
        specs.update(zip(map(id, node.outputs), keras.tree.flatten(results)))
    return {x: math.prod(spec.shape) for x, spec in specs.items()}
