"""A copy of the code for jobs, so that edits do not change what queued jobs run."""

import json
import shutil
import subprocess
from pathlib import Path

from physlm.errors import InputError
from physlm.revision import REVISION_FILE, git_revision

_PARTS = ("physlm", "conf", "sweeps")  # of a checkout: what a run reads


def keep_snapshot(folder: Path) -> Path | None:
    """Copy the code of a checkout, with its revision; an installed package is not edited.

    Args:
        folder: The new folder.

    Returns:
        The folder; None if this is no checkout.

    Raises:
        InputError: If git cannot list the files of the checkout.
    """
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "ls-files", "-z", "--cached", "--others"]
    try:
        listed = subprocess.run(
            [*command, "--exclude-standard", "--", *_PARTS],
            capture_output=True,
            text=True,
            check=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or str(error)
        raise InputError(
            f"launcher.snapshot=true: git cannot list the code ({' '.join(why.split())}); mend "
            "that, or use launcher.snapshot=false"
        ) from error
    for name in filter(None, listed.stdout.split("\0")):
        if (checkout / name).is_file():  # not one that was removed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(checkout / name, folder / name)
    (folder / REVISION_FILE).write_text(json.dumps(git_revision()) + "\n", encoding="utf-8")
    return folder
