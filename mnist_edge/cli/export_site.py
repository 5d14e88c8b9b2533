"""What `mnist-edge export --web` does besides exporting: the site, and what is told of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_edge.cli.console import echo, echo_json
from mnist_edge.errors import EdgeError, UsageError

if TYPE_CHECKING:
    from mnist_edge.web.runtime import Runtime
    from mnist_edge.web.site import Site


def find_runtime(web: Path | None, package: Path | None) -> "Runtime | None":
    """Where the site's runtime comes from: said before minutes of work, if it is not there."""
    if web is None:
        if package is not None:
            raise UsageError("--web-runtime is about the site: add --web DIR")
        return None
    from mnist_edge.web import runtime as source

    if package is not None:
        return source.from_package(package)
    installed = Path("node_modules") / source.NAME
    if not installed.is_dir():
        return source.from_cdn()
    runtime = source.from_package(installed)
    if runtime.version != source.VERSION:
        raise EdgeError(
            f"{installed} is version {runtime.version}, whose files cannot be verified: "
            f"npm install {source.NAME}@{source.VERSION}, or take it by --web-runtime {installed}"
        )
    return runtime


def write_site(models: Sequence[Path] | None, web: Path, runtime: "Runtime") -> "Site":
    """The site of these files, or of all that were exported before."""
    from mnist_edge.model_file import model_paths
    from mnist_edge.web import site

    return site.export(model_paths.find_all(models), web, runtime)


def print_site(site: "Site", runtime: "Runtime", as_json: bool) -> None:
    if as_json:
        echo_json(as_dict(site, runtime))
    else:
        print_text(site, runtime)


def as_dict(site: "Site | None", runtime: "Runtime | None") -> dict[str, Any]:
    if site is None or runtime is None:
        return {}
    return {
        "web": {
            "folder": str(site.folder),
            "files": site.files,
            "size_bytes": site.size_bytes,
            "models": site.models,
            "runtime": {"version": runtime.version, "origin": runtime.origin},
        }
    }


def print_text(site: "Site", runtime: "Runtime") -> None:
    from mnist_edge.report import formatting
    from mnist_edge.web.runtime import NAME, VERSION

    echo(
        f"{site.folder}: a site of {site.files} files, {formatting.size(site.size_bytes)}, that "
        f"answers in the browser with {', '.join(site.models)}"
    )
    if runtime.files:
        echo(f"  {NAME} {runtime.version} from {runtime.origin} is in it")
    else:
        echo(
            f"  {NAME} {runtime.version} (14 MB, checked by its hash) is fetched from "
            f"{runtime.origin} at the first visit; to have it in the site: npm install "
            f"{NAME}@{VERSION}, and again"
        )
    echo(f"  try it: python3 -m http.server --directory {site.folder}, at http://localhost:8000/")
