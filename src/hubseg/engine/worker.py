"""What lives in a worker: jobs, loaded networks, the slides being worked on.

Responsible for computing one member map where the network is, and for stopping when asked. Torch
is imported only inside the functions that run in a worker. Does not know runs.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.engine.job import Made, Refused
from hubseg.outcome import Outcome
from hubseg.probability import MapStore
from hubseg.process.priority import COMPUTES, give_way

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.engine.job import Job, Part, Window
    from hubseg.inference import LoadedNetworks, Order, TilePixels
    from hubseg.probability import MemberMap, TileLayout
    from hubseg.probability.tile_layout import Place
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = [
    "DEVICE",
    "EARLY",
    "PLUGIN",
    "Networks",
    "ask_to_stop",
    "check_checkpoint",
    "early_import",
    "forget_networks",
    "run_member",
    "stop_run",
    "take_place",
    "worker_plugin",
]

PLUGIN = "hubseg"
EARLY = "hubseg-early"
DEVICE = "HUBSEG_DEVICE"  # environment variable: the device of a worker that we started

_PIXELS = 1 << 30  # bytes of slides held, beside the one being worked on


class Networks:
    """Lives in a worker: networks that stay loaded, slides being worked on, runs stopped.

    Registered as a Dask worker plugin, so that it ends with its worker and is nobody's global. A
    worker may have several threads: one computes, and the next reads its checkpoint meanwhile.
    Several people may share a cluster: the first one's stays, for all.
    """

    idempotent = True  # read by Dask: a plugin of this name that is there already stays

    def __init__(
        self, budget: int | None, *, compiled: bool = False, cpu_engine: str = "auto"
    ) -> None:
        self.budget = budget  # bytes of parameters kept loaded; None: what the device allows
        self.compiled = compiled  # whether torch.compile is wanted
        self.cpu_engine = cpu_engine  # auto, torch or openvino
        self.stopped: set[str] = set()
        self.place = 0  # which of the workers of its computer it is
        self._pixels: OrderedDict[str, NDArray[np.uint8] | Slide] = OrderedDict()
        self._tile_pixels: dict[tuple[str, TileLayout, Any], TilePixels] = {}  # of one slide
        self._loaded: LoadedNetworks | None = None  # with the first job: this imports torch

    def setup(self, worker: Any) -> None:
        """Give way to the window and its threads: the worker has a lower priority."""
        del worker
        self._door, self._device = threading.Lock(), threading.Lock()
        give_way(COMPUTES)

    @property
    def _networks(self) -> LoadedNetworks:
        """The networks that stay loaded; a worker that only starts trainings never has any."""
        if self._loaded is None:
            from hubseg.inference import LoadedNetworks

            options: Any = {"compiled": self.compiled, "cpu_engine": self.cpu_engine}
            self._loaded = LoadedNetworks(self.budget, **options)
        return self._loaded

    def run(self, job: Job) -> Made:
        """Compute one member map, or tiles of it, and file it where the store can be reached."""
        from hubseg.inference import Cancelled, Order

        if job.run_id in self.stopped:
            raise Cancelled("The run was stopped.")
        device = self._device_of(job)
        given = job.recipe, job.member, job.checkpoint, job.checkpoint_digest
        order = Order(*given, device, job.precision)
        said = [_said(job.device, device)]
        with self._door:
            self._networks.expect(order)
        with self._device:
            try:
                made = self._make(job, order, said)
            except RuntimeError as error:
                if not self._networks.compiled or not _is_of_the_compiler(error):
                    raise
                self._networks.compiled = False
                self.forget()
                said.append("not compiled: torch.compile does not work here")
                made = self._make(job, order, said)
        return replace(made, where="; ".join(dict.fromkeys(said)), memory=_memory(device))

    def _make(self, job: Job, order: Order, said: list[str]) -> Made:
        """Compute what a job asks for, while no other job does."""
        from hubseg.inference import KeptTiles, predict_member, predict_some, said_of

        with self._door:
            network = self._networks.take(order, said=said.append)
        how: dict[str, Any] = {
            "cancelled": lambda: job.run_id in self.stopped,
            "precision": job.precision,
            "said": said.append,
            "make_room": self._networks.spare,
        }
        store = None if job.store is None else MapStore(job.store)
        if job.features:
            return self._make_features(job, network, store, how)
        if job.layout is not None:
            return self._make_tiles(job, job.layout, network, store, how)
        given = network, self._read(job), job.recipe, job.member
        kept = None if store is None else KeptTiles(store, job.whole_key)
        how |= {"kept": kept, "following": job.following, "um_per_px": job.slide.um_per_px}
        if job.part is None:
            made = predict_member(*given, tissue=said_of(job.slide), **how)
        else:
            made = predict_some(*given, job.part.tiles, _around(job.part, store), **how)
        if store is not None and kept is not None:
            store.put(job.key, made)
            kept.let_go()
        return Made(made)

    def _make_tiles(
        self,
        job: Job,
        layout: TileLayout,
        network: Any,
        store: MapStore | None,
        how: dict[str, Any],
    ) -> Made:
        """Compute those of a job's tiles that are not there, and file each as soon as it is."""
        from hubseg.inference import predict_tiles

        tiles = (MapStore(Path()) if store is None else store).tiles_for(job.key, layout)
        there = frozenset() if store is None else tiles.places()
        asked = [place for place in job.places if place not in there]
        pixels = self._tiles_of(job, layout)
        given = network, pixels, job.recipe, job.member
        files: list[tuple[Place, bytes]] = []
        unread: list[Window] = []
        for place, tile in predict_tiles(*given, asked, **how):
            content = tiles.pack(place, tile)
            unread += tile.unread
            if store is None:
                files.append((place, content))
            else:
                tiles.put(place, content)
        told = tuple(dict.fromkeys(unread))
        return Made(None, tiles=tuple(files), unread=told, finer=pixels.finer)

    def _make_features(
        self, job: Job, network: Any, store: MapStore | None, how: dict[str, Any]
    ) -> Made:
        """Compute what the last layer of a job's network sees, and file it where that can be."""
        from hubseg.inference import predict_features, predict_region_features

        how["checkpoint_digest"] = job.checkpoint_digest
        of = job.recipe, job.member
        if job.layout is not None and job.region is not None:
            pixels = self._tiles_of(job, job.layout)
            made = predict_region_features(network, pixels, *of, job.region, **how)
        else:
            how["um_per_px"] = job.slide.um_per_px
            made = predict_features(network, self._read(job), *of, **how)
        if store is not None:
            store.put_features(job.key, made)
            return Made(None)
        return Made(None, features=made)

    def _tiles_of(self, job: Job, layout: TileLayout) -> TilePixels:
        """Return the pixels of the very large slide that is worked on; those of others go."""
        from hubseg.inference import TilePixels

        wanted = job.slide_digest, layout, job.slide.tissue
        for one in [one for one in self._tile_pixels if one[0] != job.slide_digest]:
            del self._tile_pixels[one]
        for other, pixels in self._tile_pixels.items():
            if other != wanted:
                pixels.forget()
        if wanted not in self._tile_pixels:
            self._tile_pixels[wanted] = TilePixels(job.slide, layout)
        return self._tile_pixels[wanted]

    def forget(self) -> None:
        """Let go of networks and pixels; the memory of the device is free again."""
        if self._loaded is not None:
            self._loaded.clear()
        self._pixels.clear()
        self._tile_pixels.clear()

    def _device_of(self, job: Job) -> str:
        """Return the device of a job: ours, or, of several GPUs that all see, one's own."""
        import torch

        given = os.environ.get(DEVICE) or job.device
        if given != "auto":
            return given
        count = torch.cuda.device_count()
        own = self.place if "CUDA_VISIBLE_DEVICES" not in os.environ else 0
        return f"cuda:{own % count}" if count else "cpu"

    def _read(self, job: Job) -> NDArray[np.uint8] | Slide:
        from hubseg.inference import open_pixels

        pixels = self._pixels.pop(job.slide_digest, None)
        pixels = open_pixels(job.slide) if pixels is None else pixels
        while self._pixels and sum(map(_nbytes, self._pixels.values())) > _PIXELS:
            self._pixels.popitem(last=False)
        self._pixels[job.slide_digest] = pixels
        return pixels


