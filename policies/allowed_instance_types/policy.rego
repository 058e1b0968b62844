# METADATA
# title: Allowed instance types
# description: Machines are of the allowed families and sizes only.
package sluice.allowed_instance_types

deny contains finding if {
	some change in input.plan.resource_changes
	change.mode == "managed"
	is_written(change.change.actions)
	attribute := config.attributes[change.type]
	size := change.change.after[attribute]
	is_string(size)
	not is_allowed(change.type, size)
	finding := {
		"message": sprintf("%s has the %s %s, which is not allowed", [change.address, attribute, size]),
		"address": change.address,
		"remedy": sprintf("use one that begins with %s", [concat(", ", sort(config.allowed_prefixes[change.type]))]),
		"severity": "medium",
	}
}

warn contains finding if {
	some change in input.plan.resource_changes
	is_written(change.change.actions)
	attribute := config.attributes[change.type]
	change.change.after_unknown[attribute] == true
	finding := {
		"message": sprintf("the %s of %s is not known before the apply", [attribute, change.address]),
		"address": change.address,
	}
}

is_written(actions) if "create" in actions

is_written(actions) if "update" in actions

is_allowed(type, size) if {
	some prefix in config.allowed_prefixes[type]
	startswith(size, prefix)
}
