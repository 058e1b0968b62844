# METADATA
# title: Required tags
# description: Everything that can be tagged carries the tags that say whose it is.
package sluice.required_tags

deny contains finding if {
	some change in input.plan.resource_changes
	change.mode == "managed"
	is_written(change.change.actions)
	some attribute in config.attributes
	attribute in object.keys(change.change.after)
	missing := config.required - given(change.change)
	count(missing) > 0
	finding := {
		"message": sprintf("%s lacks the tags %s", [change.address, concat(", ", sort(missing))]),
		"address": change.address,
		"remedy": "set them on the resource, or as the provider's default tags",
		"severity": "medium",
	}
}

is_written(actions) if "create" in actions

is_written(actions) if "update" in actions

# A tag counts when it has a value, or will have one that is not known before the apply.
given(change) := {name |
	some attribute in config.attributes
	some name
	value := change.after[attribute][name]
	value != ""
	value != null
} | {name |
	some attribute in config.attributes
	some name
	change.after_unknown[attribute][name] == true
}