def _around(part: Part, store: MapStore | None) -> MemberMap:
    """Return the map of the member that saw the whole slide."""
    found = part.around if part.around is not None or store is None else store.get(part.key)
    if found is None:
        raise ValueError("The map of the first network is gone: run the ensemble again.")
    return found


def _is_of_the_compiler(error: RuntimeError) -> bool:
    from torch._dynamo.exc import TorchDynamoException  # torch has no public name for them

    return isinstance(error, TorchDynamoException)


def _nbytes(pixels: Any) -> int:
    return int(getattr(pixels, "nbytes", 0))  # a slide too large for memory is read by window


def _said(asked: str, device: str) -> str:
    return "on the CPU (no GPU found)" if (asked, device) == ("auto", "cpu") else f"on {device}"


def _memory(device: str) -> tuple[int, int]:
    """Return bytes taken by this process on a device, and bytes the device has."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.memory_reserved(device), torch.cuda.mem_get_info(device)[1]
    import psutil

    return psutil.Process().memory_info().rss, psutil.virtual_memory().total


def run_member(job: Job) -> Made | Refused:
    """Compute one member map in a worker; whatever is raised is this slide's failure."""
    from distributed import get_worker

    outcome = Outcome()
    with outcome.attempt(job.slide.id):
        networks: Networks = get_worker().plugins[PLUGIN]
        return networks.run(job)
    return Refused(outcome.left_out[job.slide.id])


