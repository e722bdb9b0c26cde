"""OpenVINO on a CPU: the same maps, only where it pays, and torch wherever it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hubseg.inference import (
    Cancelled,
    LoadedNetworks,
    Order,
    cpu_network,
    engine_speeds,
    load_member,
    loaded_networks,
    predict_member,
)
from hubseg.inference.cpu_network import CpuNetwork
from hubseg.inference.engine_choice import EngineChoice
from hubseg.inference.engine_speeds import Speeds, recall, remember, speed_key
from hubseg.inference.openvino_model import installed_version
from hubseg.inference.passes import stopping
from hubseg.network import Prediction, build
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.recipe.channels import ONE_OUTPUT

needs_openvino = pytest.mark.skipif(
    installed_version() is None, reason="openvino is not installed: pip install openvino"
)
CPU = torch.device("cpu")
SPEC = NetworkSpec(encoder="test_efficientnet")
IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
LEVELS = 0.01 / 255  # what maps may differ by, 0-1


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of what is remembered: a test's own."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.delenv("HUBSEG_CPU_ENGINE", raising=False)
    return tmp_path / "cache" / "cpu_engines.json"


# ---- the rule, on engines that take as long as they say -----------------------------------------


class Clock:
    """Seconds that pass as engines say."""

    now = 0.0


class Slow(nn.Module):
    """A network whose pass takes one second of torch."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.last = nn.Conv2d(3, 1, 1)
        self.clock = clock
        self.passes = 0

    def forward(self, image: torch.Tensor) -> Prediction:
        self.passes += 1
        self.clock.now += 1.0
        return Prediction(self.last(image))


