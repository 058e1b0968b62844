package sluice.no_local_exec_test

import data.sluice.no_local_exec

runner := {
	"address": "terraform_data.run",
	"mode": "managed",
	"type": "terraform_data",
	"provisioners": [{"type": "local-exec"}],
}

test_root_module_fails if {
	some finding in no_local_exec.deny with input as {"plan": {"configuration": {"root_module": {"resources": [runner]}}}}
	finding.address == "terraform_data.run"
}

test_nested_module_fails_with_its_address if {
	inner := {"module_calls": {"b": {"module": {"resources": [runner]}}}}
	root := {"module_calls": {"a": {"module": inner}}}
	some finding in no_local_exec.deny with input as {"plan": {"configuration": {"root_module": root}}}
	finding.address == "module.a.module.b.terraform_data.run"
}

test_external_data_fails if {
	external := {"address": "data.external.x", "mode": "data", "type": "external"}
	count(no_local_exec.deny) == 1 with input as {"plan": {"configuration": {"root_module": {"resources": [external]}}}}
}

test_other_provisioner_passes if {
	resource := object.union(runner, {"provisioners": [{"type": "file"}]})
	count(no_local_exec.deny) == 0 with input as {"plan": {"configuration": {"root_module": {"resources": [resource]}}}}
}

test_empty_configuration_passes_none_fails if {
	count(no_local_exec.deny) == 0 with input as {"plan": {"configuration": {"root_module": {}}}}
	count(no_local_exec.deny) == 1 with input as {"plan": {}}
}
