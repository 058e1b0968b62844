package sluice.module_allow_list_test

import data.sluice.module_allow_list

root(calls) := {"plan": {"configuration": {"root_module": {"module_calls": calls}}}}

test_local_and_known_sources_pass if {
	calls := {"a": {"source": "./modules/a"}, "b": {"source": "terraform-aws-modules/vpc/aws"}}
	count(module_allow_list.deny) == 0 with input as root(calls)
}

test_unknown_source_fails_at_any_depth if {
	inner := {"module_calls": {"b": {"source": "git::https://example.org/x.git"}}}
	some finding in module_allow_list.deny with input as root({"a": {"source": "./a", "module": inner}})
	finding.address == "module.a.module.b"
}

test_module_named_module_calls_is_seen if {
	count(module_allow_list.deny) == 1 with input as root({"module_calls": {"source": "evil/x/y"}})
}

test_parent_directory_prefix_needs_its_slash if {
	count(module_allow_list.deny) == 1 with input as root({"a": {"source": "..evil/x"}})
}