def check_checkpoint(recipe: Recipe, member: Member, path: Path) -> tuple[str, ...] | Refused:
    """Look in a worker whether a member's checkpoint can be run; return what there is to note."""
    from hubseg.inference import check_member

    outcome = Outcome()
    with outcome.attempt(member.checkpoint):
        return check_member(recipe, member, path)
    return Refused(outcome.left_out[member.checkpoint])


def ask_to_stop(client: Any, run_id: str) -> None:
    """Tell the workers of a client to stop a run, and wait for none of them.

    Dask itself waits until every worker has taken the call: one that is swapped out or held would
    hold a person's Cancel.
    """

    def ask() -> None:
        with suppress(OSError, RuntimeError):  # the cluster has gone away meanwhile
            client.run(stop_run, run_id, wait=False, on_error="ignore")

    threading.Thread(target=ask, name="run-stops", daemon=True).start()


async def stop_run(run_id: str, dask_worker: Any) -> None:
    """Tell a worker to stop a run at its next view; a coroutine, so that nobody waits for it."""
    dask_worker.plugins[PLUGIN].stopped.add(run_id)


async def forget_networks(dask_worker: Any) -> None:
    """Tell a worker that nobody needs its networks for now."""
    dask_worker.plugins[PLUGIN].forget()


def take_place(places: dict[str, int], dask_worker: Any) -> None:
    """Tell a worker which of the workers of its computer it is."""
    dask_worker.plugins[PLUGIN].place = places.get(dask_worker.address, 0)


def worker_plugin(budget: int | None, *, compiled: bool = False, cpu_engine: str = "auto") -> Any:
    """Return :class:`Networks` as the Dask worker plugin to register; `budget` in bytes."""
    from distributed import WorkerPlugin

    kind = type("Networks", (Networks, WorkerPlugin), {})
    return kind(budget, compiled=compiled, cpu_engine=cpu_engine)


class _EarlyImport:
    """Lives in a worker: begins to import what networks are built with, which takes seconds."""

    idempotent = True

    def setup(self, worker: Any) -> None:
        del worker
        threading.Thread(target=_import_networks, name=EARLY, daemon=True).start()


def _import_networks() -> None:
    with suppress(ImportError):  # whoever needs them says so
        import timm  # noqa: F401  # and torch with it


def early_import() -> Any:
    """Return the Dask worker plugin that imports networks ahead of the first task, in a thread."""
    from distributed import WorkerPlugin

    return type("EarlyImport", (_EarlyImport, WorkerPlugin), {})()
