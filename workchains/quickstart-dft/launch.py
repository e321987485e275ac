"""Run the campaign beside this file, as `aiida-crystalgen run campaign.yaml` does."""

from __future__ import annotations

from pathlib import Path

from aiida import load_profile
from aiida.engine import run_get_node

from aiida_crystalgen import get_builder, load_campaign


def main() -> None:
    """Run the campaign in this process and print the ranked table."""
    load_profile()
    spec = load_campaign(Path(__file__).parent / 'campaign.yaml')
    _, node = run_get_node(get_builder(spec))
    print(f'{node.process_label}<{node.pk}> finished with exit status {node.exit_status}')
    print(node.tools.table())


if __name__ == '__main__':
    main()
