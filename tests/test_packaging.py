"""What a wheel installs is what the repository holds."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("isa", "traces", "sim", "validation")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_is_listed():
    found = {
        ".".join(("warpwise", *init.parent.relative_to(ROOT).parts))
        for folder in FOLDERS
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert found == set(SETUPTOOLS["packages"])


def test_every_folder_is_mapped():
    assert SETUPTOOLS["package-dir"] == {f"warpwise.{folder}": folder for folder in FOLDERS}
    assert all((ROOT / folder / "py.typed").is_file() for folder in FOLDERS)


def test_every_data_file_in_a_package_is_shipped():
    """Setuptools looks for data only in folders that are packages."""
    patterns = SETUPTOOLS["package-data"]["*"]
    missing = [
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for init in (ROOT / folder).rglob("__init__.py")
        for path in init.parent.iterdir()
        if path.is_file() and path.suffix != ".py" and not any(map(path.match, patterns))
    ]
    assert not missing


def test_licence_is_shipped():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "APPENDIX: How to apply the Apache License to your work" in text
