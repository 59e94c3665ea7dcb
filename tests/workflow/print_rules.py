"""Print the rules of a Snakefile as JSON; run by tests in a process of its own."""

import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.io import strip_wildcard_constraints
from snakemake.settings.types import OutputSettings, ResourceSettings


def described(rule: object) -> dict[str, object]:
    kinds = [rule.input, rule.output, rule.params]
    ranges = [(first, first + 1 if end is None else end) for kind in kinds for first, end in kind._names.values()]
    return {
        "script": rule.script and rule.basedir.join(rule.script).get_path_or_uri(secret_free=True),
        "unnamed": sum(map(len, kinds)) - sum(end - first for first, end in ranges),
        "names": [name for kind in kinds for name in kind._names],
        "code": rule.params.get("code"),
        "outputs": [strip_wildcard_constraints(str(file)) for file in rule.output],
        "logs": [str(log) for log in rule.log],
        "conda": str(rule.conda_env),
    }


with SnakemakeApi(OutputSettings()) as api:
    workflow = api.workflow(resource_settings=ResourceSettings(cores=1), snakefile=Path(sys.argv[1]))._workflow
    print(json.dumps({rule.name: described(rule) for rule in workflow.rules}))
