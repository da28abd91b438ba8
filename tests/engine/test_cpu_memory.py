"""On a CPU, what one tensor frees the next one gets, with no page to clear."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from efficientpose.engine.cpu import ask_for_huge_pages, keep_freed_memory

COUNT_FAULTS = """
import resource
import efficientpose.plugin
import torch
from efficientpose.engine.cpu import keep_freed_memory

def count_faults():
    for _ in range(10):
        torch.ones(2**24)  # 64 MiB, until one fits where another was
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(count_faults(), keep_freed_memory(), count_faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc, whose memory it keeps")
def test_freed_memory_is_kept():
    command = [sys.executable, "-c", COUNT_FAULTS]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    before, is_kept, after = printed.splitlines()[-1].split()
    assert int(before) > 100
    assert is_kept == "True"
    assert int(after) < 16


@pytest.mark.parametrize("foreign", ["accelerator", "C library"])
def test_memory_is_left_as_it_is(monkeypatch, foreign):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: foreign == "accelerator")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc" if foreign == "accelerator" else "", ""))
    assert not keep_freed_memory()


@pytest.mark.parametrize(
    ("is_available", "earlier", "expected"), [(True, None, None), (False, None, "1"), (False, "0", "0")]
)
def test_huge_pages_are_asked_for_without_an_accelerator(monkeypatch, is_available, earlier, expected):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: is_available)
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "")  # so that it is put back
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE")
    if earlier is not None:
        monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", earlier)
    ask_for_huge_pages()
    assert os.environ.get("THP_MEM_ALLOC_ENABLE") == expected
