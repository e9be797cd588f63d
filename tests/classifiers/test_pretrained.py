"""Pretrained weights without a network: a sentence within seconds, whatever the hub's client would do."""

from __future__ import annotations

import socket
import time

import pytest
from huggingface_hub import constants

from benchmark.classifiers import pretrained
from benchmark.classifiers.pretrained import check_pretrained, unreachable
from benchmark.classifiers.timm_classifier import TimmClassifier


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch):
    monkeypatch.setattr(pretrained, "try_to_load_from_cache", lambda *args, **kwargs: None)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def silent():
    """A server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_is_silent(silent, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", silent)
    start = time.perf_counter()
    with pytest.raises(OSError, match=r"weights of resnet18 could not be downloaded \(127.*does not answer|timed out"):
        check_pretrained("resnet18", seconds=0.5)
    assert time.perf_counter() - start < 3
    assert silent == constants.ENDPOINT and pretrained.SECONDS <= 10


def test_a_port_that_is_closed(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", closed)
    start = time.perf_counter()
    with pytest.raises(OSError, match=r"cannot be reached: .*refused.*set classifier\.pretrained=false, or fetch"):
        TimmClassifier(name="resnet18", num_classes=3, pretrained=True)
    assert time.perf_counter() - start < 10


def test_a_name_that_takes_forever_to_look_up(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: time.sleep(3))
    start = time.perf_counter()
    assert "huggingface.co does not answer within 0.3 s" in str(unreachable("https://huggingface.co/x", 0.3))
    assert time.perf_counter() - start < 2


def test_what_is_in_the_cache_needs_no_network(monkeypatch):
    monkeypatch.setattr(pretrained, "try_to_load_from_cache", lambda *args, **kwargs: "model.safetensors")
    monkeypatch.setattr(pretrained, "unreachable", lambda *args: pytest.fail("the network was asked"))
    check_pretrained("resnet18")


def test_offline_by_choice(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="not in the cache, and HF_HUB_OFFLINE forbids"):
        check_pretrained("resnet18")


def test_a_net_without_pretrained_weights():
    with pytest.raises(ValueError, match=r"no pretrained weights for coatnet_0_224: set classifier\.pretrained=false"):
        check_pretrained("coatnet_0_224")


def test_weights_that_do_not_fit_the_options(monkeypatch):
    monkeypatch.setattr("benchmark.classifiers.timm_classifier.check_pretrained", lambda name: None)

    def create(*args, **kwargs):
        raise RuntimeError("Error(s) in loading state_dict for ResNet:\n\tsize mismatch for conv1.weight")

    monkeypatch.setattr("timm.create_model", create)
    with pytest.raises(ValueError, match=r"weights of resnet18 do not fit classifier\.options=\{'stem_width': 8\}"):
        TimmClassifier(name="resnet18", num_classes=3, pretrained=True, options={"stem_width": 8})
