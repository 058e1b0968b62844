package sluice.required_tags_test

import data.sluice.required_tags

plan(after, unknown) := {"plan": {"resource_changes": [{
	"address": "aws_vpc.this",
	"mode": "managed",
	"change": {"actions": ["create"], "before": null, "after": after, "after_unknown": unknown},
}]}}

test_all_tags_pass if {
	count(required_tags.deny) == 0 with input as plan({"tags": {"owner": "a", "environment": "b"}}, {})
}

test_default_tags_pass if {
	after := {"tags": null, "tags_all": {"owner": "a", "environment": "b"}}
	count(required_tags.deny) == 0 with input as plan(after, {})
}

test_missing_and_empty_fail if {
	some finding in required_tags.deny with input as plan({"tags": {"owner": ""}}, {})
	finding.message == "aws_vpc.this lacks the tags environment, owner"
}

test_none_at_all_fails if {
	count(required_tags.deny) == 1 with input as plan({"tags": null}, {})
}

test_hidden_tags_fail if {
	count(required_tags.deny) == 1 with input as plan({"tags": "(sensitive value)"}, {})
}

test_value_known_after_apply_passes if {
	unknown := {"tags": {"owner": true}}
	count(required_tags.deny) == 0 with input as plan({"tags": {"environment": "b"}}, unknown)
}

test_what_has_no_tags_passes if {
	count(required_tags.deny) == 0 with input as plan({"name": "x"}, {})
}
