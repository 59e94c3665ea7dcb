"""State of a training between epochs, and a trained model, as files."""

import io
import pickle
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cropstack.errors import CropstackError
from cropstack.files import replace_on_success
from cropstack.train.experiment import Experiment


@dataclass
class State:
    """`parts` (model, optimiser, schedule) as they are now, losses by epoch, the weights of the best epoch so far."""

    parts: dict[str, Any]
    history: list[dict[str, float]]
    best: dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """A file of one experiment; `key` is the fingerprint of all that its content depends on."""

    path: Path
    key: str

    def save(self, state: State) -> None:
        """Replace the file."""
        parts = {name: part.state_dict() for name, part in state.parts.items()}
        _write(self.path, {"key": self.key, "history": state.history, "best": state.best, "parts": parts})

    def restore(self, state: State) -> None:
        """Bring `state` to where the file left it; without a file it stays as it is.

        Raises
        ------
        CropstackError : the file is not readable, or another model's, setting's or data set's.
        """
        if not self.path.exists():
            return
        saved = _read(self.path)
        if not isinstance(saved, dict) or saved.get("key") != self.key:
            raise CropstackError(
                f"{self.path}: is the checkpoint of another model, setting, code or data set. "
                "Delete it to train from the start, or restore what it was made with."
            )
        try:
            for name, part in state.parts.items():
                part.load_state_dict(saved["parts"][name])
            state.history, state.best = saved["history"], saved["best"]
        except (KeyError, ValueError, RuntimeError) as error:
            raise CropstackError(
                f"{self.path}: lacks a part of its model ({error}). Delete it and run again."
            ) from error
        print(f"{self.path}: resumed after epoch {len(state.history)}")

    def remove(self) -> None:
        """Delete the file, if there is one."""
        self.path.unlink(missing_ok=True)


def save_model(path: Path, model: nn.Module, experiment: Experiment, built_with: dict[str, int]) -> None:
    """Write a trained model: weights, what it was built with (months, features, classes) and its settings."""
    settings = {"experiment": asdict(experiment), "built_with": built_with}
    _write(path, settings | {"weights": model.state_dict()})


def load_weights(path: Path, model: nn.Module) -> None:
    """Put the weights of a file of `save_model` into a model of the same kind and size.

    Raises
    ------
    CropstackError : the file is not readable, or holds another model.
    """
    saved = _read(path)
    try:
        model.load_state_dict(saved["weights"])
    except (KeyError, TypeError, RuntimeError) as error:
        found = saved.get("experiment", {}).get("model") if isinstance(saved, dict) else None
        raise CropstackError(
            f"{path}: holds {found or 'no model'} ({str(error).splitlines()[0]}); expected {type(model).__name__} of "
            "the same size. Name the experiment's own model.ckpt."
        ) from error


def _read(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not compare the checksums that it wrote
            damaged = archive.testzip()
        if damaged is None:
            return torch.load(path, weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        damaged = next(iter(str(error).splitlines()), type(error).__name__)
    raise CropstackError(f"{path}: not readable as a checkpoint ({damaged}). Delete it and run again.")


def _write(path: Path, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()  # torch.save writes a file's own name into the bytes
    torch.save(content, buffer)
    with replace_on_success(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
