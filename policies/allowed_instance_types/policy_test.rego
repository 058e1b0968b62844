package sluice.allowed_instance_types_test

import data.sluice.allowed_instance_types

plan(type, after) := {"plan": {"resource_changes": [{
	"address": sprintf("%s.this", [type]),
	"mode": "managed",
	"type": type,
	"change": {"actions": ["update"], "after": after, "after_unknown": {}},
}]}}

test_allowed_pass if {
	count(allowed_instance_types.deny) == 0 with input as plan("aws_instance", {"instance_type": "t3.micro"})
	count(allowed_instance_types.deny) == 0 with input as plan("aws_db_instance", {"instance_class": "db.t4g.small"})
	count(allowed_instance_types.deny) == 0 with input as plan("terraform_data", {"instance_type": "x2.huge"})
}

test_others_fail if {
	count(allowed_instance_types.deny) == 1 with input as plan("aws_instance", {"instance_type": "p5.48xlarge"})
	count(allowed_instance_types.deny) == 1 with input as plan("aws_instance", {"instance_type": "(sensitive value)"})
	count(allowed_instance_types.deny) == 1 with input as plan("google_compute_instance", {"machine_type": "a3-highgpu"})
}
