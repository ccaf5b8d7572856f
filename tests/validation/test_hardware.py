"""The published numbers are complete and equal to the collection that they were taken from."""

import csv
from pathlib import Path

import pytest

from warpwise.validation.experiments.published import FOLDER, listing, table

COLLECTION = Path(__file__).parents[2].parent / "shared" / "hwdata"
ORIGINS = {
    "listings": "paper_listings",
    "figure_2_timeline": "paper_fig2_timeline",
    "figure_4_issue_timeline": "paper_fig4_issue_timeline",
    "table_1_issue_cycles": "paper_table1_issue_cycles",
    "table_2_memory_latency": "paper_table2_memory_latency",
    "table_4_gpus": "paper_table4_gpus_mape",
    "table_5_prefetch": "paper_table5_prefetch",
    "table_6_register_file": "paper_table6_register_file",
    "table_7_dependence": "paper_table7_dependence",
    "sm86_register_ports": "sm86_rtx3060_register_ports",
    "sm86_register_banks": "sm86_rtx3060_register_banks_2",
    "sm86_instruction_cache": "sm86_rtx3060_icache_sweep",
    "sm86_warps_per_subcore": "sm86_rtx3060_warps_per_subcore",
    "sm86_shared_memory": "sm86_rtx3060_shared_memory_sequences",
    "sm86_l1_strides": "l1_access_patterns",
    "sm86_pointer_chase": "pointer_chase_latency",
    "sm86_cache_bandwidth": "cache_bandwidth_by_size",
    "sm86_dram_streams": "dram_stream_by_occupancy",
    "memory_levels": "memory_hierarchy",
    "sm75_instructions": "instruction_latency",
    "sm75_issue_distance": "vendor_issue_distance",
}


@pytest.mark.parametrize("name", ORIGINS)
def test_rows_are_those_of_the_collection(name):
    origin = COLLECTION / f"{ORIGINS[name]}.csv"
    if not origin.exists():
        pytest.skip("the collection is not here")
    with origin.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(row in rows for row in table(name))


@pytest.mark.parametrize("name", ORIGINS)
def test_every_row_has_a_source_that_the_readme_names(name):
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"`{name}.csv`" in readme
    assert all(f"**{row['source']}**" in readme for row in table(name))


def test_every_file_is_used():
    assert {path.stem for path in FOLDER.glob("*.csv")} == {*ORIGINS, "a6000_microbenchmarks"}


@pytest.mark.parametrize(
    ("model", "column"),
    [
        ("", "hw_cycles"),
        ("authors' simulator", "authors_model_cycles"),
        ("Accel-Sim", "accel_sim_cycles"),
    ],
)
def test_cycles_of_applications_are_those_of_the_collection(model, column):
    origin = COLLECTION / "a6000_ubench_hw_cycles.csv"
    if not origin.exists():
        pytest.skip("the collection is not here")
    with origin.open(newline="", encoding="utf-8") as file:
        expected = {row["app"]: row[column] for row in csv.DictReader(file)}
    rows = [row for row in table("a6000_microbenchmarks") if row["model"] == model]
    assert {row["application"]: row["value"] for row in rows} == expected


def test_listings_are_found_by_name():
    assert listing("listing1_R18_R20")["value"] == "7"
