"""Tests of campaigns whose program is gone."""

import os
import subprocess
import sys

import pytest
from aiida import orm

from aiida_crystalgen.tools.stopping import (
    RUNNER,
    close_abandoned,
    is_abandoned,
    mark_runner,
    runner_pid,
)
from tests.handmade import make_campaign


@pytest.fixture
def campaign(aiida_profile_clean):
    """Return a campaign that has not ended."""
    return make_campaign(finished=False)


def test_running_campaign_is_left_alone(campaign):
    """A campaign whose program lives is not touched."""
    mark_runner(campaign)
    assert runner_pid(campaign) == os.getpid()
    assert close_abandoned() == []


def test_campaign_of_the_daemon_is_left_alone(campaign):
    """A campaign without a program of its own belongs to the daemon."""
    assert not is_abandoned(campaign)
    assert close_abandoned() == []


def test_campaign_of_a_dead_program_is_closed(campaign):
    """A campaign whose program is gone is marked as killed and sealed."""
    mark_runner(campaign)
    command = [sys.executable, '-c', 'import os; print(os.getpid())']
    dead = subprocess.run(command, capture_output=True, text=True, check=True)
    campaign.base.extras.set(RUNNER, {**campaign.base.extras.get(RUNNER), 'pid': int(dead.stdout)})
    assert close_abandoned() == [campaign.pk]
    node = orm.load_node(campaign.pk)
    assert (node.is_killed, node.is_sealed) == (True, True)


def test_reused_pid_is_not_taken_for_the_program(campaign):
    """Another process under the same PID began at another time."""
    mark_runner(campaign)
    mark = campaign.base.extras.get(RUNNER)
    campaign.base.extras.set(RUNNER, {**mark, 'started': mark['started'] - 3600})
    assert is_abandoned(campaign)


def test_other_computer_is_not_judged(campaign):
    """What runs on another computer cannot be seen from here."""
    mark_runner(campaign)
    campaign.base.extras.set(RUNNER, {**campaign.base.extras.get(RUNNER), 'host': 'elsewhere', 'pid': 1})
    assert not is_abandoned(campaign)
