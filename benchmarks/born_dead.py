"""How often a deep, narrow ReLU network is dead at birth, by its initialization.

Replicates section 3 of Lu et al. 2019 (arXiv:1903.06733): a network of one input and
constant width is born dead if it is constant on its domain, [-sqrt(3), sqrt(3)].
Nothing is trained. "Bound" is what no symmetric initialization exceeds.

    python benchmarks/born_dead.py [networks]
"""

import sys

import numpy as np
from keras import ops

from keras_rectifiers import initializers

GRID = np.linspace(-np.sqrt(3), np.sqrt(3), 65).reshape(1, -1, 1)


def he(fan_in, units, seed):
    """Kernel and bias of He initialization."""
    kernel = initializers.HeNormal(seed=seed)((fan_in, units))
    return ops.convert_to_numpy(kernel), np.zeros(units)


def rai(fan_in, units, seed):
    """Kernel and bias of randomized asymmetric initialization."""
    pair = initializers.randomized_asymmetric(fan_in, seed)
    return (
        ops.convert_to_numpy(pair["kernel_initializer"]((fan_in, units))),
        ops.convert_to_numpy(pair["bias_initializer"]((units,))),
    )


def born_dead(draw, width, depth, networks, seed=0):
    """Share of networks with `depth - 1` hidden layers that are constant.

    Units are drawn independently, so one wide draw gives those of a layer of all
    networks at once.
    """
    hidden = np.broadcast_to(GRID, (networks, GRID.shape[1], 1))
    for layer in range(depth - 1):
        fan_in = hidden.shape[-1]
        kernel, bias = draw(fan_in, width * networks, 1000 * seed + layer)
        kernel = kernel.reshape(fan_in, networks, width).transpose(1, 0, 2)
        bias = bias.reshape(networks, 1, width)
        hidden = np.maximum(hidden @ kernel + bias, 0)
    return float(np.mean(np.ptp(hidden, axis=1).max(axis=-1) == 0))


def bound(width, depth):
    """One living input saves a layer with chance `1 - 2**-width`, or more."""
    return 1 - (1 - 0.5**width) ** (depth - 1)


def main(networks):
    """Print the table."""
    print("| width | depth | He | bound | RAI |\n|---|---|---|---|---|")
    for depth in (10, 20):
        for width in (2, 3, 5, 10):
            shares = (
                born_dead(he, width, depth, networks),
                bound(width, depth),
                born_dead(rai, width, depth, networks),
            )
            row = " | ".join(f"{share:.1%}" for share in shares)
            print(f"| {width} | {depth} | {row} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
