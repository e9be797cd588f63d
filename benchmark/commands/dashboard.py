"""``python -m benchmark dashboard``: a saved workspace view and a report in Weights & Biases, for a sweep's runs."""

from __future__ import annotations

import json
from typing import Any

from benchmark.commands.common.options import Parser
from benchmark.commands.common.output import tell_json
from benchmark.configuration.sweep_expansion import expand
from benchmark.storage.cell_fields import FILTER_FIELDS
from benchmark.tracking.dashboard.layout import LAYOUT
from benchmark.tracking.run_config import CONFIG_KEYS

KINDS = ("workspace", "report")


def parser() -> Parser:
    """The options."""
    made = Parser("dashboard")
    made.add_argument("--dry-run", action="store_true", help="print the JSON that W&B would get; needs no login")
    return made


def main(conf: str, arguments: list[str]) -> int:
    """Makes the view and the report, or prints what would be made.

    Raises:
        ValueError: a setting is wrong, wandb-workspaces is missing, or W&B does not take them.
    """
    options, settings = parser().settings(arguments)
    words = [f"filter.{each}" if each.partition("=")[0] in FILTER_FIELDS else each for each in settings.overrides]
    (planned,) = expand(conf, "dashboard", words, config_dir=settings.config_dir).cells
    if planned.config is None:
        raise ValueError(planned.error)
    if options.json:
        tell_json(described())
        return 0
    return _make(planned.config, dry_run=options.dry_run)


def described() -> dict[str, Any]:
    """The sections with their panels, and what the keys of the configuration mean."""
    return {"sections": [section.as_dict() for section in LAYOUT], "config": CONFIG_KEYS}


def filters_of(config: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The values of configuration keys that runs on the dashboard have; smoke and calibration runs only when named."""
    chosen = {name: value for name, value in config["filter"].items() if value is not None}
    found = {name: tuple(value) if isinstance(value, list) else (value,) for name, value in chosen.items()}
    found.setdefault("budget", ("bench", "authors"))
    return {**found, "split": (*found.get("split", ("test",)), "train")}


def _make(config: dict[str, Any], *, dry_run: bool) -> int:
    if unknown := set(config["make"]) - set(KINDS):
        raise ValueError(f"make={config['make']}: {', '.join(sorted(unknown))} is none of {', '.join(KINDS)}")
    try:
        from benchmark.tracking.dashboard import wandb_views
    except ImportError as error:
        raise ValueError(f"dashboard needs wandb-workspaces ({error}): pip install 'underfire[dashboards]'") from None
    logger = config["logger"]
    entity = logger["entity"] or ("ENTITY" if dry_run else _own_entity())
    makers: dict[str, Any] = {"workspace": wandb_views.workspace, "report": wandb_views.report}
    content = entity, logger["project"], config["name"], filters_of(config)
    views = {name: makers[name](*content) for name in config["make"]}
    if dry_run:
        print(json.dumps({name: wandb_views.as_json(view) for name, view in views.items()}, indent=2))
        return 0
    for name, view in views.items():
        try:
            view.save()
        except Exception as error:  # of W&B and of the network below it
            raise ValueError(_refused(name, error)) from None
        print(f"{name}  {view.url}")
    return 0


def _own_entity() -> str:
    """The team that W&B takes by default."""
    import wandb

    try:
        return str(wandb.Api().default_entity)
    except Exception as error:  # not logged in, or no network
        raise ValueError(_refused("dashboard", error)) from None


def _refused(name: str, error: Exception) -> str:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"W&B did not take the {name} ({first}): run 'wandb login' on a machine with a network, name your team with "
        "logger.entity=TEAM, or see what would be sent with --dry-run"
    )
