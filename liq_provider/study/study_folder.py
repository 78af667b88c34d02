"""Where studies of a store lie."""

from pathlib import Path

from liq_provider.sidecar.sidecar_files import SidecarFiles


def study_dir(store_url: str, base_dir: Path) -> Path:
    """
    :return: where studies of a store go: into user_data, or beside a store in a folder of it, as
        those of a demo must not pass for others
    """
    user_data = base_dir / "user_data"
    beside = SidecarFiles.of(store_url, base_dir).prefix.parent
    return (beside if beside.is_relative_to(user_data) else user_data) / "study"
