"""Print what a Snakefile says to each of several configuration files, as JSON; run by tests in a process of its own."""

import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings


def said_to(snakefile: Path, configuration: Path) -> str:
    """The message with which it stops; empty where it goes on."""
    settings = ConfigSettings(configfiles=[configuration])
    try:
        with SnakemakeApi(OutputSettings()) as api:
            workflow = api.workflow(ResourceSettings(cores=1), settings, snakefile=snakefile)
            assert workflow._workflow.rules
    except SystemExit as error:
        return str(error.code)
    return ""


snakefile, *configurations = map(Path, sys.argv[1:])
print(json.dumps([said_to(snakefile, configuration) for configuration in configurations]))
