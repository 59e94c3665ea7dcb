"""Step: bring one product of the lock into the archive, whole."""

import shutil
from pathlib import Path

from cropstack.catalogue.contents import MANIFEST, Contents, read_contents
from cropstack.errors import ProductError
from cropstack.files import write_json
from cropstack.providers import Reference, load
from cropstack.safe import open_safe
from cropstack.step import step


def fetch_product(
    fetched: Path, *, provider: str, folder: str | None, product: str, href: str, form: str, stamp: str
) -> None:
    """Fetch a product beside `fetched`, compare it with its manifest and write down what came.

    Parameters
    ----------
    fetched : JSON with ``product, path, form, provider, stamp, bytes, digest``; `path` is relative to its folder.
    folder : what `href` is relative to, None when it is complete.

    Raises
    ------
    CatalogueError : the product is gone or changed since the search.
    CorruptFile : a file is missing or not as its manifest lists it. Then nothing stays in the archive.
    """
    reference = Reference(product, str(Path(folder, href)) if folder else href, form, stamp)
    path = load(provider).fetch(reference, fetched.parent)
    try:
        contents = _read(path)
    except ProductError:
        _remove(path)
        raise
    write_json(
        fetched,
        {
            "product": product,
            "path": path.name,
            "form": form,
            "provider": provider,
            "stamp": stamp,
            "bytes": contents.size_bytes,
            "digest": contents.digest,
        },
    )
    print(f"{product}: {contents.size_bytes / 1e6:.1f} MB, {_describe(contents)}")


def _read(path: Path) -> Contents:
    """Contents of the product, or of the original that it links to: errors name what is still there afterwards."""
    with open_safe(path.resolve()) as files:
        return read_contents(files)


def _describe(contents: Contents) -> str:
    if not contents.verified:
        return f"unverified: no {MANIFEST} lists its files"
    lacks = f"; it lacks {', '.join(contents.absent)}, which no step reads" if contents.absent else ""
    return f"{contents.verified} files as its manifest lists them{lacks}"


def _remove(path: Path) -> None:
    """Take a product out of the archive; of a linked one only the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


if __name__ == "__main__":
    step(fetch_product, snakemake)  # noqa: F821
