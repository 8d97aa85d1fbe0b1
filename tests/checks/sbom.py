"""`make sbom`: what an image holds, as a CycloneDX document, from the lock file.

Every package with its version, its marker and the hashes of its files. But for its time, the same
lock file always gives the same document.
"""

# CycloneDX's classes are built by decorators of another library, which pyright cannot follow.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportArgumentType=false

import hashlib
import re
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from tests.checks import ROOT
from tests.checks.locks import PIN

LOCK: Final = "requirements/runtime.txt"
FILE: Final = Path("build/sbom.cdx.json")
_BLOCK: Final = re.compile(r"^(?=\S)", re.MULTILINE)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def component_of(block: str) -> Component | None:
    """Return the package that a block of a lock file pins, None if it pins none."""
    pin = PIN.search(block)
    if pin is None:
        return None
    name, version, marker = pin.groups()
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}=={version}",
        purl=PackageURL("pypi", name=name, version=version),
        hashes=[
            HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in _HASH.findall(block)
        ],
        properties=[Property(name="callstream:marker", value=marker)] if marker else None,
    )


def document(lock: str, project: str) -> str:
    """Return the document of a lock file's text and a `pyproject.toml`'s, as JSON."""
    about = tomllib.loads(project)["project"]
    root = Component(
        name=str(about["name"]),
        version=str(about["version"]),
        type=ComponentType.APPLICATION,
        bom_ref="callstream",
    )
    found = [one for block in _BLOCK.split(lock) if (one := component_of(block))]
    number = uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(lock.encode()).hexdigest())
    about_it = BomMetaData(component=root, timestamp=datetime.now(UTC))
    bom = Bom(components=found, serial_number=number, metadata=about_it)
    bom.register_dependency(root, found)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def main() -> None:
    """Write the document."""
    texts = ((ROOT / name).read_text(encoding="utf-8") for name in (LOCK, "pyproject.toml"))
    path = ROOT / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document(*texts) + "\n", encoding="utf-8")
    sys.stdout.write(f"written to {FILE}\n")


if __name__ == "__main__":
    main()
