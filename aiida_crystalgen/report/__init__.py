"""One self-contained HTML page about a campaign: no network, no scripts from elsewhere."""

from __future__ import annotations

from aiida_crystalgen.report.page import render_report, write_report

__all__ = ['render_report', 'write_report']
