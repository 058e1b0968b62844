package sluice.provider_allow_list_test

import data.sluice.provider_allow_list

changes(name) := {"plan": {"resource_changes": [{"address": "a.b", "provider_name": name}]}}

configured(name) := {"plan": {"configuration": {"provider_config": {"x": {"full_name": name}}}}}

test_known_namespace_passes if {
	count(provider_allow_list.deny) == 0 with input as changes("registry.opentofu.org/hashicorp/aws")
	count(provider_allow_list.deny) == 0 with input as changes("terraform.io/builtin/terraform")
}

test_unknown_namespace_or_registry_fails if {
	count(provider_allow_list.deny) == 1 with input as changes("registry.opentofu.org/evil/aws")
	count(provider_allow_list.deny) == 1 with input as changes("registry.example.org/hashicorp/aws")
	count(provider_allow_list.deny) == 1 with input as changes("aws")
}

test_configured_provider_counts_too if {
	count(provider_allow_list.deny) == 1 with input as configured("registry.opentofu.org/evil/aws")
}
