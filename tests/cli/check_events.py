"""Check a table of discharges and its run log as MUnitQuest's validators do."""

import csv
import json
import sys

events, rate = sys.argv[1], float(sys.argv[2])
with open(events, newline="") as f:
    rows = list(csv.DictReader(f, delimiter="\t"))
assert rows and list(rows[0]) == ["onset", "duration", "sample", "unit_id", "event_type"]
for row in rows:
    assert row["event_type"] == "motor-unit-spike" and float(row["duration"]) == 0
    assert row["sample"] == str(int(row["sample"])) and int(row["sample"]) >= 0
    assert float(row["onset"]) >= 0
    assert abs(float(row["onset"]) * rate - int(row["sample"])) < 0.5
onsets = [float(row["onset"]) for row in rows]
assert onsets == sorted(onsets)
units = {int(row["unit_id"]) for row in rows}
assert units == set(range(len(units))), "unit ids have gaps or do not start at 0"

with open(events.replace("events.tsv", "log.json")) as f:
    log = json.load(f)
assert isinstance(log["GeneratedBy"], list) and log["GeneratedBy"]
for entry in log["GeneratedBy"]:
    for key in ["Name", "Description", "CodeURL", "License", "Version", "Container"]:
        assert isinstance(entry[key], str) and entry[key] not in ["", "n/a"], key
# the validators have changed the name of the first
assert isinstance(log["RuntimeEnvironment"], dict) and isinstance(log["Environment"], dict)
runtime = log["Execution"]["Runtime"]
assert isinstance(runtime, float) and runtime > 0
print("%d units pass" % len(units))
