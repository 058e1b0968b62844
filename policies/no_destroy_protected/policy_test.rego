package sluice.no_destroy_protected_test

import data.sluice.no_destroy_protected

plan(type, actions) := {"plan": {"resource_changes": [{
	"address": sprintf("%s.this", [type]),
	"mode": "managed",
	"type": type,
	"change": {"actions": actions},
}]}}

test_delete_of_a_protected_type_fails if {
	count(no_destroy_protected.deny) == 1 with input as plan("aws_db_instance", ["delete"])
}

test_replace_of_a_protected_type_fails if {
	some finding in no_destroy_protected.deny with input as plan("aws_kms_key", ["create", "delete"])
	contains(finding.message, "replaced")
}

test_update_and_forget_pass if {
	count(no_destroy_protected.deny) == 0 with input as plan("aws_db_instance", ["update"])
	count(no_destroy_protected.deny) == 0 with input as plan("aws_db_instance", ["forget"])
}

test_delete_of_another_type_passes if {
	count(no_destroy_protected.deny) == 0 with input as plan("terraform_data", ["delete"])
}
