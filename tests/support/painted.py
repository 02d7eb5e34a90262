"""A network that is painted, not trained: the image says what it is to answer."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from scipy import ndimage

from starpoly.config import ModelSpec, NetworkConfig, SizeRange, Thresholds
from starpoly.images.normalization import Normalizer
from starpoly.model import StarPoly2D
from starpoly.network.dense_output import DenseOutput
from starpoly.network.footprint import Footprint
from starpoly.network.grid_cells import to_cells
from starpoly.polygons import StarPolygons
from starpoly.tiling import plan_tiles
from starpoly.training.targets import make_targets

N_RAYS = 8


class Painted:
    """A network that reads its answer off the image: channel 0 is the probability, the others distances."""

    precision = "float32"
    engine = "tensorflow"

    def __init__(
        self,
        grid=(1, 1),
        stride=(4, 4),
        halo=(6, 6),
        max_distance=160.0,
        n_classes=0,
        ray_context=(),
        has_foreground=False,
    ):
        self.grid, self.stride = grid, stride
        self.footprints = tuple(Footprint.of_radius(*axis) for axis in zip(halo, stride, grid, strict=True))
        self.max_distance, self.n_rays, self.n_classes = max_distance, N_RAYS, n_classes
        self.ray_context, self.has_foreground, self.tile_size = ray_context, has_foreground, 1024
        self.windows = []

    def __call__(self, batch):
        self.windows.append(batch.shape)
        answer = batch[:, :: self.grid[0], :: self.grid[1]]
        classes = None
        if self.n_classes:
            classes = np.stack([1 - answer[..., 0], answer[..., 0]], axis=-1)
        foreground = None
        if self.has_foreground:
            foreground = np.stack([to_cells((image[..., 0] > 0).astype(np.float32), self.grid) for image in batch])
        return DenseOutput(
            probability=answer[..., 0], distances=answer[..., 1:], classes=classes, foreground=foreground
        )


class Known(Painted):
    """Finds bright objects of known sizes, whole, in the first channel; nothing of larger or smaller ones."""

    def __init__(self, smallest=1.0, largest=1e6, score=1.0, **settings):
        super().__init__(**settings)
        self.smallest, self.largest, self.score = smallest, largest, score

    def __call__(self, batch):
        self.windows.append(batch.shape)
        labels, n = ndimage.label(batch[0, ..., 0] > 0.5)
        widths = 2 * np.sqrt(np.bincount(labels.ravel(), minlength=n + 1) / np.pi)
        labels[(widths[labels] < self.smallest) | (widths[labels] > self.largest)] = 0
        targets = make_targets(labels, n_rays=N_RAYS)
        return DenseOutput(probability=self.score * targets.probability[None], distances=targets.distances[None])


class Broken(Painted):
    """A painted network that fails whenever it is called."""

    def __call__(self, batch):
        raise RuntimeError("broken")


def paint(labels: np.ndarray) -> np.ndarray:
    """The image that makes the painted network see these objects."""
    targets = make_targets(labels, n_rays=N_RAYS)
    return np.concatenate([targets.probability[..., None], targets.distances], axis=-1)


def identity() -> Normalizer:
    return Normalizer(low=(0.0,) * (N_RAYS + 1), high=(1.0,) * (N_RAYS + 1))


def disks(shape: tuple[int, int], seed: int, n: int = 12) -> np.ndarray:
    """Disks of mixed sizes anywhere, also over the border."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for label in range(1, n + 1):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        labels[np.hypot(y - cy, x - cx) < rng.uniform(1, 15)] = label
    return labels


def shuffled(order):
    """The lattice with its tiles in a random order."""

    def plan(*args, **settings):
        whole = plan_tiles(*args, **settings)
        return replace(whole, tiles=tuple(order.sample(whole.tiles, len(whole))))

    return plan


class PaintedModel(StarPoly2D):
    """The facade around a painted network; the painting needs no normalisation."""

    def __init__(self, **settings):
        network = NetworkConfig(n_channels=N_RAYS + 1, n_rays=N_RAYS, grid=(1, 1), depth=2)
        spec = ModelSpec("painted", network, max_distance=160.0, thresholds=Thresholds(0.3, 0.4))
        super().__init__(spec, Painted(**settings))

    def _normalizer(self, image, given, executor=None):
        return super()._normalizer(image, False)

    def fingerprint(self):
        return "painted"


class Bright(Painted):
    """A network of any number of channels for which whatever is bright is a cell."""

    def __init__(self):
        super().__init__(max_distance=10.0)

    def __call__(self, batch):
        distances = np.full((*batch.shape[:3], self.n_rays), 2.5, np.float32)
        return DenseOutput(probability=batch.max(axis=-1), distances=distances)


class BrightModel(StarPoly2D):
    """The facade around it, for images of ordinary intensities."""

    def __init__(self, n_channels=1):
        network = NetworkConfig(n_channels=n_channels, n_rays=N_RAYS, grid=(1, 1), depth=2)
        super().__init__(ModelSpec("bright", network, max_distance=10.0, thresholds=Thresholds(0.6, 0.4)), Bright())

    def fingerprint(self):
        return "bright"


class KnownModel(StarPoly2D):
    """The facade around a network that knows bright objects of some sizes."""

    def __init__(self, name="known", n_channels=1, sizes=SizeRange(), **known):  # noqa: B008
        network = NetworkConfig(n_channels=n_channels, n_rays=N_RAYS, grid=(1, 1), depth=2)
        spec = ModelSpec(name, network, max_distance=160.0, thresholds=Thresholds(0.3, 0.4), sizes=sizes)
        super().__init__(spec, Known(**known))

    def fingerprint(self):
        return self.spec.name


def discs(width: float, n: int, side: int) -> np.ndarray:
    """An image (Y, X, 1) with n x n bright discs on black."""
    y, x = np.mgrid[:side, :side] % (side // n) - side // (2 * n)
    return (np.hypot(y, x) < width / 2).astype(np.float32)[..., None]


def model_that_finds(polygons: StarPolygons, grid: tuple[int, int] = (1, 1)) -> SimpleNamespace:
    """What labelling needs of a model: these candidates, in whatever image."""
    return SimpleNamespace(
        find_candidates=lambda image, lowest: polygons.take(polygons.probabilities > lowest),
        thresholds=Thresholds(prob=0.5, nms=0.4),
        spec=SimpleNamespace(network=NetworkConfig(grid=grid)),
        fingerprint=lambda: "painted",
    )
