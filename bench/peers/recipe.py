"""Options of a recipe as a PyTorch run can follow them."""
import shlex
from pathlib import Path

KNOWN = {"net", "epochs", "batch", "optimizer", "momentum", "lr", "weight-decay", "schedule", "label-smoothing", "augment", "tta", "precision"}


def read_recipe(path):
    """(options, augmentation), both texts by name, of a recipe of nesterov, one-cycle, crop, flip and cutout; others are refused."""
    words = shlex.split(Path(path).read_text(), comments=True)
    unknown = [word for word in words[::2] if word.removeprefix("--") not in KNOWN]
    if unknown:
        raise SystemExit(f"{path} has {unknown[0]}, which this script does not know")
    options = {name[2:]: value for name, value in zip(words[::2], words[1::2])}
    augment = dict((part.split("=") + ["random"])[:2] for part in options.get("augment", "").split(",") if part)
    if (set(augment) - {"crop", "flip", "cutout"} or options.get("optimizer") != "nesterov" or options.get("schedule") != "one-cycle"
            or options.get("tta", "flip") != "flip"):
        raise SystemExit(f"{path} asks for another optimiser, schedule, augmentation or view than this script knows")
    return options, augment
