"""Networks whose every number matters: random weights, batch norms that have seen crops, maps of about 1 with peaks."""

import copy
import functools

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from efficientpose.benchmark.networks import settle_random_weights
from efficientpose.export.layers import PaddedConv2d
from efficientpose.inference.sample_crops import find_crops
from efficientpose.models.build import build_network


def give_random_numbers(module, seed=0):
    """Give every tensor of batch norms a value that it does not have by default.

    Factors below 1 before activations around 1 keep deep networks from making much of rounding.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, _BatchNorm):
                part.running_var.uniform_(0.5, 1.5, generator=generator)
                part.weight.uniform_(0.2, 0.6, generator=generator)
                part.running_mean.normal_(0, 0.3, generator=generator)
                part.bias.normal_(1, 0.3, generator=generator)
    return module.eval()


def give_random_predictions(network, seed=1):
    """Give the last layers numbers that make maps of about 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.head.named_parameters():
            if name.endswith("predict.weight"):
                parameter.normal_(0, 0.15 / parameter.shape[1] ** 0.5, generator=generator)
            elif name.endswith("predict.bias"):
                parameter.normal_(0, 0.5, generator=generator)


@functools.cache
def build_settled(variant, upsampling):
    torch.manual_seed(0)
    network = give_random_numbers(build_network(variant, upsampling=upsampling))
    settle_random_weights(network)
    give_random_predictions(network)
    if upsampling == "transposed_conv":
        for parameter in network.head.upsampler.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.fixture(scope="session")
def randomise():
    """The function that gives batch norms random numbers."""
    return give_random_numbers


@pytest.fixture(scope="session")
def make_network():
    """A variant with random numbers, and the upsampling to build it with; its maps depend on the crop."""

    def make(variant, upsampling="bilinear"):
        return copy.deepcopy(build_settled(variant, upsampling))

    return make


@pytest.fixture(scope="session")
def crops_for():
    """Two crops of people of a network's size, (2, H, W, 3) uint8, RGB: of those that its batch norms have seen."""

    def find(network):
        return find_crops(network.head.decoder.input_size).pixels[:2]

    return find


@pytest.fixture(scope="session")
def break_stem():
    """The function that breaks the first layer of one of a deployed network's branches, in place."""

    def change(deployed, fault, branch=0):
        stem = next(layer for layer in deployed.branches[branch].modules() if isinstance(layer, PaddedConv2d))
        with torch.no_grad():
            stem.weight.copy_({"swapped": stem.weight[:, [2, 1, 0]], "negated": -stem.weight}[fault])
        return deployed

    return change


@pytest.fixture(scope="session")
def rt(make_network):
    return make_network("rt")


@pytest.fixture(scope="session")
def rt_crops(rt, crops_for):
    return crops_for(rt)
