"""What TensorFlow executes in a training step, counted in its graph."""

import collections

from tests import tiny
from tests.training.reusable import step_tensor


def operations_of_loops(step):
    """How often each operation is executed in one pass of each place of a step's graph.

    The D updates are the body of a loop, each attack of one within it; the G update is the rest.
    """
    images, labels = tiny.batch(step.discriminator_updates)
    graph = step._compiled.get_concrete_function(images, labels, step_tensor(1)).graph
    definition = graph.as_graph_def()
    functions = {function.signature.name: function for function in definition.library.function}

    def loops(nodes):
        # tf.map_fn, which draws the random starts, is a loop too.
        names = [node.attr["body"].func.name for node in nodes if "While" in node.op]
        bodies = [functions[name] for name in names if "map" not in name]
        return [
            executed(body.node_def, [*body.ret.values(), *body.control_ret.values()])
            for body in bodies
        ]

    results = [
        *(tensor.name for tensor in graph.outputs),
        *(op.name for op in graph.control_outputs),
    ]
    places = {"generator update": executed(definition.node, results)}
    (places["discriminator update"],) = loops(places["generator update"])
    for attack in loops(places["discriminator update"]):
        places["attack"] = attack
    return {
        place: collections.Counter(node.op for node in nodes) for place, nodes in places.items()
    }


def executed(nodes, results):
    """The nodes that results depend on: TensorFlow drops the others before it runs a graph."""
    by_name = {node.name: node for node in nodes}
    found, waiting = {}, list(results)
    while waiting:
        name = waiting.pop().lstrip("^").partition(":")[0]
        if name in by_name and name not in found:
            found[name] = by_name[name]
            waiting.extend(by_name[name].input)
    return found.values()


def calls(operations):
    return operations["PartitionedCall"] + operations["StatefulPartitionedCall"]
