# METADATA
# title: Module allow-list
# description: Modules come from the configuration itself or from known sources.
package sluice.module_allow_list

calls contains [path, call] if {
	walk(input.plan.configuration.root_module, [path, call])
	count(path) > 1
	path[count(path) - 2] == "module_calls"
	is_module_position(path)
}

# `module_calls` may also be the name of a module; only every third level below the root is a set of calls.
is_module_position(path) if {
	every index in numbers.range(0, count(path) - 1) {
		expected := ["module_calls", null, "module"][index % 3]
		expected in {null, path[index]}
	}
}

deny contains finding if {
	some [path, call] in calls
	not is_allowed(call.source)
	finding := {
		"message": sprintf("%s comes from %s, which is not on the allow-list", [address(path), call.source]),
		"address": address(path),
		"remedy": "use a module that is, or have its source added to the policy set's config.rego",
		"severity": "high",
	}
}

is_allowed(source) if regex.match(`^\.\.?/`, source)

is_allowed(source) if {
	some prefix in config.allowed_prefixes
	startswith(source, prefix)
}

address(path) := concat(".", [part |
	some index, name in path
	index % 3 == 1
	some part in ["module", name]
])
