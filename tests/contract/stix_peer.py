"""Runs inside `.peers/stix`, where other people's STIX tools live: reads a question as JSON, prints the answer."""

import json
import sys
from typing import Any

import stix2
from pycti.utils.opencti_stix2_splitter import OpenCTIStix2Splitter
from stix2matcher.matcher import match
from stix2validator import ValidationOptions, validate_instance


def parse(objects: list[dict[str, Any]]) -> list[str]:
    """Return what stix2, in its strict mode, says against objects; empty where nothing."""
    faults = []
    for one in objects:
        try:
            stix2.parse(one, allow_custom=False, version="2.1")
        except (stix2.exceptions.STIXError, ValueError, TypeError) as error:
            faults.append(f"{one['type']}: {error}")
    return faults


def validate(objects: list[dict[str, Any]]) -> list[list[str]]:
    """Return the errors that stix2-validator finds in each object."""
    options = ValidationOptions(version="2.1")
    return [[str(error) for error in validate_instance(one, options).errors] for one in objects]


def matches(asked: dict[str, Any]) -> list[bool]:
    """Return for each pattern whether it matches the bundle."""
    return [bool(match(pattern, [asked["bundle"]], stix_version="2.1")) for pattern in asked["patterns"]]


def split(bundle: dict[str, Any]) -> dict[str, list[str]]:
    """Return the ids of the objects that OpenCTI's splitter takes, and of those that it cannot."""
    _, left_out, parts = OpenCTIStix2Splitter().split_bundle_with_expectations(json.dumps(bundle))
    taken = {one["id"] for part in parts for one in json.loads(part)["objects"]}
    return {"taken": sorted(taken), "left_out": sorted(one["id"] for one in left_out)}


if __name__ == "__main__":
    answer = {"parse": parse, "validate": validate, "matches": matches, "split": split}[sys.argv[1]]
    sys.stdout.write(json.dumps(answer(json.load(sys.stdin))))
