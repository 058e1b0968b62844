# METADATA
# title: No local-exec
# description: A configuration runs no commands of its own where the engine runs.
package sluice.no_local_exec

deny contains finding if {
	some [path, resource] in resources
	some provisioner in resource.provisioners
	provisioner.type in config.forbidden_provisioners
	finding := {
		"message": sprintf("%s runs commands by a %s provisioner", [address(path, resource), provisioner.type]),
		"address": address(path, resource),
		"remedy": "do it in a provider's resource, or outside of the run",
		"severity": "high",
	}
}

deny contains finding if {
	some [path, resource] in resources
	resource.mode == "data"
	resource.type in config.forbidden_data_sources
	finding := {
		"message": sprintf("%s runs a program by the data source %s", [address(path, resource), resource.type]),
		"address": address(path, resource),
		"remedy": "give the value as a variable",
		"severity": "high",
	}
}

deny contains "the plan holds no configuration, so nobody can tell what it runs" if not input.plan.configuration

# Resources lie in arrays named `resources`, in the root module and in the module of each call, at any depth.
resources contains [path, resource] if {
	walk(input.plan.configuration.root_module, [path, found])
	is_resource_list(path)
	some resource in found
}

is_resource_list(path) if path == ["resources"]

is_resource_list(path) if {
	count(path) > 3
	path[count(path) - 1] == "resources"
	path[count(path) - 2] == "module"
	path[count(path) - 4] == "module_calls"
}

address(path, resource) := concat(".", array.concat(
	[part |
		some index, name in path
		path[index - 1] == "module_calls"
		some part in ["module", name]
	],
	[resource.address],
))
