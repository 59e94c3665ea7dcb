"""The `cropstack` command: what is no step of a build."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cropstack.errors import CropstackError
from cropstack.labels.country_check import check_country
from cropstack.labels.country_new import new_country

FINE, PROBLEMS, BAD_INPUT = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 fine, 1 problems found, 2 bad input."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except CropstackError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cropstack", description="Tools beside the workflow.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    country = commands.add_parser("country", help="check a country's folder, or make one")
    actions = country.add_subparsers(required=True, metavar="ACTION")
    _add_check(actions)
    _add_new(actions)
    return parser


def _add_check(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = actions.add_parser(
        "check",
        help="check taxonomy/countries/CC, and declarations against it",
        description="Check taxonomy/countries/CC, and how it fits declarations. Exit status: 0 fine, 1 problems, "
        "2 bad input.",
    )
    check.add_argument("cc", metavar="CC", help="the country: a folder of taxonomy/countries")
    check.add_argument("files", metavar="FILE", nargs="*", type=Path, help="declarations as published")
    check.add_argument(
        "--year",
        type=int,
        action="append",
        default=[],
        help="of the declarations, after them; once for all files or once for each; else their names tell",
    )
    check.add_argument(
        "--min-mapped",
        type=_share,
        default=0.95,
        metavar="SHARE",
        help="of parcels and of area that must have a class other than 998 (default: 0.95)",
    )
    _add_root(check)
    check.set_defaults(run=_check)


def _add_new(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    new = actions.add_parser(
        "new",
        help="make taxonomy/countries/CC from a declaration",
        description="Make taxonomy/countries/CC from a declaration: source.yaml with what the file tells, and "
        "crops.csv with suggestions marked unreviewed.",
    )
    new.add_argument("cc", metavar="CC", help="ISO 3166-1 or -2 in lower case, such as it_52")
    new.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a declaration as published, all parts of it")
    new.add_argument("--year", type=int, help="of the declaration; else its name tells")
    new.add_argument("--layer", help="with the parcels, where there are several")
    new.add_argument("--code", metavar="COLUMN", help="with the crop's code, where the guess is wrong")
    new.add_argument("--names", type=Path, metavar="CSV", help="the office's list of crops: code, name, name_en, hcat")
    new.add_argument("--name", help="what the declaration is called")
    new.add_argument("--licence", help="under which the office publishes it")
    new.add_argument("--attribution", help="that the licence asks for; {year} is replaced")
    _add_root(new)
    new.set_defaults(run=_new)


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, default=Path(), metavar="FOLDER", help="the repository (default: here)")


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share; expected 0 to 1")
    return share


def _check(given: argparse.Namespace) -> int:
    report = check_country(given.root, given.cc, given.files, years=given.year, min_mapped=given.min_mapped)
    print(report.text(), end="")
    return PROBLEMS if report.has_problems else FINE


def _new(given: argparse.Namespace) -> int:
    texts = {"name": given.name, "licence": given.licence, "attribution": given.attribution}
    chosen = {"year": given.year, "layer": given.layer, "code": given.code, "names": given.names}
    made = new_country(given.root, given.cc, given.files, **chosen, texts=texts)
    print(made.text(), end="")
    return FINE


if __name__ == "__main__":
    sys.exit(main())
