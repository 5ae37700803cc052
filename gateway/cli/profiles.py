"""``gateway profiles``: whether the bank relationships are described without a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from adapters.profile import Profile, check_profiles
from adapters.toml import Location
from gateway.cli.shell import FOUND, Json, shell_of
from gateway.operations import calendars, configuration, keyring
from schemas.errors import OperationRefused

profiles = typer.Typer(no_args_is_help=True, help="Check the bank relationships.")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(profiles, name="profiles")


@profiles.command()
def check(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE|FOLDER]...", help="Those in use, if left out.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check profiles one by one and side by side; print file, line and reason of everything that is wrong.

    Without a file the names and keys of the configuration are checked as well.
    """
    shell = shell_of(context)
    settings = shell.settings
    files = _files(paths) if paths else configuration.profile_files(settings)
    now = shell.clock.now()
    whole: list[Profile] = []

    def more_of(profile: Profile) -> Sequence[tuple[Location, str]]:
        whole.append(profile)
        return calendars.faults(settings.calendar, profile, now)

    found = check_profiles(
        files, settings.certificates_folder, lambda profile: keyring.algorithm(settings, profile, now),
        settings.secrets_folder, more_of,
    )  # fmt: skip
    found += calendars.own_faults(shell.config_path, settings.calendar, whole, now)
    if not paths:
        found += configuration.faults(shell.config_path, settings)
        if not (files or found):
            raise OperationRefused(f"{settings.profile_folder}: there is no profile (*.toml)")
    if as_json:
        shell.screen.json({"checked": files, "findings": found})
    else:
        for finding in found:
            shell.screen.say(finding)
        if not found:
            shell.screen.say(f"ok: {', '.join(file.stem for file in files)}")
    if found:
        raise typer.Exit(FOUND)


def _files(paths: list[Path]) -> list[Path]:
    """Return the files that paths name: themselves, and folders' profiles.

    Raises:
        OperationRefused: one names nothing.
    """
    found: list[Path] = []
    for path in paths:
        files = sorted(path.glob("*.toml")) if path.is_dir() else [path] if path.exists() else []
        if not files:
            raise OperationRefused(f"{path}: there is no profile (*.toml)")
        found += files
    return found
