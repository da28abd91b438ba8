"""Networks whose every number matters: random weights, random batch-norm statistics, maps of about 1."""

import numpy as np
import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from efficientpose.models.build import build_network


def give_random_numbers(network, seed=0):
    """Give every tensor of a network a value that it does not have by default."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                for tensor in (module.running_var, module.weight):
                    tensor.uniform_(0.5, 1.5, generator=generator)
                for tensor in (module.running_mean, module.bias):
                    tensor.normal_(0, 0.3, generator=generator)
        for name, parameter in network.named_parameters():
            if name.endswith("predict.weight"):
                parameter.normal_(0, 0.05, generator=generator)
            elif name.endswith("predict.bias"):
                parameter.normal_(0, 0.5, generator=generator)
    return network.eval()


@pytest.fixture(scope="session")
def randomise():
    """The function that gives a network random numbers."""
    return give_random_numbers


@pytest.fixture(scope="session")
def make_network():
    """A variant with random numbers, and the upsampling to build it with."""

    def make(variant, upsampling="bilinear"):
        torch.manual_seed(0)
        network = build_network(variant, upsampling=upsampling)
        if upsampling == "transposed_conv":
            for parameter in network.head.upsampler.parameters():
                torch.nn.init.normal_(parameter, std=0.1)
        return give_random_numbers(network)

    return make


@pytest.fixture(scope="session")
def rt(make_network):
    return make_network("rt")


@pytest.fixture(scope="session")
def rt_crops():
    """Two pictures of noise, (2, 224, 224, 3) uint8."""
    return np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
