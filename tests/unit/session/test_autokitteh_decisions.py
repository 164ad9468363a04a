"""Which calls of a durable session are recorded, held against the rules that AutoKitteh's users know."""

# ruff: noqa: TID251 - functions are judged here, and none is called

from __future__ import annotations

import abc
import array
import ast
import asyncio
import base64
import bisect
import bz2
import calendar
import cmath
import collections
import contextlib
import copy
import csv
import dataclasses
import datetime as dt
import decimal
import enum
import fnmatch
import fractions
import functools
import glob
import graphlib
import gzip
import hashlib
import heapq
import html
import html.parser
import http.client
import io
import ipaddress
import itertools
import json
import logging
import lzma
import math
import operator
import os
import pathlib
import platform
import pprint
import queue
import random
import re
import shlex
import shutil
import smtplib
import socket
import sqlite3
import statistics
import string
import struct
import subprocess
import tempfile
import textwrap
import threading
import time
import traceback
import types
import typing
import unicodedata
import urllib.parse
import urllib.request
import uuid
import xml.dom.minidom
import xml.etree.ElementTree as ET
import zipfile
import zlib
import zoneinfo
from collections.abc import Callable
from typing import Any

import anyio
import httpx2
import pytest
import yaml

from hookline_runner.session.decisions import Action, DecisionTable

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
RECORDED = {
    Action.ACTIVITY,
    Action.RIDING,
    Action.SLEEP,
    Action.ASYNC_SLEEP,
    Action.SHUFFLE,
    Action.DRAW,
}


def action_of(function: Callable[..., Any]) -> tuple[Action, str]:
    decision = DecisionTable("/project").decide(function)
    return decision.action, decision.name


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (dt.datetime.now, "now"),
        (dt.datetime.today, "today"),
        (dt.datetime.utcnow, "utcnow"),
        (dt.date.today, "today"),
        (time.time, "time"),
        (time.monotonic, "monotonic"),
        (time.strftime, "strftime"),
        (time.sleep, "sleep"),
        (asyncio.sleep, "sleep"),
        (asyncio.to_thread, "to_thread"),
        (asyncio.open_connection, "open_connection"),
        (asyncio.create_subprocess_exec, "create_subprocess_exec"),
        (uuid.uuid4, "uuid4"),
        (uuid.UUID, "UUID"),
        (random.random, "random"),
        (random.randint, "randint"),
        (random.choice, "choice"),
        (random.shuffle, "shuffle"),
        (os.getenv, "getenv"),
        (os.environ.get, "get"),
        (os.listdir, "listdir"),
        (os.remove, "remove"),
        (os.system, "system"),
        (os.path.exists, "exists"),
        (os.path.join, "join"),
        (os.urandom, "urandom"),
        (json.load, "load"),
        (json.dump, "dump"),
        (pathlib.Path, "Path"),
        (pathlib.Path("x").read_text, "read_text"),
        (pathlib.Path("x").exists, "exists"),
        (subprocess.run, "run"),
        (subprocess.Popen, "Popen"),
        (urllib.request.urlopen, "urlopen"),
        (urllib.request.Request("http://x").get_method, "get_method"),
        (http.client.HTTPConnection, "HTTPConnection"),
        (socket.socket, "socket"),
        (socket.gethostname, "gethostname"),
        (shutil.copy, "copy"),
        (tempfile.mkdtemp, "mkdtemp"),
        (glob.glob, "glob"),
        (sqlite3.connect, "connect"),
        (smtplib.SMTP, "SMTP"),
        (platform.node, "node"),
        (logging.info, "info"),
        (yaml.safe_load, "safe_load"),
        (httpx2.get, "get"),
        (httpx2.Client, "Client"),
        (httpx2.Client.get, "get"),
        (anyio.to_thread.run_sync, "run_sync"),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_what_reaches_outside_is_recorded_under_the_name_it_has_there(
    function: Callable[..., Any], name: str
):
    action, recorded_as = action_of(function)

    assert action in RECORDED
    assert recorded_as == name


@pytest.mark.parametrize(
    "function",
    [
        *(bytearray, bytes, dict, frozenset, list, memoryview, range, set, str, tuple),
        *("x".join, [].append, {}.get, set[int]().add, b"".hex, int, float),
        *(abc.ABC, array.array, base64.b64encode, bisect.bisect, bz2.compress, cmath.sqrt),
        *(collections.Counter, collections.OrderedDict().popitem, contextlib.suppress),
        *(copy.deepcopy, csv.reader, csv.DictReader, dataclasses.asdict, decimal.Decimal),
        *(decimal.Decimal(1).quantize, enum.Enum, fnmatch.fnmatch, fractions.Fraction),
        *(functools.reduce, functools.lru_cache, graphlib.TopologicalSorter, gzip.compress),
        *(hashlib.sha256, hashlib.sha256().hexdigest, heapq.heappush, html.escape),
        *(html.parser.HTMLParser, ipaddress.ip_address, itertools.chain, json.dumps, json.loads),
        *(lzma.compress, math.sqrt, operator.add, pprint.pformat, re.compile, re.sub),
        *(re.compile("x").match, shlex.split, statistics.mean, struct.pack, textwrap.dedent),
        *(traceback.format_exc, types.SimpleNamespace, typing.cast),
        *(unicodedata.normalize, urllib.parse.urlparse, urllib.parse.quote),
        *(xml.dom.minidom.parseString, ET.fromstring, zipfile.ZipFile, zlib.crc32),
        *(asyncio.create_task, asyncio.current_task, asyncio.gather, asyncio.Queue, asyncio.run),
        *(asyncio.shield, asyncio.timeout, asyncio.wait, asyncio.wait_for),
        *(dt.date, dt.datetime, dt.timedelta, dt.datetime.fromisoformat),
        *(dt.datetime.fromtimestamp, dt.datetime.combine, dt.datetime.strptime),
        *(dt.timedelta(1).total_seconds, dt.time.fromisoformat),
    ],
    ids=lambda function: getattr(function, "__qualname__", repr(function)),
)
def test_what_is_deterministic_there_is_made_directly_here(function: Callable[..., Any]):
    assert action_of(function)[0] in {Action.DIRECT, Action.IN_CALLER}


@pytest.mark.parametrize(
    "function",
    [
        *(NOW.isoformat, NOW.strftime, NOW.replace, NOW.astimezone, zoneinfo.ZoneInfo),
        *(threading.Lock, queue.Queue, io.StringIO, io.BytesIO, logging.getLogger),
        *(ValueError, calendar.monthrange, string.Template, ast.literal_eval, string.capwords),
        *(asyncio.Lock, asyncio.Event, asyncio.Semaphore),
    ],
    ids=lambda function: getattr(function, "__qualname__", repr(function)),
)
def test_what_only_makes_or_reads_objects_of_the_process_is_no_longer_recorded(
    function: Callable[..., Any],
):
    """AutoKitteh records these: a result that cannot be pickled ends its session, the others only cost time."""
    assert action_of(function)[0] is Action.DIRECT


def test_a_callable_that_cannot_be_hashed_is_judged():
    @dataclasses.dataclass
    class Adder:
        by: int

        def __call__(self, number: int) -> int:
            return self.by + number

    assert action_of(Adder(1))[0] is Action.ACTIVITY