class Rig:
    """Networks of one kind, and an OpenVINO that answers as told, takes as long, or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.takes, self.makes = 0.5, 3.0
        self.apart = 0.0  # added to its logits
        self.fails: Exception | None = None
        self.made: list[tuple[int, ...]] = []
        self.run = 0
        self.rested: list[nn.Module] = []
        rig = self

        class Model:
            def __init__(self, network: nn.Module, image: torch.Tensor, threads: int) -> None:
                del threads
                if rig.fails is not None:
                    raise rig.fails
                self.network = network
                self.traced = network(image)
                rig.clock.now += rig.makes
                rig.made.append(tuple(image.shape))

            def run(self, image: torch.Tensor, ask: Any) -> Prediction:
                del ask
                if rig.fails is not None:
                    raise rig.fails
                rig.run += 1
                rig.clock.now += rig.takes
                return Prediction(self.network.last(image) + rig.apart)

            def rest(self) -> None:
                rig.rested.append(self.network)

        monkeypatch.setattr(cpu_network, "OpenVinoModel", Model)
        monkeypatch.setattr(cpu_network, "_seconds", lambda: self.clock.now)

    def network(self, choice: EngineChoice) -> CpuNetwork:
        torch.manual_seed(0)
        network = CpuNetwork(Slow(self.clock).eval(), "{}", ONE_OUTPUT, choice)
        self.said: list[str] = []
        network.said = self.said.append
        return network

    def passes(self, network: CpuNetwork, count: int) -> None:
        with torch.inference_mode():
            for _ in range(count):
                network(IMAGE)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_few_passes_are_torchs_alone(rig: Rig, cache: Path):
    network = rig.network(EngineChoice("auto"))
    network.expect(8)
    rig.passes(network, 8)
    assert (network.network.passes, rig.made, rig.said) == (8, [], [])
    assert not cache.exists()


def test_many_passes_are_measured_in_turns_and_then_go_to_the_faster(rig: Rig, cache: Path):
    network = rig.network(EngineChoice("auto"))
    network.expect(40)
    rig.passes(network, 1 + 4)
    assert (network.network.passes, rig.run) == (1 + 2, 1 + 2)  # the first answers are compared
    (told,) = json.loads(cache.read_text()).values()
    assert told["torch"] == pytest.approx(1 / IMAGE.numel())
    assert told["openvino"] == pytest.approx(0.5 / IMAGE.numel())
    assert told["build"] == pytest.approx(3.5)  # with the pass that is compared
    rig.passes(network, 35)
    assert (network.network.passes, rig.run) == (3, 38)
    assert set(rig.said) == {"by OpenVINO"}
    assert network.model_bytes == 4 * 4


def test_passes_that_were_done_count_over_all_networks_of_a_kind(rig: Rig):
    choice = EngineChoice("auto")
    for _ in range(2):
        network = rig.network(choice)
        network.expect(8)
        rig.passes(network, 8)
    assert rig.made == []
    third = rig.network(choice)
    third.expect(8)
    rig.passes(third, 1)
    assert rig.made == [tuple(IMAGE.shape)]


def test_an_engine_that_is_no_faster_is_said_once_and_never_tried_again(rig: Rig):
    rig.takes = 0.98
    network = rig.network(EngineChoice("auto"))
    network.expect(40)
    rig.passes(network, 40)
    assert rig.said[-1] == "OpenVINO is no faster for this network: torch runs it"
    assert (rig.run, network.model_bytes) == (3, 0)
    later = rig.network(EngineChoice("auto"))  # of another process
    later.expect(400)
    rig.passes(later, 20)
    assert (len(rig.made), rig.said) == (1, [])


@pytest.mark.parametrize(("passes", "made"), [(4, 0), (7, 0), (8, 1), (100, 1)])
def test_what_is_known_is_used_where_the_passes_to_come_pay_for_the_model(
    rig: Rig, passes: int, made: int
):
    key = speed_key("{}", tuple(IMAGE.shape), torch.get_num_threads())
    remember(key, Speeds(1 / IMAGE.numel(), 0.5 / IMAGE.numel(), build=3.7))
    network = rig.network(EngineChoice("auto"))
    network.expect(passes)
    rig.passes(network, 1)
    assert len(rig.made) == made


@pytest.mark.parametrize("openvino", [0.5, 0.98])
def test_answers_that_are_kept_are_one_engines_however_many_are_left(rig: Rig, openvino: float):
    """A run that was killed went on with fewer passes, and so with another engine."""
    key = speed_key("{}", tuple(IMAGE.shape), torch.get_num_threads())
    remember(key, Speeds(1 / IMAGE.numel(), openvino / IMAGE.numel(), build=3.7))
    rig.apart = 1e-4  # tells whose answer it is

    def answers(count: int) -> list[float]:
        network = rig.network(EngineChoice("auto"))
        network.expect(count, kept=True)
        with torch.inference_mode():
            return [float(network(IMAGE).logits.sum()) for _ in range(count)]

    whole = answers(20)
    assert set(whole) == set(answers(1)) == set(answers(3))
    assert len(set(whole)) == 1
    assert bool(rig.made) == (openvino < 0.95)


def test_slide_by_slide_the_model_is_made_once_it_would_have_paid(rig: Rig):
    key = speed_key("{}", tuple(IMAGE.shape), torch.get_num_threads())
    remember(key, Speeds(1 / IMAGE.numel(), 0.5 / IMAGE.numel(), build=3.7))
    network = rig.network(EngineChoice("auto"))
    made = []
    for _ in range(4):
        network.expect(4)
        rig.passes(network, 4)
        made.append(len(rig.made))
    assert made == [0, 0, 1, 1]


def test_a_later_model_that_took_less_to_make_is_what_counts(rig: Rig):
    network = rig.network(EngineChoice("auto"))
    network.expect(40)
    rig.passes(network, 5)
    rig.makes = 1.0
    later = rig.network(EngineChoice("auto"))
    later.expect(40)
    rig.passes(later, 1)
    (key,) = later._keys.values()
    assert recall(key).build == pytest.approx(1.5)  # with the pass that is compared


@pytest.mark.parametrize("wrong", [1e-3, float("nan")])
def test_another_map_is_refused_for_good_and_said(rig: Rig, wrong: float):
    rig.apart = wrong
    network = rig.network(EngineChoice("auto"))
    network.expect(40)
    with torch.inference_mode():
        seen = network(IMAGE)
    torch.testing.assert_close(seen.logits, network.network.last(IMAGE))
    (said,) = rig.said
    assert "levels from torch's: torch runs it" in said
    rig.passes(network, 30)
    later = rig.network(EngineChoice("auto"))
    later.expect(400)
    rig.passes(later, 30)
    assert (len(rig.made), rig.said) == (1, [])


@pytest.mark.parametrize(
    ("error", "later"), [(RuntimeError("No conversion rule."), 0), (MemoryError("bad_alloc"), 1)]
)
def test_what_cannot_be_converted_runs_with_torch_and_memory_is_tried_again(
    rig: Rig, error: Exception, later: int
):
    rig.fails = error
    network = rig.network(EngineChoice("auto"))
    network.expect(40)
    rig.passes(network, 20)
    (said,) = rig.said
    assert str(error) in said and said.endswith(": torch runs it")
    assert network.network.passes == 20
    rig.fails = None
    another = rig.network(EngineChoice("auto"))
    another.expect(40)
    rig.passes(another, 1)
    assert len(rig.made) == later


def test_a_pass_that_fails_is_done_by_torch_and_no_other_is_tried(rig: Rig):
    network = rig.network(EngineChoice("openvino"))
    rig.passes(network, 2)
    rig.fails = RuntimeError("The device was lost.")
    with torch.inference_mode():
        seen = network(IMAGE)
    torch.testing.assert_close(seen.logits, network.network.last(IMAGE))
    rig.passes(network, 3)
    assert rig.said[-1] == "OpenVINO failed (The device was lost.): torch runs it"
    assert rig.said.count(rig.said[-1]) == 1
    assert network.network.passes == 1 + 4


def test_whoever_asks_for_it_is_told_each_time_that_it_is_not_used(rig: Rig):
    rig.fails = RuntimeError("No conversion rule.")
    rig.passes(rig.network(EngineChoice("openvino")), 3)
    assert len(rig.said) == 1
    rig.passes(rig.network(EngineChoice("openvino")), 3)
    assert rig.said == ["OpenVINO cannot run this network (No conversion rule.): torch runs it"]


def test_without_memory_to_spare_no_model_is_made(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    free = type("Memory", (), {"available": 1 << 29})
    monkeypatch.setattr(cpu_network.psutil, "virtual_memory", lambda: free)
    network = rig.network(EngineChoice("openvino"))
    rig.passes(network, 2)
    assert (rig.made, network.network.passes) == ([], 2)
    assert rig.said == ["not enough memory is free for OpenVINO: torch runs it"]


def test_a_network_keeps_models_of_two_shapes(rig: Rig):
    network = rig.network(EngineChoice("openvino"))
    with torch.inference_mode():
        for side in (32, 64, 96, 32):
            network(torch.rand(1, 3, side, 64))
    assert [shape[2] for shape in rig.made] == [32, 64, 96, 32]
    assert network.model_bytes == 2 * 4 * 4


def test_one_model_at_a_time_holds_what_its_layers_need(rig: Rig):
    choice = EngineChoice("openvino")
    first, second = rig.network(choice), rig.network(choice)
    rig.passes(first, 3)
    rig.passes(second, 3)
    rig.passes(first, 2)
    assert rig.rested == [first.network, second.network]


def test_what_layers_need_is_held_once_while_both_engines_are_measured(rig: Rig, cache: Path):
    """A worker that had never measured them took 3.02 GB, and 2.37 from then on."""
    network = rig.network(EngineChoice("auto"))
    network.expect(20)
    rig.passes(network, 1)
    assert rig.rested == []
    rig.passes(network, 4)  # openvino, torch, openvino, torch
    assert rig.rested == [network.network] * 2


# ---- what is remembered -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "\x00",
        '{"k": 3}',
        '{"k": {"torch": 1}}',
        '{"k": {"torch": NaN, "openvino": 1, "build": 1, "refused": ""}}',
        '{"k": {"torch": 0, "openvino": 1, "build": 1, "refused": ""}}',
        '{"k": {"torch": true, "openvino": 1, "build": 1, "refused": ""}}',
        '{"k": {"torch": 1, "openvino": 1, "build": -1, "refused": ""}}',
        '{"k": {"torch": 1, "openvino": 1, "build": 1, "refused": 4}}',
    ],
)
def test_a_damaged_file_is_measured_again(cache: Path, text: str):
    cache.parent.mkdir(parents=True)
    cache.write_text(text)
    assert recall("k") is None
    remember("k", Speeds(1.0, 0.5, 2.0))
    assert recall("k") == Speeds(1.0, 0.5, 2.0)
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]  # no part is left


def test_a_cache_that_cannot_be_written_is_no_loss(tmp_path: Path):
    (tmp_path / "cache").write_text("a file, where the folder would be")
    remember("k", Speeds(1.0, 0.5, 2.0))
    assert recall("k") is None


def test_the_newest_are_kept(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine_speeds, "_MOST", 3)
    for number in (0, 1, 2, 0, 3):
        remember(str(number), Speeds(1.0, 0.5, 2.0))
    assert list(json.loads(cache.read_text())) == ["2", "0", "3"]


def test_what_is_measured_belongs_to_network_size_threads_cpu_and_versions(
    monkeypatch: pytest.MonkeyPatch,
):
    keys = [speed_key("{}", (1, 3, 512, 512), 2)]
    assert speed_key("{}", (1, 3, 480, 512), 2) == keys[0]
    keys += [speed_key("{1}", (1, 3, 512, 512), 2), speed_key("{}", (1, 3, 512, 1024), 2)]
    keys.append(speed_key("{}", (1, 3, 512, 512), 3))
    monkeypatch.setattr(engine_speeds, "_cpu", lambda: "another CPU")
    keys.append(speed_key("{}", (1, 3, 512, 512), 2))
    monkeypatch.setattr(engine_speeds, "installed_version", lambda: "1.2.3")
    keys.append(speed_key("{}", (1, 3, 512, 512), 2))
    monkeypatch.setattr(engine_speeds.torch, "__version__", "1.2.3")
    keys.append(speed_key("{}", (1, 3, 512, 512), 2))
    assert len(set(keys)) == len(keys)


# ---- who is asked -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Order:
    entry = Entry(network=SPEC, checkpoint="m")
    recipe = Recipe(name="t", folds=(0,), resolutions=(Resolution(size=64, members=(entry,)),))
    path = tmp_path_factory.mktemp("network") / "m"
    torch.manual_seed(0)
    torch.save({"state_dict": build(SPEC).state_dict()}, path)
    return Order(recipe, recipe.members()[0], path, "digest", "cpu")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(loaded_networks, "installed_version", lambda: "2026.0")
    yield


@pytest.mark.usefixtures("installed")
def test_auto_offers_float32_networks_on_a_cpu_to_openvino(
    order: Order, monkeypatch: pytest.MonkeyPatch
):
    assert isinstance(LoadedNetworks().take(order), CpuNetwork)
    assert not isinstance(LoadedNetworks(cpu_engine="torch").take(order), CpuNetwork)
    monkeypatch.setattr(torch, "compile", lambda network, **_: network)
    assert not isinstance(LoadedNetworks(compiled=True).take(order), CpuNetwork)
    if torch.cpu.get_capabilities().get("avx512_bf16"):
        low = LoadedNetworks().take(replace(order, precision="bfloat16"))
        assert not isinstance(low, CpuNetwork)


@pytest.mark.usefixtures("installed")
def test_the_computers_own_word_is_what_auto_is(order: Order, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HUBSEG_CPU_ENGINE", "torch")
    assert not isinstance(LoadedNetworks().take(order), CpuNetwork)
    assert isinstance(LoadedNetworks(cpu_engine="openvino").take(order), CpuNetwork)
    monkeypatch.setenv("HUBSEG_CPU_ENGINE", "tensorrt")
    with pytest.raises(ValueError, match="Unknown engine 'tensorrt': use one of auto, torch"):
        LoadedNetworks()


def test_where_it_is_not_installed_only_whoever_asked_for_it_is_told(
    order: Order, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loaded_networks, "installed_version", lambda: None)
    said: list[str] = []
    assert not isinstance(LoadedNetworks().take(order, said=said.append), CpuNetwork)
    assert said == []
    LoadedNetworks(cpu_engine="openvino").take(order, said=said.append)
    (sentence,) = said
    assert "pip install 'napari-hubseg[openvino]'" in sentence


# ---- OpenVINO itself ----------------------------------------------------------------------------


@needs_openvino
def test_the_map_of_a_member_is_torchs_within_a_hundredth_level(order: Order):
    pixels = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    shelf, said = LoadedNetworks(cpu_engine="openvino"), []
    network = shelf.take(order, said=said.append)
    alone = shelf.nbytes
    made = predict_member(network, pixels, order.recipe, order.member)
    plain = load_member(order.recipe, order.member, order.path, CPU)
    wanted = predict_member(plain, pixels, order.recipe, order.member)
    assert set(said) == {"by OpenVINO"}
    np.testing.assert_allclose(made.values, wanted.values, rtol=0, atol=LEVELS)
    np.testing.assert_allclose(made.organ, wanted.organ, rtol=0, atol=LEVELS)
    assert made.um_per_px == pytest.approx(wanted.um_per_px, abs=1e-4)
    assert shelf.nbytes > 1.9 * alone  # its model has the weights once more


@needs_openvino
def test_a_tile_is_the_same_to_the_bit_whichever_came_before(order: Order):
    images = torch.rand(3, 1, 3, 64, 64, generator=torch.Generator().manual_seed(1))

    def answers(first: int) -> list[torch.Tensor]:
        network = LoadedNetworks(cpu_engine="openvino").take(order)
        assert isinstance(network, CpuNetwork)
        network.expect(3 - first, kept=True)
        with torch.inference_mode():
            return [network(one).logits for one in images[first:]]

    whole = answers(0)
    for first in (1, 2):
        assert all(map(torch.equal, answers(first), whole[first:]))


@needs_openvino
def test_a_pass_of_openvino_stops_when_asked_and_the_next_one_is_whole(order: Order):
    network = LoadedNetworks(cpu_engine="openvino").take(order)
    image = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    asked: list[bool] = []

    def in_a_pass() -> bool:
        asked.append(True)
        return True

    with torch.inference_mode():
        first = network(image).logits
        with pytest.raises(Cancelled), stopping(network, in_a_pass):
            network(image)
        assert asked == [True]
        torch.testing.assert_close(network(image).logits, first)
        (model,) = network._models.values()
        model.rest()
        torch.testing.assert_close(network(image).logits, first)


@needs_openvino
def test_a_model_that_is_being_made_stops_when_asked(order: Order):
    network = LoadedNetworks(cpu_engine="openvino").take(order)
    with torch.inference_mode():
        with pytest.raises(Cancelled), stopping(network, lambda: True):
            network(IMAGE)
        plain = load_member(order.recipe, order.member, order.path, CPU)
        torch.testing.assert_close(network(IMAGE).logits, plain(IMAGE).logits)


_TELLTALE = "raise SystemExit('telemetry was imported')\n"
_CONVERTS = """
import sys, torch
from hubseg.inference.openvino_model import OpenVinoModel
from hubseg.network import Prediction

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Conv2d(3, 1, 1)
    def forward(self, image):
        return Prediction(self.last(image))

image = torch.rand(1, 3, 32, 32)
with torch.inference_mode():
    model = OpenVinoModel(Network().eval(), image, 1)
    torch.testing.assert_close(model.run(image, lambda: None).logits, model.traced.logits)
print([name for name in sys.modules if "telemetry" in name or "tools.ovc" in name])
"""


@needs_openvino
def test_no_telemetry_is_imported(tmp_path: Path):
    (tmp_path / "openvino_telemetry").mkdir()
    (tmp_path / "openvino_telemetry" / "__init__.py").write_text(_TELLTALE)
    paths = [str(tmp_path), *filter(None, sys.path)]
    script = f"import sys; sys.path[:0] = {paths!r}\n{_CONVERTS}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    plain = f"import sys; sys.path[:0] = {paths!r}\nimport openvino"
    done = subprocess.run([sys.executable, "-c", plain], capture_output=True, text=True)
    assert "telemetry was imported" in done.stderr  # so the telltale does tell
