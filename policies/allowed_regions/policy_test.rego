package sluice.allowed_regions_test

import data.sluice.allowed_regions

plan(after) := {"plan": {"resource_changes": [{
	"address": "a.b",
	"mode": "managed",
	"change": {"actions": ["create"], "after": after},
}]}}

provider(expressions, variables) := {"plan": {
	"variables": variables,
	"configuration": {"provider_config": {"aws": {"expressions": expressions}}},
}}

test_allowed_regions_and_their_zones_pass if {
	count(allowed_regions.deny) == 0 with input as plan({"region": "eu-central-1"})
	count(allowed_regions.deny) == 0 with input as plan({"availability_zone": "eu-west-1b"})
	count(allowed_regions.deny) == 0 with input as plan({"zone": "europe-west1-b"})
	count(allowed_regions.deny) == 0 with input as plan({"location": "WestEurope"})
	count(allowed_regions.deny) == 0 with input as plan({"location": null})
}

test_other_regions_fail if {
	count(allowed_regions.deny) == 1 with input as plan({"region": "us-east-1"})
	count(allowed_regions.deny) == 1 with input as plan({"availability_zone": "eu-central-12"})
	count(allowed_regions.deny) == 1 with input as plan({"region": "(sensitive value)"})
}

test_delete_in_another_region_passes if {
	change := {"address": "a.b", "mode": "managed", "change": {"actions": ["delete"], "after": null}}
	count(allowed_regions.deny) == 0 with input as {"plan": {"resource_changes": [change]}}
}

test_provider_region_is_checked if {
	count(allowed_regions.deny) == 1 with input as provider({"region": {"constant_value": "us-east-1"}}, {})
	expressions := {"region": {"references": ["var.region"]}}
	count(allowed_regions.deny) == 1 with input as provider(expressions, {"region": {"value": "us-east-1"}})
	count(allowed_regions.deny) == 0 with input as provider(expressions, {"region": {"value": "eu-west-1"}})
	count(allowed_regions.warn) == 1 with input as provider({"region": {"references": ["local.r"]}}, {})
}
